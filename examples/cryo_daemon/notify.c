/* SPDX-License-Identifier: Apache-2.0 */
/* sd_notify(3), without libsystemd: one datagram to $NOTIFY_SOCKET. */
#include "daemon.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify(const struct daemon *daemon, const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;
	ssize_t sent;
	int fd;

	if (length == 0)
		return;
	if (length >= sizeof(address.sun_path) || !strchr("/@", path[0])) {
		say(daemon, KRYOS_LOG_WARNING, "NOTIFY_SOCKET=%s is neither a path nor an @abstract name", path);
		return;
	}
	memcpy(address.sun_path, path, length);
	if (path[0] == '@') /* unix(7): an abstract name begins with a NUL and is as long as it is */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
	              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	if (sent < 0)
		say(daemon, KRYOS_LOG_WARNING, "the service manager was not told: %s: %s", path, strerror(errno));
	close(fd);
}
