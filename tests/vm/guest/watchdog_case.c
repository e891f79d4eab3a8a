/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the case "watchdog" needs beside the daemon:
 *
 *     watchdog_case pet DEVICE TIMEOUT    pets each second, by nothing of the library, until it is killed
 *     watchdog_case hold PID THREAD       the thread of that name never comes back from its next rt_sigaction()
 *
 * That call Paho makes in a relay's thread at each connection; nothing of the store's is locked then.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(const char *what)
{
	fprintf(stderr, "watchdog_case: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

static int pet(const char *device, int timeout)
{
	int fd = open(device, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, WDIOC_SETTIMEOUT, &timeout) < 0)
		return failed(device);
	printf("# petting %s, %d s\n", device, timeout);
	fflush(stdout);
	while (ioctl(fd, WDIOC_KEEPALIVE, 0) == 0)
		sleep(1);
	return failed(device);
}

static pid_t find_thread(const char *pid, const char *name)
{
	char path[512], comm[32];
	struct dirent *entry;
	pid_t found = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	folder = opendir(path);
	while (folder && !found && (entry = readdir(folder))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", pid, entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file)) {
			comm[strcspn(comm, "\n")] = '\0';
			found = strcmp(comm, name) == 0 ? atoi(entry->d_name) : 0;
		}
		fclose(file);
	}
	if (folder)
		closedir(folder);
	if (!found)
		errno = ESRCH;
	return found;
}

/* The other threads go on: a thread that is traced stops alone, and stays so as long as its tracer lives. */
static int hold(const char *pid, const char *name)
{
	struct __ptrace_syscall_info info;
	pid_t thread = find_thread(pid, name);
	int status;

	if (!thread || ptrace(PTRACE_SEIZE, thread, NULL, (void *)PTRACE_O_TRACESYSGOOD) < 0 ||
	    ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) < 0)
		return failed(name);
	do {
		if (waitpid(thread, &status, __WALL) < 0 || !WIFSTOPPED(status))
			return failed(name);
		memset(&info, 0, sizeof(info));
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
		    ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof(info), &info) < 0)
			return failed("PTRACE_GET_SYSCALL_INFO");
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_rt_sigaction)
			break;
	} while (ptrace(PTRACE_SYSCALL, thread, NULL, NULL) == 0);
	printf("# held %s\n", name);
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "pet") == 0)
		return pet(argv[2], atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2], argv[3]);
	fprintf(stderr, "usage: watchdog_case pet DEVICE TIMEOUT | watchdog_case hold PID THREAD\n");
	return 2;
}
