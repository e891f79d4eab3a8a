/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of the local socket. */
#include "../core/core.h"
#include <kryos/command.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_ANSWER (4 * 1024 * 1024)

static int connect_error(const char *path, int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return kryos_fail(-error, "%s: nobody answers; is cryo_daemon running?", path);
	case EACCES:
		return kryos_fail(-error, "%s: not allowed; only root and members of the group kryos are", path);
	case EAGAIN:
		return kryos_fail(-ETIMEDOUT, "%s: nobody takes the call; the daemon is busy or hangs", path);
	default:
		return kryos_fail(-error, "%s: %s", path, strerror(error));
	}
}

/* Waits for events; 0, or -ETIMEDOUT with its sentence. */
static int wait_for(int fd, short events, const char *path, int64_t until_ns)
{
	struct pollfd ready = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = until_ns - kri_real_ns();
		int r = left > 0 ? poll(&ready, 1, (int)(left / 1000000 + 1 < 60000 ? left / 1000000 + 1 : 60000)) : 0;

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return kryos_fail(-errno, "%s: %s", path, strerror(errno));
		if (left <= 0)
			return kryos_fail(-ETIMEDOUT, "%s: no answer in time; the daemon is busy or hangs", path);
	}
}

static int send_all(int fd, const char *text, size_t count, const char *path, int64_t until_ns)
{
	while (count > 0) {
		ssize_t sent = send(fd, text, count, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (sent >= 0) {
			text += sent;
			count -= (size_t)sent;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return kryos_fail(-errno, "%s: %s", path, strerror(errno));
		r = wait_for(fd, POLLOUT, path, until_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive_line(int fd, const char *path, int64_t until_ns, char **ret_line)
{
	size_t size = 0, count = 0;
	char *line = NULL, *bigger, *newline = NULL;
	int r = 0;

	while (!newline) {
		ssize_t got;

		if (size - count < 2) {
			size = size ? 2 * size : 4096;
			bigger = size <= MAX_ANSWER ? realloc(line, size) : NULL;
			if (!bigger) {
				r = size <= MAX_ANSWER ? -ENOMEM
				                       : kryos_fail(KRYOS_EPROTO, "%s: the answer is too long", path);
				goto refused;
			}
			line = bigger;
		}
		r = wait_for(fd, POLLIN, path, until_ns);
		if (r < 0)
			goto refused;
		got = recv(fd, line + count, size - count - 1, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0) {
			r = kryos_fail(got < 0 ? -errno : KRYOS_EPROTO,
			               "%s: the daemon closed the line without an answer", path);
			goto refused;
		}
		newline = memchr(line + count, '\n', (size_t)got);
		count += (size_t)got;
	}
	*newline = 0;
	*ret_line = line;
	return 0;
refused:
	free(line);
	return r;
}

int kryos_door_ask(const char *path, const char *request, int64_t timeout_ns, char **ret_answer)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int64_t until_ns;
	int fd, r;

	if (!path || !request || !ret_answer || timeout_ns < 0)
		return -EINVAL;
	if (strlen(path) >= sizeof(address.sun_path))
		return kryos_fail(-ENAMETOOLONG, "%s: a socket's path has at most %zu bytes", path,
		                  sizeof(address.sun_path) - 1);
	if (strchr(request, '\n'))
		return kryos_fail(-EINVAL, "a request is one line");
	if (__builtin_add_overflow(kri_real_ns(), timeout_ns, &until_ns))
		until_ns = INT64_MAX;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = connect_error(path, errno);
		goto close_socket;
	}
	r = send_all(fd, request, strlen(request), path, until_ns);
	if (r >= 0)
		r = send_all(fd, "\n", 1, path, until_ns);
	if (r >= 0)
		r = receive_line(fd, path, until_ns, ret_answer);
close_socket:
	close(fd);
	return r;
}
