/* SPDX-License-Identifier: Apache-2.0 */
/* The local socket: a line in, a line out, inside the context's loop. */
#include "../station/station.h"
#include <fcntl.h>
#include <grp.h>
#include <kryos/command.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_PEERS 8
#define MAX_LINE 4096
#define MAX_WAITING (8 * 1024 * 1024) /* answers that a peer does not take */
#define IDLE_NS KRYOS_SECONDS(60)

struct peer {
	struct kri_io io;
	struct peer *next;
	struct kryos_door *door;
	char who[64];
	int64_t heard_ns; /* real */
	char line[MAX_LINE + 1];
	size_t line_count;
	char *answers; /* not sent yet */
	size_t answers_count, answers_size;
	bool last; /* closed once its answers are sent */
};

struct kryos_door {
	struct kri_object object;
	struct kryos_ctx *ctx;
	struct kryos_station *station; /* NULL: it is gone, and so is the socket */
	struct kri_station_user user;
	struct kri_io listener;
	struct kri_timer timer;
	struct peer *peers;
	unsigned int peer_count;
	bool full; /* no descriptors are left in the process; the timer tries again */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	dev_t device; /* of the socket's file, so that another's is not unlinked */
	ino_t inode;
};

static void drop_peer(struct peer *peer)
{
	struct kryos_door *door = peer->door;

	for (struct peer **at = &door->peers; *at; at = &(*at)->next) {
		if (*at == peer) {
			*at = peer->next;
			break;
		}
	}
	door->peer_count--;
	if (!door->peers && !door->full)
		kri_timer_cancel(door->ctx, &door->timer);
	kri_io_remove(door->ctx, &peer->io);
	close(peer->io.fd);
	free(peer->answers);
	free(peer);
}

static bool add_answer(struct peer *peer, const char *text)
{
	size_t count = strlen(text);
	char *bigger;

	if (peer->answers_count + count + 1 > peer->answers_size) {
		bigger = realloc(peer->answers, peer->answers_count + count + 1);
		if (!bigger)
			return false;
		peer->answers = bigger;
		peer->answers_size = peer->answers_count + count + 1;
	}
	memcpy(peer->answers + peer->answers_count, text, count);
	peer->answers[peer->answers_count + count] = '\n';
	peer->answers_count += count + 1;
	return true;
}

/* False: the peer is gone. */
static bool send_answers(struct peer *peer)
{
	while (peer->answers_count > 0) {
		ssize_t sent = send(peer->io.fd, peer->answers, peer->answers_count, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EAGAIN)
			break;
		if (sent < 0 && errno != EINTR)
			return false;
		if (sent > 0) {
			peer->answers_count -= (size_t)sent;
			memmove(peer->answers, peer->answers + sent, peer->answers_count);
		}
	}
	if (peer->answers_count == 0 && peer->last)
		return false;
	/* A peer that does not take its answers is not asked for more. */
	return kri_io_change(peer->door->ctx, &peer->io, peer->answers_count > 0 ? EPOLLOUT : EPOLLIN) >= 0;
}

static bool answer(struct peer *peer, const char *line)
{
	struct kryos_door *door = peer->door;
	char *text = NULL;
	bool taken;

	if (kryos_command_run(door->station, line, peer->who, KRYOS_RIGHT_READ | KRYOS_RIGHT_CHANGE, &text) < 0)
		return false;
	taken = peer->answers_count + strlen(text) < MAX_WAITING && add_answer(peer, text);
	free(text);
	return taken;
}

