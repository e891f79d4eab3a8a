/* SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"
#include <errno.h>
#include <kryos/sys/bus.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int kri_notify_open(int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length;
	int fd;

	if (!path || !*path)
		return 0;
	length = strlen(path);
	if (path[0] != '/' && path[0] != '@')
		return kryos_fail(-EAFNOSUPPORT, "NOTIFY_SOCKET=%s: a path or an @abstract name is needed", path);
	if (length >= sizeof(address.sun_path))
		return kryos_fail(-ENAMETOOLONG, "NOTIFY_SOCKET: %zu bytes, %zu are allowed", length,
		                  sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, length);
	/* unix(7): an abstract name begins with a NUL, and its length says where it ends. */
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return kryos_fail(-errno, "NOTIFY_SOCKET=%s: %s", path, strerror(errno));
	if (connect(fd, (struct sockaddr *)&address,
	            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'))) < 0) {
		int r = kryos_fail(-errno, "NOTIFY_SOCKET=%s: %s", path, strerror(errno));

		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 1;
}

int kri_notify_send(int fd, const char *state)
{
	while (send(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		if (errno != EINTR)
			return kryos_fail(-errno, "NOTIFY_SOCKET: the service manager was not told: %s",
			                  strerror(errno));
	return 0;
}

int kri_notify(const char *state)
{
	int fd = -1, r = kri_notify_open(&fd);

	if (r <= 0)
		return r;
	r = kri_notify_send(fd, state);
	close(fd);
	return r < 0 ? r : 1;
}
