/* SPDX-License-Identifier: Apache-2.0 */
/* cryo_daemon: a station from one file, kept running. One thread; all of it on the public API. */
#ifndef DAEMON_H
#define DAEMON_H

#include <kryos/command.h>
#include <kryos/kryos.h>
#include <stdbool.h>
#include <sys/types.h>

/* sysexits.h: EX_CONFIG is what systemd's RestartPreventExitStatus= is usually given. */
enum { EXIT_USAGE = 2, EXIT_CONFIG = 78 };

struct options {
	const char *config;  /* the station file */
	const char *trace;   /* --simulate; NULL: measure */
	const char *user;    /* NULL: stay who we are */
	const char *status;  /* NULL: status.json in the runtime folder */
	const char *control; /* NULL: control in the runtime folder */
	const char *metrics; /* NULL: none are written */
	double speed;        /* times real time; 0: as fast as the disk takes it */
	bool check, once, print, syslog;
};

/* options.c. -1: go on; else exit with this. */
int options_parse(struct options *options, int argc, char **argv);

struct simulation;

struct daemon {
	const struct options *options;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
	struct kryos_door *door;
	struct simulation *simulation; /* NULL: measures */
	kryos_log_fn log;
	int epoll, signals;
	char status_path[4096], control_path[4096]; /* "": none */
	const char *metrics_path;                   /* NULL: none */
	int64_t written_ns;                         /* status.json, CLOCK_MONOTONIC; 0: never */
	bool changed;                               /* since then */
	char told[256];                             /* the service manager's STATUS= */
	char why[1024];                             /* the station is not open; "": it is */
	bool stopping;
	bool asked;       /* by SIGHUP, for what has not been done yet */
	uint64_t printed; /* samples, by --once or --print */
	int result;       /* exit status */
};

int daemon_run(const struct options *options, kryos_log_fn log);

/* report.c */
void say(const struct daemon *daemon, enum kryos_log_level level, const char *format, ...) KRYOS_PRINTF(3, 4);
/* Each mistake of the station file, one a line. */
void say_mistakes(const struct daemon *daemon, enum kryos_log_level level);
int64_t monotonic_ns(void);

/* status.c */
void status_open(struct daemon *daemon);
/* There is no station yet, and why: in status.json, to the service manager and, if it is news, in the log. */
void status_wait(struct daemon *daemon, const char *why);
/* Writes status.json if it is time; returns ns until it is time again. */
int64_t status_update(struct daemon *daemon);
/* The last one, which says that nobody runs any more. Before the station is closed. */
void status_stop(struct daemon *daemon);

/* notify.c: tells the service manager; nothing happens where there is none. */
void notify(const struct daemon *daemon, const char *state);

/* privileges.c: 0, or -1 after saying why. */
int check_user(const struct daemon *daemon);
int drop_privileges(const struct daemon *daemon);
/* Makes a folder, and gives it to --user's if it is new. 0 or -errno. */
int make_folder(const struct daemon *daemon, const char *path);

/* simulate.c: instead of real sensors and time, a trace. */

/* Reads the whole trace. Each failure is one sentence on stderr; -1. */
int simulation_new(struct simulation **ret_simulation, const char *trace, double speed);
void simulation_free(struct simulation *simulation);
/* The trace's clock; for struct kryos_ctx_config. */
void simulation_get_clock(struct simulation *simulation, struct kryos_ctx_config *config);
/* Puts a chip on a fake bus for each device of the file that has none yet. < 0 as the library's calls. */
int simulation_add_devices(struct simulation *simulation, struct kryos_ctx *ctx, const char *config_path);
/* Before the station is opened: the time of the newest sample of the store that it will open. */
void simulation_begin(struct simulation *simulation, struct kryos_ctx *ctx, const char *config_path);
/* Goes to where the store ends. */
int simulation_resume(struct simulation *simulation, struct kryos_station *station);
/*
 * The next step, if it is due. 1: all is measured and delivered; 0, with how long to wait; < 0. Stops after one row
 * when once is set.
 */
int simulation_step(struct simulation *simulation, struct kryos_station *station, bool once, int64_t *ret_wait_ns);
/* Which row this run began with, which is next, and how many the trace has. */
void simulation_get_progress(const struct simulation *simulation, size_t *ret_first, size_t *ret_done,
                             size_t *ret_rows);

#endif