static bool take_lines(struct peer *peer)
{
	char *begin = peer->line, *newline;

	while ((newline = memchr(begin, '\n', peer->line_count - (size_t)(begin - peer->line)))) {
		*newline = 0;
		/* A NUL inside would hide what follows it. */
		if (strlen(begin) != (size_t)(newline - begin)
		            ? !add_answer(peer, "{\"ok\":false,\"error\":\"JSON: a NUL byte\"}")
		            : !answer(peer, begin))
			return false;
		begin = newline + 1;
	}
	peer->line_count -= (size_t)(begin - peer->line);
	memmove(peer->line, begin, peer->line_count);
	if (peer->line_count == MAX_LINE) {
		peer->last = true;
		return add_answer(peer, "{\"ok\":false,\"error\":\"the line is longer than 4096 bytes\"}");
	}
	return true;
}

static void peer_ready(struct kri_io *io, uint32_t events)
{
	struct peer *peer = KRI_CONTAINER_OF(io, struct peer, io);
	ssize_t got;

	if (events & EPOLLIN) {
		got = recv(io->fd, peer->line + peer->line_count, MAX_LINE - peer->line_count, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
			drop_peer(peer);
			return;
		}
		peer->heard_ns = kri_real_ns();
		peer->line_count += got > 0 ? (size_t)got : 0;
		if (!take_lines(peer)) {
			drop_peer(peer);
			return;
		}
	} else if (events & (EPOLLERR | EPOLLHUP)) {
		drop_peer(peer);
		return;
	}
	if (!send_answers(peer))
		drop_peer(peer);
}

static void set_timer(struct kryos_door *door)
{
	kri_timer_set(door->ctx, &door->timer, kri_real_ns() + IDLE_NS / 4);
}

/* Eight that connected and say nothing must not lock everybody else out. */
static void drop_idle(struct kri_timer *timer)
{
	struct kryos_door *door = KRI_CONTAINER_OF(timer, struct kryos_door, timer);
	int64_t now = kri_real_ns();
	struct peer *next;

	for (struct peer *peer = door->peers; peer; peer = next) {
		next = peer->next;
		if (now - peer->heard_ns >= IDLE_NS)
			drop_peer(peer);
	}
	if (door->full && kri_io_change(door->ctx, &door->listener, EPOLLIN) >= 0)
		door->full = false;
	if (door->peers || door->full)
		set_timer(door);
}

static void name_peer(int fd, char who[64])
{
	struct ucred credentials = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(credentials);
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) {
		snprintf(who, 64, "unknown");
		return;
	}
	if (getpwuid_r(credentials.uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
		snprintf(who, 64, "%.63s", entry.pw_name);
	else
		snprintf(who, 64, "uid %lu", (unsigned long)credentials.uid);
}

static void turn_away(int fd)
{
	static const char text[] = "{\"ok\":false,\"error\":\"8 others are connected; try again later\"}\n";
	ssize_t sent = send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)sent;
	close(fd);
}

static void listener_ready(struct kri_io *io, uint32_t events)
{
	struct kryos_door *door = KRI_CONTAINER_OF(io, struct kryos_door, listener);
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *peer;

	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
		/* Whoever knocks stays in the queue; listening on would spin until a descriptor is free. */
		door->full = kri_io_change(door->ctx, &door->listener, 0) >= 0;
		set_timer(door);
	}
	if (fd < 0)
		return;
	if (door->peer_count == MAX_PEERS) {
		turn_away(fd);
		return;
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer) {
		close(fd);
		return;
	}
	peer->door = door;
	peer->io.fd = fd;
	peer->io.ready = peer_ready;
	peer->heard_ns = kri_real_ns();
	name_peer(fd, peer->who);
	if (kri_io_add(door->ctx, &peer->io, EPOLLIN) < 0) {
		close(fd);
		free(peer);
		return;
	}
	if (!door->peers)
		set_timer(door);
	peer->next = door->peers;
	door->peers = peer;
	door->peer_count++;
}

