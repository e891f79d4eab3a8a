/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage: ... | write_log_case DISK OFFSET
 *
 * Writes what comes, past every cache, to blocks of the disk from an offset on at which the file system has ended, and
 * then prints it. So the log of the disk's writes itself tells when each line was there: all that was written and
 * flushed before stands in front of it. Nothing is flushed here.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 256 };

int main(int argc, char **argv)
{
	static _Alignas(BLOCK) char block[BLOCK];
	off_t offset = argc == 3 ? (off_t)strtoll(argv[2], NULL, 10) : 0;
	int fd = offset > 0 ? open(argv[1], O_WRONLY | O_DIRECT | O_CLOEXEC) : -1;
	ssize_t count = 0;

	for (off_t i = 0; fd >= 0 && (count = read(STDIN_FILENO, block, BLOCK)) > 0; i++) {
		memset(block + count, 0, (size_t)(BLOCK - count));
		if (pwrite(fd, block, BLOCK, offset + i % BLOCKS * BLOCK) != BLOCK ||
		    write(STDOUT_FILENO, block, (size_t)count) != count)
			break;
	}
	if (fd < 0 || count != 0) {
		perror("write_log_case");
		return 1;
	}
	return 0;
}
