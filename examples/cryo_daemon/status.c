/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.json: what everybody may look at without asking the daemon, and what of it Prometheus takes. Each replaced as
 * a whole, by a rename in its folder, so that no reader ever sees half of it. Not synced: the runtime folder is a
 * tmpfs, and a state of before a power cut is worth nothing.
 */
#include "daemon.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CHANGED_NS KRYOS_SECONDS(1)    /* not more often, whatever happens */
#define UNCHANGED_NS KRYOS_SECONDS(10) /* so that its age says whether anybody is alive */

/* $RUNTIME_DIRECTORY is a list with ":" between; systemd has made the folders. */
static int runtime_folder(const struct daemon *daemon, char *folder, size_t size)
{
	const char *given = getenv("RUNTIME_DIRECTORY");

	if (given && *given) {
		snprintf(folder, size, "%.*s", (int)strcspn(given, ":"), given);
		return 0;
	}
	snprintf(folder, size, "/run/kryos");
	return make_folder(daemon, folder);
}

void status_open(struct daemon *daemon)
{
	const struct options *options = daemon->options;
	char folder[PATH_MAX - 16] = "";
	bool needs_folder = !options->status || !options->control;
	int r = needs_folder ? runtime_folder(daemon, folder, sizeof(folder)) : 0;

	daemon->metrics_path = options->metrics;
	if (r < 0)
		say(daemon, KRYOS_LOG_WARNING, "%s can't be made: %s; without %s%s%s", folder, strerror(-r),
		    options->status ? "" : "status.json", options->status || options->control ? "" : " and ",
		    options->control ? "" : "a local socket");
	if (options->status)
		snprintf(daemon->status_path, sizeof(daemon->status_path), "%s", options->status);
	else if (r >= 0)
		snprintf(daemon->status_path, sizeof(daemon->status_path), "%s/status.json", folder);
	if (options->control)
		snprintf(daemon->control_path, sizeof(daemon->control_path), "%s", options->control);
	else if (r >= 0)
		snprintf(daemon->control_path, sizeof(daemon->control_path), "%s/control", folder);
}

static int write_all(int fd, const char *text, size_t count)
{
	while (count > 0) {
		ssize_t written = write(fd, text, count);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			text += written;
			count -= (size_t)written;
		}
	}
	return 0;
}

