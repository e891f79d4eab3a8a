/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *built(const char *name)
{
	char self[4096] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		fail_msg("/proc/self/exe: %s", strerror(errno));
	/* The test is <build>/tests/x_test. */
	name = in(dirname(dirname(self)), name);
	if (access(name, X_OK) < 0) {
		print_message("skipped: %s is not built\n", name);
		skip();
	}
	return name;
}

static void become(pid_t parent, const char *out, const char *err, const char *const *variables,
                   const char *const *argv)
{
	int out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
	    err_fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int null_fd = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A test that dies ends nothing any more. Politely: a script ends what it has started. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		_exit(126);
	if (dup2(null_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0)
		_exit(126);
	for (; *variables; variables++) {
		char *text = strdup(*variables), *equals = strchr(text, '=');

		if (equals)
			*equals = '\0';
		if (equals ? setenv(text, equals + 1, 1) : unsetenv(text))
			_exit(126);
	}
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

void program_start(struct program *program, const char *folder, const char *const *variables, const char *const *argv)
{
	pid_t parent = getpid();

	snprintf(program->out, sizeof(program->out), "%s/stdout", folder);
	snprintf(program->err, sizeof(program->err), "%s/stderr", folder);
	/* Of a run before: what is read from now on is this one's. */
	(void)unlink(program->out);
	(void)unlink(program->err);
	fflush(NULL);
	program->pid = fork();
	if (program->pid == 0)
		become(parent, program->out, program->err, variables, argv);
	if (program->pid < 0)
		fail_msg("fork: %s", strerror(errno));
}

void program_end(struct program *program)
{
	if (program->pid > 0) {
		kill(program->pid, SIGKILL);
		waitpid(program->pid, NULL, 0);
	}
	program->pid = 0;
}

int program_wait(struct program *program, int ms)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	int status = 0;

	for (int waited = 0; waitpid(program->pid, &status, WNOHANG) == 0; waited += 2) {
		if (waited >= ms) {
			char *text = file_text(program->err);

			program_end(program);
			fail_msg("not ended after %d ms; it had said: %s", ms, text);
		}
		nanosleep(&pause, NULL);
	}
	program->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int program_run(struct program *program, const char *folder, const char *const *variables, const char *const *argv)
{
	program_start(program, folder, variables, argv);
	return program_wait(program, 60000);
}

char *file_text(const char *path)
{
	FILE *stream = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;
	ssize_t length = stream ? getdelim(&text, &size, '\0', stream) : -1;

	if (stream)
		fclose(stream);
	if (length >= 0)
		return text;
	free(text);
	return strdup("");
}

void write_file(const char *path, const char *text)
{
	FILE *stream = fopen(path, "we");

	if (!stream || fputs(text, stream) < 0 || fclose(stream))
		fail_msg("%s: %s", path, strerror(errno));
}

void assert_file_has(const char *path, const char *text)
{
	char *whole = file_text(path);
	bool found = strstr(whole, text);

	if (!found)
		fail_msg("%s does not say \"%s\" but:\n%s", path, text, whole);
	free(whole);
}
