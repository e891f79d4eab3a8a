/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

/*
 * A parent may have closed 0, 1 or 2: the next file opened would get the number, and be written over
 * by whoever prints. True if nobody can read what goes to standard error.
 */
static bool hold_standard_files(void)
{
	bool silent = fcntl(STDERR_FILENO, F_GETFD) < 0;
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return silent;
}

/* The file's mistakes go to standard error, what is in force to standard output. */
static int check(const struct options *options)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	int r;

	if (!stream) {
		fprintf(stderr, "cryo_daemon: out of memory\n");
		return EXIT_FAILURE;
	}
	r = kryos_station_check(options->config, stream);
	fclose(stream);
	if (r < 0)
		fprintf(stderr, "%s%s", size ? text : kryos_strerror(r), size ? "" : "\n");
	else
		fputs(text, stdout);
	free(text);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "cryo_daemon: standard output: can't be written\n");
		return EXIT_FAILURE;
	}
	return r < 0 ? EXIT_CONFIG : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options = { .config = "/etc/kryos/station.ini" };
	bool silent = hold_standard_files();
	int result = options_parse(&options, argc, argv);

	if (result >= 0)
		return result;
	if (options.check)
		return check(&options);
	if (!options.syslog && !silent)
		return daemon_run(&options, kryos_log_to_stderr);
	openlog("cryo_daemon", LOG_PID, LOG_DAEMON);
	return daemon_run(&options, kryos_log_to_syslog);
}