/* A file left behind by a daemon that was killed is removed; one that somebody answers at, or no socket, is not. */
static int make_room(const char *path, const struct sockaddr_un *address)
{
	struct stat status;
	int fd, error;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(status.st_mode))
		return kryos_fail(-EEXIST, "%s: a file is there that is no socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	if (error != ECONNREFUSED)
		return kryos_fail(-EADDRINUSE, "%s: somebody answers there already", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return kryos_fail(-errno, "%s: can't remove what a dead daemon left: %s", path, strerror(errno));
	return 0;
}

static void give_to_group(const char *path)
{
	struct group entry, *found = NULL;
	char buffer[4096];

	/* Without the right to give it away it stays in our own group. */
	if (getgrnam_r("kryos", &entry, buffer, sizeof(buffer), &found) == 0 && found &&
	    chown(path, (uid_t)-1, entry.gr_gid) < 0)
		return;
}

static int listen_at(struct kryos_door *door, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat status;
	int r;

	strcpy(address.sun_path, path);
	r = make_room(path, &address);
	if (r < 0)
		return r;
	door->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (door->listener.fd < 0)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	/* The file is born closed (bind(2) takes the mode of the socket): opened only when it has its group. */
	if (fchmod(door->listener.fd, 0600) < 0 ||
	    bind(door->listener.fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = kryos_fail(-errno, "%s: %s%s", path, strerror(errno),
		               errno == ENOENT ? "; its folder must exist and be the daemon's" : "");
		goto close_socket;
	}
	give_to_group(path);
	if (chmod(path, 0660) < 0 || stat(path, &status) < 0 || listen(door->listener.fd, MAX_PEERS) < 0) {
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
		goto remove_file;
	}
	door->device = status.st_dev;
	door->inode = status.st_ino;
	door->listener.ready = listener_ready;
	r = kri_io_add(door->ctx, &door->listener, EPOLLIN);
	if (r >= 0)
		return 0;
	r = kryos_fail(r, "%s: %s", path, strerror(-r));
remove_file:
	unlink(path);
close_socket:
	close(door->listener.fd);
	return r;
}

static void shut(struct kryos_door *door)
{
	struct stat status;

	if (!door->station)
		return;
	door->station = NULL;
	for (struct peer *peer = door->peers, *next; peer; peer = next) {
		next = peer->next;
		drop_peer(peer);
	}
	kri_timer_cancel(door->ctx, &door->timer);
	kri_io_remove(door->ctx, &door->listener);
	close(door->listener.fd);
	if (stat(door->path, &status) == 0 && status.st_dev == door->device && status.st_ino == door->inode)
		unlink(door->path);
}

static void station_closing(struct kri_station_user *user)
{
	shut(KRI_CONTAINER_OF(user, struct kryos_door, user));
}

static void destroy(struct kri_object *object)
{
	struct kryos_door *door = KRI_CONTAINER_OF(object, struct kryos_door, object);

	if (door->station)
		kri_station_remove_user(door->station, &door->user);
	shut(door);
	kri_object_remove(&door->object);
	free(door);
}

int kryos_door_open(struct kryos_door **ret_door, struct kryos_station *station, const char *path)
{
	struct kryos_door *door;
	int r;

	if (!ret_door || !station || !path)
		return -EINVAL;
	r = kri_ctx_check(station->ctx);
	if (r < 0)
		return r;
	if (strlen(path) >= sizeof(door->path))
		return kryos_fail(-ENAMETOOLONG, "%s: a socket's path has at most %zu bytes", path,
		                  sizeof(door->path) - 1);
	door = calloc(1, sizeof(*door));
	if (!door)
		return -ENOMEM;
	door->ctx = station->ctx;
	strcpy(door->path, path);
	door->timer.real = true;
	door->timer.fire = drop_idle;
	r = listen_at(door, path);
	if (r < 0) {
		free(door);
		return r;
	}
	door->station = station;
	door->user.closing = station_closing;
	kri_station_add_user(station, &door->user);
	kri_object_add(station->ctx, &door->object, destroy);
	*ret_door = door;
	return 0;
}

void kryos_door_close(struct kryos_door *door)
{
	if (door && kri_ctx_check(door->ctx) >= 0)
		destroy(&door->object);
}
