/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/*
 * Paho 1.3.12's thread that receives copies its list of sockets (Socket_getReadySocket) while the one that sends,
 * or a destroyed client, changes it under another mutex (its issue 1290). Nothing a caller does
 * keeps them apart. Whoever connects often under the thread sanitizer meets it.
 */
const char *__tsan_default_suppressions(void); /* the sanitizer's name for it */
const char *__tsan_default_suppressions(void)
{
	return "race:libpaho-mqtt3as\n";
}

struct broker {
	char *config, *log;
	uint16_t port;
	pid_t pid;
};

static const char *find(const char *program)
{
	static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin",
		                               "/opt/homebrew/sbin" };
	static char path[8][128];
	static unsigned int next;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *at = path[next % 8];

		snprintf(at, sizeof(path[0]), "%s/%s", folders[i], program);
		if (access(at, X_OK) == 0) {
			next++;
			return at;
		}
	}
	return NULL;
}

const char *broker_missing(void)
{
	static const char *const programs[] = { "mosquitto", "openssl" };

	for (size_t i = 0; i < 2; i++)
		if (!find(programs[i]))
			return programs[i];
	return NULL;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_port = htons(port),
		                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

uint16_t broker_free_port(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	/*
	 * Never closed: what is bound is given to nobody else, and a server that asks for SO_REUSEADDR
	 * too may still listen there (socket(7)). Mosquitto and OpenSSL do.
	 */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    getsockname(fd, (struct sockaddr *)&address, &size))
		abort();
	return ntohs(address.sin_port);
}

static bool listens(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool up = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	close(fd);
	return up;
}

pid_t helper_start(const char *const *argv, const char *input, const char *log)
{
	/* A test that dies can end nothing: the kernel does, where setpriv is (Debian: always). */
	const char *bound[24] = { "setpriv", "--pdeathsig", "KILL", "--", find(argv[0]) };
	const char *setpriv = find("setpriv");
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	size_t count = 5;

	for (size_t i = 1; argv[i]; i++) {
		if (count == sizeof(bound) / sizeof(bound[0]) - 1)
			abort();
		bound[count++] = argv[i];
	}
	if (!bound[4])
		return -1;
	argv = setpriv ? bound : bound + 4;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, input ? input : "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, log, O_CREAT | O_WRONLY | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	if (posix_spawn(&pid, setpriv ? setpriv : bound[4], &actions, NULL, (char *const *)(uintptr_t)argv, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

void helper_end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = -1;
}

bool broker_restart(struct broker *broker)
{
	const char *const argv[] = { "mosquitto", "-c", broker->config, NULL };
	int64_t until = now_ms() + 5000;

	broker->pid = helper_start(argv, NULL, broker->log);
	while (broker->pid > 0 && now_ms() < until) {
		if (listens(broker->port))
			return true;
		if (waitpid(broker->pid, NULL, WNOHANG) == broker->pid)
			broker->pid = -1;
		poll(NULL, 0, 20);
	}
	return false;
}

struct broker *broker_start(const char *folder, uint16_t port, const char *extra)
{
	struct broker *broker = calloc(1, sizeof(*broker));
	FILE *file;

	if (!broker || asprintf(&broker->config, "%s/mosquitto-%u.conf", folder, port) < 0 ||
	    asprintf(&broker->log, "%s/mosquitto-%u.log", folder, port) < 0)
		abort();
	broker->port = port;
	file = fopen(broker->config, "we");
	if (!file)
		abort();
	fprintf(file,
	        "persistence false\nlistener %u 127.0.0.1\nmax_queued_messages 0\nset_tcp_nodelay true\n"
	        "user root\n%s",
	        port, extra ? extra : "allow_anonymous true\n");
	fclose(file);
	if (broker_restart(broker))
		return broker;
	broker_free(broker);
	return NULL;
}

void broker_kill(struct broker *broker)
{
	helper_end(&broker->pid);
}

void broker_free(struct broker *broker)
{
	if (!broker)
		return;
	broker_kill(broker);
	free(broker->config);
	free(broker->log);
	free(broker);
}