static int replace_file(const char *path, const char *text)
{
	char temporary[PATH_MAX + 8];
	int fd, r;

	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	if (close(fd) < 0 && r >= 0)
		r = -errno;
	if (r >= 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

/* The station's object, with who wrote it and whether he still runs in front. */
static void write_status(struct daemon *daemon, const char *state)
{
	char *json = NULL, *text = NULL;
	int r = kryos_station_status_json(daemon->station, &json);

	if (r >= 0 && asprintf(&text, "{\"state\":\"%s\",\"pid\":%ld,%s\n", state, (long)getpid(), json + 1) < 0)
		r = -ENOMEM;
	if (r >= 0)
		r = replace_file(daemon->status_path, text);
	if (r < 0) {
		say(daemon, KRYOS_LOG_WARNING, "%s can't be written: %s; going on without it", daemon->status_path,
		    strerror(-r));
		daemon->status_path[0] = '\0';
	}
	free(text);
	free(json);
}

static void write_metrics(struct daemon *daemon)
{
	char *text = NULL;
	int r = kryos_station_metrics(daemon->station, &text);

	if (r >= 0)
		r = replace_file(daemon->metrics_path, text);
	if (r < 0) {
		say(daemon, KRYOS_LOG_WARNING, "%s can't be written: %s; going on without it", daemon->metrics_path,
		    strerror(-r));
		daemon->metrics_path = NULL;
	}
	free(text);
}

/* One line for systemctl status. */
static void tell_manager(struct daemon *daemon)
{
	struct kryos_store_status store = { .size = sizeof(store) };
	struct kryos_relay_status status = { .size = sizeof(status) };
	unsigned int relays = 0, up = 0;
	struct kryos_relay *relay;
	char text[sizeof(daemon->told)], when[KRYOS_TEXT_MAX] = "none";
	int64_t owed = 0;

	if (kryos_store_get_status(kryos_station_get_store(daemon->station), &store) < 0)
		return;
	while ((relay = kryos_station_get_relay(daemon->station, relays, NULL))) {
		relays++;
		if (kryos_relay_get_status(relay, &status) < 0)
			continue;
		up += status.link == KRYOS_LINK_UP;
		owed += status.owed;
	}
	if (store.last_wall_ns)
		kryos_time_text(store.last_wall_ns - store.last_wall_ns % KRYOS_SECONDS(1), when);
	snprintf(text, sizeof(text),
	         "STATUS=%" PRId64 " samples kept, the newest of %s; %u of %u relays up, %" PRId64 " records owed",
	         store.samples, when, up, relays, owed);
	if (strcmp(text, daemon->told) == 0)
		return;
	strcpy(daemon->told, text);
	notify(daemon, text);
}

int64_t status_update(struct daemon *daemon)
{
	int64_t now = monotonic_ns(), due = daemon->written_ns + (daemon->changed ? CHANGED_NS : UNCHANGED_NS);

	if (daemon->written_ns && now < due)
		return due - now;
	daemon->written_ns = now;
	daemon->changed = false;
	if (daemon->status_path[0])
		write_status(daemon, daemon->stopping ? "stopping" : "running");
	if (daemon->metrics_path)
		write_metrics(daemon);
	tell_manager(daemon);
	return UNCHANGED_NS;
}

/* As a JSON string. */
static void print_string(FILE *stream, const char *text)
{
	putc('"', stream);
	for (; *text; text++) {
		if ((unsigned char)*text < ' ')
			fprintf(stream, "\\u%04x", (unsigned int)*text);
		else
			fprintf(stream, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	}
	putc('"', stream);
}

/* Of a station that is not open. Where it can't be written is said once there is one. */
static void write_unopened(const struct daemon *daemon, const char *state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return;
	fprintf(stream, "{\"state\":\"%s\",\"pid\":%ld,\"problems\":[", state, (long)getpid());
	print_string(stream, daemon->why);
	fprintf(stream, "]}\n");
	if (fclose(stream) == 0 && daemon->status_path[0])
		(void)!replace_file(daemon->status_path, text);
	free(text);
}

/* Another daemon answers in the folder: it measures, and what lies there is its own. */
static bool is_theirs(const struct daemon *daemon)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	bool answers;
	int fd;

	if (daemon->door || daemon->options->control || strlen(daemon->control_path) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, daemon->control_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	answers = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		close(fd);
	return answers;
}

void status_wait(struct daemon *daemon, const char *why)
{
	bool news = strncmp(why, daemon->why, sizeof(daemon->why) - 1) != 0;
	char told[sizeof(daemon->why) + 32];

	snprintf(daemon->why, sizeof(daemon->why), "%s", why);
	daemon->told[0] = '\0';
	/* Those of the run before would say that all is as it was. */
	if (!is_theirs(daemon)) {
		if (daemon->metrics_path)
			unlink(daemon->metrics_path);
		write_unopened(daemon, "waiting");
	}
	if (!news)
		return;
	snprintf(told, sizeof(told), "STATUS=nothing is measured: %s", why);
	say(daemon, KRYOS_LOG_ERROR, "nothing is measured, and it is tried again at least every 30 s: %s", why);
	notify(daemon, told);
}

void status_stop(struct daemon *daemon)
{
	if (!daemon->station && is_theirs(daemon))
		return;
	/* A station that is not there has no numbers: an old file would say that all is as it was. */
	if (daemon->metrics_path)
		unlink(daemon->metrics_path);
	if (daemon->status_path[0] && daemon->written_ns)
		write_status(daemon, "stopped");
	else if (daemon->why[0] && !daemon->station)
		write_unopened(daemon, "stopped");
}
