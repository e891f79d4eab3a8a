/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: the context's descriptor, signals, and three things that come when it is time: status.json,
 * the next row of a simulation, and the end.
 */
#include "daemon.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define FOREVER_NS INT64_MAX
#define TRY_FIRST_NS KRYOS_SECONDS(1)
#define TRY_LAST_NS KRYOS_SECONDS(30)
#define ONCE_NS KRYOS_SECONDS(30) /* a round takes at most 10 s, and a sync of a bad card some */

static void take_signal(struct daemon *daemon)
{
	struct signalfd_siginfo signal;

	if (read(daemon->signals, &signal, sizeof(signal)) != sizeof(signal))
		return;
	if (signal.ssi_signo == SIGHUP) {
		daemon->asked = true;
		return;
	}
	say(daemon, KRYOS_LOG_NOTICE, "stopping: %s", strsignal((int)signal.ssi_signo));
	daemon->stopping = true;
}

static void fail(struct daemon *daemon, const char *what, int r)
{
	say(daemon, KRYOS_LOG_ERROR, "%s%s", what, kryos_strerror(r));
	daemon->result = EXIT_FAILURE;
	daemon->stopping = true;
}

static void wait_for_news(struct daemon *daemon, int64_t wait_ns)
{
	int64_t wait_ms = wait_ns == FOREVER_NS ? -1 : (wait_ns + 999999) / 1000000;
	struct epoll_event ready[2];
	int count = epoll_wait(daemon->epoll, ready, 2, (int)(wait_ms > 3600000 ? 3600000 : wait_ms));

	for (int i = 0; i < count; i++) {
		if (ready[i].data.fd == daemon->signals)
			take_signal(daemon);
	}
}

/* Its event comes once it is durable. The seq is for whoever compares with the store. */
static void print_sample(struct daemon *daemon, const struct kryos_sample *sample)
{
	if (daemon->options->print)
		printf("%" PRId64 "  ", sample->seq);
	kryos_sample_print(daemon->ctx, sample, stdout);
	daemon->printed++;
}

/* Takes the news; what is kept as well as told elsewhere needs no line of ours. */
static void process(struct daemon *daemon)
{
	const struct kryos_event *event;
	uint64_t printed = daemon->printed;
	int r = kryos_ctx_process(daemon->ctx);

	if (r < 0)
		fail(daemon, "", r);
	while (kryos_ctx_next_event(daemon->ctx, &event) > 0) {
		daemon->changed = true;
		if ((daemon->options->once || daemon->options->print) && event->type == KRYOS_EVENT_SAMPLE)
			print_sample(daemon, &event->sample);
	}
	/* Whoever reads it may be gone: that is no reason to measure no more, and told by the exit status. */
	if (daemon->printed > printed)
		fflush(stdout);
}

static void wait_to_try(struct daemon *daemon, int64_t wait_ns)
{
	int64_t end_ns = monotonic_ns() + wait_ns, left_ns;

	while (!daemon->stopping && !daemon->asked && (left_ns = end_ns - monotonic_ns()) > 0) {
		wait_for_news(daemon, left_ns);
		process(daemon);
	}
	daemon->asked = false;
}

/*
 * A store that can't be opened now may be later: its card is mounted late or came back read-only, or another process
 * still writes there. Nobody need come for that. SIGHUP asks for a try at once.
 */
static int try_until_open(struct daemon *daemon, int (*try)(struct daemon *daemon), int r)
{
	int64_t wait_ns = TRY_FIRST_NS;

	while (r < 0 && !daemon->stopping) {
		status_wait(daemon, kryos_strerror(r));
		wait_to_try(daemon, wait_ns);
		wait_ns = 2 * wait_ns < TRY_LAST_NS ? 2 * wait_ns : TRY_LAST_NS;
		if (!daemon->stopping)
			r = try(daemon);
	}
	if (r >= 0) {
		say(daemon, KRYOS_LOG_NOTICE, "the station is open: what was in the way is gone");
		daemon->why[0] = '\0';
	}
	return r;
}

static int reload_station(struct daemon *daemon)
{
	int r = 0;

	if (daemon->simulation)
		r = simulation_add_devices(daemon->simulation, daemon->ctx, daemon->options->config);
	return r < 0 ? r : kryos_station_reload(daemon->station);
}

