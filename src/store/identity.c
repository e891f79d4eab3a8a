/* SPDX-License-Identifier: Apache-2.0 */
/* Which board this is, so that a card moved to another one is noticed. */
#include "private.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool read_line(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	if (count <= 0)
		return false;
	text[count] = '\0';
	text[strcspn(text, "\r\n")] = '\0'; /* the device tree's ends in NUL, the others in a newline */
	return text[0] != '\0';
}

int kri_board_name(const char *given, char board[128])
{
	static const char *const sources[] = {
		"/sys/firmware/devicetree/base/serial-number", /* boards with a device tree */
		/* Not the DMI's uuid: only root can read it, and the answer must not depend on who asks. */
		"/etc/machine-id",
	};

	if (given) {
		if (strlen(given) > 127 || strchr(given, '\n'))
			return kryos_fail(-EINVAL, "config.board: one line of at most 127 bytes is allowed");
		strcpy(board, given);
		return 0;
	}
	for (size_t i = 0; i < KRI_ARRAY_SIZE(sources); i++)
		if (read_line(sources[i], board, 128))
			return 0;
	strcpy(board, "unknown");
	return 0;
}