static void reload(struct daemon *daemon)
{
	char text[128];
	int r;

	daemon->asked = false;
	/* systemd's Type=notify-reload wants to know that this reload was begun after it asked. */
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(monotonic_ns() / 1000));
	notify(daemon, text);
	r = reload_station(daemon);
	/* Nor could what was open be opened again. */
	if (r < 0 && !kryos_station_get_store(daemon->station))
		r = try_until_open(daemon, reload_station, r);
	if (r == KRYOS_ECONFIG)
		say_mistakes(daemon, KRYOS_LOG_ERROR);
	if (r < 0 && !daemon->why[0])
		say(daemon, KRYOS_LOG_ERROR, "not reloaded%s%s; the file before it stays in force",
		    r == KRYOS_ECONFIG ? "" : ": ", r == KRYOS_ECONFIG ? "" : kryos_strerror(r));
	else if (r >= 0)
		say(daemon, KRYOS_LOG_NOTICE, "reloaded %s", daemon->options->config);
	daemon->changed = true;
	notify(daemon, "READY=1");
}

static int64_t simulate(struct daemon *daemon)
{
	int64_t wait_ns = FOREVER_NS;
	size_t first, done, rows;
	int r = simulation_step(daemon->simulation, daemon->station, daemon->options->once, &wait_ns);

	if (r < 0)
		fail(daemon, "", r);
	if (r > 0) {
		simulation_get_progress(daemon->simulation, &first, &done, &rows);
		if (done == rows)
			say(daemon, KRYOS_LOG_NOTICE, "the trace is over: %zu of its %zu rows were measured",
			    done - first, rows);
		daemon->stopping = true;
	}
	return wait_ns;
}

static void loop(struct daemon *daemon)
{
	while (!daemon->stopping) {
		int64_t wait_ns, next_ns;

		process(daemon);
		if (daemon->asked)
			reload(daemon);
		wait_ns = status_update(daemon);
		if (daemon->simulation && !daemon->stopping) {
			next_ns = simulate(daemon);
			wait_ns = next_ns < wait_ns ? next_ns : wait_ns;
		}
		if (!daemon->stopping)
			wait_for_news(daemon, wait_ns);
	}
	process(daemon);
}

/* One round, and until it is on the disk. */
static void measure_once(struct daemon *daemon)
{
	struct kryos_sampler *sampler = kryos_station_get_sampler(daemon->station);
	struct kryos_sampler_status status = { .size = sizeof(status) };
	int64_t end_ns = monotonic_ns() + ONCE_NS;
	int r = kryos_sampler_round(sampler);

	if (r < 0)
		fail(daemon, "", r);
	while (!daemon->stopping && kryos_sampler_busy(sampler) > 0 && monotonic_ns() < end_ns) {
		wait_for_news(daemon, end_ns - monotonic_ns());
		process(daemon);
	}
	process(daemon);
	r = kryos_sampler_get_status(sampler, &status);
	if (r < 0)
		fail(daemon, "", r);
	else if (status.refused || !daemon->printed) {
		say(daemon, KRYOS_LOG_ERROR, "nothing was stored");
		daemon->result = EXIT_FAILURE;
	}
}

/* Blocked before the first thread is made; the loop takes them from a descriptor. */
static int open_loop(struct daemon *daemon)
{
	struct epoll_event news = { .events = EPOLLIN }, signal_news = { .events = EPOLLIN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	daemon->epoll = epoll_create1(EPOLL_CLOEXEC);
	daemon->signals = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	news.data.fd = kryos_ctx_get_fd(daemon->ctx);
	signal_news.data.fd = daemon->signals;
	/* A peer that hangs up is an error of its write, not the end of a device. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || daemon->epoll < 0 || daemon->signals < 0 ||
	    epoll_ctl(daemon->epoll, EPOLL_CTL_ADD, news.data.fd, &news) < 0 ||
	    epoll_ctl(daemon->epoll, EPOLL_CTL_ADD, daemon->signals, &signal_news) < 0) {
		say(daemon, KRYOS_LOG_ERROR, "no loop: %s", strerror(errno));
		return -1;
	}
	return 0;
}

static int open_station(struct daemon *daemon)
{
	const struct options *options = daemon->options;
	size_t first = 0, done = 0, rows = 0;
	int r = 0;

	if (daemon->simulation)
		r = simulation_add_devices(daemon->simulation, daemon->ctx, options->config);
	if (r >= 0 && daemon->simulation)
		simulation_begin(daemon->simulation, daemon->ctx, options->config);
	/* A trace is no reason to reset a board, nor is one measurement by hand. */
	if (r >= 0)
		r = kryos_station_open(&daemon->station, daemon->ctx, options->config,
		                       KRYOS_STATION_CONFIG(.manual = daemon->simulation || options->once,
		                                            .no_watchdog = daemon->simulation || options->once));
	if (r >= 0 && daemon->simulation)
		r = simulation_resume(daemon->simulation, daemon->station);
	if (r >= 0 && daemon->simulation)
		simulation_get_progress(daemon->simulation, &first, &done, &rows);
	if (first > 0)
		say(daemon, KRYOS_LOG_NOTICE,
		    "%zu of the trace's %zu rows are skipped: the store's newest sample is no older", first, rows);
	return r;
}

/* What is wrong in the file is told at the start; who asked for one round or for a trace waits for the answer. */
static void come_up(struct daemon *daemon)
{
	int r = open_station(daemon);

	/* Who is asked to stop while he waits has not failed. */
	if (r < 0 && r != KRYOS_ECONFIG && !daemon->simulation && !daemon->options->once) {
		daemon->result = EXIT_SUCCESS;
		r = try_until_open(daemon, open_station, r);
	}
	if (r >= 0) {
		daemon->result = EXIT_SUCCESS;
	} else if (!daemon->stopping) {
		say(daemon, KRYOS_LOG_ERROR, "%s", kryos_strerror(r));
		daemon->result = EXIT_FAILURE;
	}
}

static void open_door(struct daemon *daemon)
{
	int r;

	if (!daemon->control_path[0])
		return;
	r = kryos_door_open(&daemon->door, daemon->station, daemon->control_path);
	if (r < 0)
		say(daemon, KRYOS_LOG_WARNING, "no local socket: %s", kryos_strerror(r));
	/* The folder is another daemon's, and so is the state in it: a simulated day must not pass for its station's.
	 */
	if (r == -EADDRINUSE && !daemon->options->control && !daemon->options->status) {
		say(daemon, KRYOS_LOG_WARNING, "%s is theirs too; going on without it", daemon->status_path);
		daemon->status_path[0] = '\0';
	}
}

/*
 * A manager that asks for pets and gets none kills us, also where the station pets the hardware, or nothing: then it
 * is to ask no more. A watchdog that pets the manager asks it for that itself.
 */
static void answer_watchdog(const struct daemon *daemon)
{
	struct kryos_watchdog_status status = { .size = sizeof(status) };
	struct kryos_watchdog *watchdog = kryos_station_get_watchdog(daemon->station);

	if (!getenv("WATCHDOG_USEC"))
		return;
	if (!watchdog || kryos_watchdog_get_status(watchdog, &status) < 0 || strcmp(status.device, "systemd") != 0)
		notify(daemon, "WATCHDOG_USEC=0");
}

static void run_station(struct daemon *daemon)
{
	if (daemon->options->once && !daemon->simulation) {
		if (drop_privileges(daemon) < 0)
			daemon->result = EXIT_FAILURE;
		else
			measure_once(daemon);
		return;
	}
	open_door(daemon);
	if (drop_privileges(daemon) < 0) {
		daemon->result = EXIT_FAILURE;
		return;
	}
	answer_watchdog(daemon);
	notify(daemon, "READY=1");
	loop(daemon);
	notify(daemon, "STOPPING=1");
	status_stop(daemon);
}

static int check(struct daemon *daemon)
{
	if (kryos_station_check(daemon->options->config, NULL) >= 0)
		return 0;
	say_mistakes(daemon, KRYOS_LOG_ERROR);
	daemon->result = EXIT_CONFIG;
	return -1;
}

int daemon_run(const struct options *options, kryos_log_fn log)
{
	struct daemon daemon = { .options = options, .log = log, .epoll = -1, .signals = -1 };
	struct kryos_ctx_config config = { .size = sizeof(config), .log = log };
	int r;

	if (check(&daemon) < 0)
		return daemon.result;
	daemon.result = EXIT_FAILURE;
	if (check_user(&daemon) < 0)
		return daemon.result;
	if (options->trace && simulation_new(&daemon.simulation, options->trace, options->speed) < 0)
		return daemon.result;
	if (daemon.simulation)
		simulation_get_clock(daemon.simulation, &config);
	r = kryos_ctx_new(&daemon.ctx, &config);
	if (r < 0) {
		say(&daemon, KRYOS_LOG_ERROR, "%s", kryos_strerror(r));
	} else if (open_loop(&daemon) == 0) {
		if (!options->once || daemon.simulation)
			status_open(&daemon);
		come_up(&daemon);
		if (daemon.station)
			run_station(&daemon);
		else
			status_stop(&daemon);
	}
	/* Door, station and all it opened, in at most 5 s. */
	kryos_ctx_free(daemon.ctx);
	simulation_free(daemon.simulation);
	if (daemon.signals >= 0)
		close(daemon.signals);
	if (daemon.epoll >= 0)
		close(daemon.epoll);
	if (fflush(stdout) || ferror(stdout))
		daemon.result = EXIT_FAILURE;
	return daemon.result;
}
