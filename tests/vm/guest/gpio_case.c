/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpio_case: doors and mains on the kernel's gpio-sim. The same source is built with each version of libgpiod that
 * there is. A real clock, a store in memory: it is the kernel's time that matters.
 */
#include "../../../drivers/bus/gpio.h"
#include "core/core.h"
#include "gpio_sim.h"
#include "support.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS(n) KRYOS_MILLISECONDS(n)
#define DEBOUNCE_NS MS(100)
/* What the kernel may add to a stamp. Its debouncing ends with a timer's tick, and with what its worker waits for. */
#define LATE_NS MS(60)
/* Its debouncing counts ticks: an edge that is dated back may be a tick too early. */
#define EARLY_NS MS(5)
/* A machine that is starved for a moment does not toggle in time: then it is tried again. */
#define TRIES 10
#define WAIT_MS 20000

/* --- A line that is only measured --- */

static void line_is_measured_by_name_and_by_place(void **state)
{
	struct kryos_sensor *door, *mains;
	struct kryos_ctx *ctx = NULL;
	struct kryos_sample sample;
	char place[64];

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_sensor_open(&door, ctx, "door", "door@gpio:door"));
	snprintf(place, sizeof(place), "mains@gpio:%s/1", gpio_sim_chip());
	assert_ok(kryos_sensor_open(&mains, ctx, "mains", place));
	/* What the library asked for is a pull-up, which gpio-sim does to its wire. */
	for (int i = 0; i < 10; i++) {
		gpio_sim_pull(DOOR, i % 2);
		gpio_sim_pull(MAINS, i / 2 % 2);
		usleep(400000); /* where the kernel debounces, what is read is debounced too */
		assert_int_equal(kryos_sensor_read(door, &sample, 1), 1);
		assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
		assert_int_equal(sample.value_micro, i % 2 * 1000000);
		assert_int_equal(kryos_sensor_read(mains, &sample, 1), 1);
		assert_int_equal(sample.value_micro, i / 2 % 2 * 1000000);
	}
	kryos_ctx_free(ctx);
}

static void what_is_wrong_with_a_line_is_named(void **state)
{
	struct kryos_sensor *door, *again = NULL;
	struct kryos_ctx *ctx = NULL, *other = NULL;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_fails(-EBUSY, kryos_sensor_open(&door, ctx, "door", "door@gpio:taken"));
	assert_says(-EBUSY, "/3) is held by \"led0\"");
	assert_fails(-ENODEV, kryos_sensor_open(&door, ctx, "door", "door@gpio:GPIO17"));
	assert_says(-ENODEV, "there is no line GPIO17; there is ");
	assert_says(-ENODEV, "mains, lamp, taken, kryos test 4");
	/* Another of us, in another context. */
	assert_ok(kryos_sensor_open(&door, ctx, "door", "door@gpio:door"));
	assert_ok(kryos_ctx_new(&other, NULL));
	assert_fails(-EBUSY, kryos_sensor_open(&again, other, "door", "door@gpio:door"));
	assert_says(-EBUSY, "held by \"kryos\"");
	/* And free for the other at once when it is closed here. */
	kryos_sensor_close(door);
	assert_ok(kryos_sensor_open(&again, other, "door", "door@gpio:door"));
	kryos_ctx_free(ctx);
	kryos_ctx_free(other);
}

static void who_may_not_open_the_chip_is_told_its_group(void **state)
{
	struct kryos_sensor *door;
	struct kryos_ctx *ctx = NULL;
	int status = 0;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0 || kryos_ctx_new(&ctx, NULL) < 0)
			_exit(1);
		if (kryos_sensor_open(&door, ctx, "door", "door@gpio:door") != -EACCES)
			_exit(2);
		_exit(strstr(kryos_strerror(-EACCES), "not allowed; its group is") ? 0 : 3);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --- Edges --- */

struct change {
	int state;
	int64_t t_boot_ns, lasted_ns;
	char text[256];
};

struct station {
	char *folder;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_sampler *sampler;
	struct change changes[200];
	size_t count, wanted;
	struct kryos_sample sample;
	unsigned int lost, back;
};

static void take_events(struct station *station)
{
	const struct kryos_event *event = NULL;

	while (kryos_ctx_next_event(station->ctx, &event) > 0) {
		station->lost += event->type == KRYOS_EVENT_SENSOR_LOST;
		station->back += event->type == KRYOS_EVENT_SENSOR_BACK;
		if (event->type == KRYOS_EVENT_SAMPLE)
			station->sample = event->sample;
		if (event->type != KRYOS_EVENT_STATE)
			continue;
		assert_true(station->count < KRI_ARRAY_SIZE(station->changes));
		station->changes[station->count] =
			(struct change){ event->code, event->sample.t_boot_ns, event->value_ns, "" };
		snprintf(station->changes[station->count++].text, 256, "%s", event->text);
	}
}

static bool has_changes(void *data)
{
	struct station *station = data;

	take_events(station);
	return station->count >= station->wanted;
}

static void expect_changes(struct station *station, size_t count)
{
	station->wanted = count;
	if (!process_until(station->ctx, has_changes, station, WAIT_MS))
		fail_msg("%zu changes were told, not %zu", station->count, count);
}

static bool is_idle(void *data)
{
	struct station *station = data;

	take_events(station);
	return kryos_sampler_busy(station->sampler) == 0;
}

static void measure(struct station *station)
{
	assert_ok(kryos_sampler_round(station->sampler));
	assert_true(process_until(station->ctx, is_idle, station, WAIT_MS));
	take_events(station);
}

static struct station station;

static void start_with(const char *name, const char *device, const struct kryos_line_config *line)
{
	station.folder = scratch_new();
	assert_ok(kryos_ctx_new(&station.ctx, NULL));
	assert_ok(kryos_store_open(&station.store, station.ctx, in(station.folder, "store"), NULL));
	assert_ok(kryos_sampler_new(&station.sampler, station.store, KRYOS_SAMPLER_CONFIG(.manual = 1)));
	assert_ok(kryos_sampler_add_with(station.sampler, name, device,
	                                 KRYOS_SAMPLER_SENSOR_CONFIG(.sensor = KRYOS_SENSOR_CONFIG(.line = line))));
	measure(&station);
	assert_int_equal(station.sample.quality, KRYOS_QUALITY_GOOD);
}

/* The bias off: a pull of the chip's own would be the test's. */
static void start(void)
{
	gpio_sim_pull(DOOR, 0);
	start_with("lid", "door@gpio:door", KRYOS_LINE_CONFIG(.debounce_ns = DEBOUNCE_NS, .bias = KRYOS_BIAS_OFF));
}

/* The door is closed, and nothing is on its way. */
static void rest(void)
{
	gpio_sim_pull(DOOR, 0);
	process_for(station.ctx, 500);
	measure(&station);
	assert_int_equal(station.sample.value_micro, 0);
	station.count = 0;
}

/* Whatever became of the test. */
static int stop_station(void **state)
{
	(void)state;
	kryos_ctx_free(station.ctx);
	if (station.folder)
		scratch_free(station.folder);
	memset(&station, 0, sizeof(station));
	return 0;
}

/* Whether this machine, which may be starved, gives a process its turn in time, for so long. */
static bool runs_steadily(int ms)
{
	int64_t last = kri_real_ns(), now;
	bool steady = true;

	for (int i = 0; i < ms / 10; i++) {
		usleep(10000);
		now = kri_real_ns();
		steady = steady && now - last < MS(30);
		last = now;
	}
	return steady;
}

/* When an edge was made, and whether the machine ran steadily then. */
struct made {
	int64_t before, after;
	bool steady;
};

/* By a child, while this process is stopped with all its threads: who reads an edge then does so long after it was
 * made. */
static struct made pull_while_stopped(unsigned int line, int level)
{
	struct made *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *word = level ? "pull-up" : "pull-down";
	int fd = gpio_sim_open_pull(line), status = 0;
	pid_t parent = getpid(), child;
	struct made made;

	assert_true(shared != MAP_FAILED);
	child = fork();
	if (child == 0) {
		bool written;

		kill(parent, SIGSTOP);
		usleep(200000);
		shared->before = kri_real_ns();
		written = write(fd, word, strlen(word)) == (ssize_t)strlen(word);
		shared->after = kri_real_ns();
		shared->steady = runs_steadily(700) && shared->after - shared->before < MS(10);
		kill(parent, SIGCONT);
		_exit(written ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	made = *shared;
	munmap(shared, sizeof(*shared));
	close(fd);
	return made;
}

/* Not before the edge was made, but for ticks; nor after it, but for what the kernel adds. */
static void check_time(int64_t t, int64_t before, int64_t after)
{
	if (t < before - (kri_gpio_backend.debounces ? EARLY_NS : 0) || t > after + LATE_NS)
		fail_msg("made from %lld to %lld, told as of %lld", (long long)before, (long long)after, (long long)t);
}

static void edges_come_with_the_time_they_were_made(void **state)
{
	int64_t worst = 0, late;
	size_t judged = 0;
	struct made made;

	(void)state;
	start();
	rest();
	for (size_t i = 0; i < 30 && judged < 8; i++) {
		made = pull_while_stopped(DOOR, i % 2 == 0);
		expect_changes(&station, i + 1);
		assert_int_equal(station.count, i + 1);
		assert_int_equal(station.changes[i].state, i % 2 == 0);
		if (i)
			assert_int_equal(station.changes[i].lasted_ns,
			                 station.changes[i].t_boot_ns - station.changes[i - 1].t_boot_ns);
		process_for(station.ctx, 20);
		if (!made.steady)
			continue;
		judged++;
		check_time(station.changes[i].t_boot_ns, made.before, made.after);
		late = station.changes[i].t_boot_ns - made.after;
		worst = late > worst ? late : worst;
	}
	printf("# %zu edges, read 0.7 s after they were made; the latest stamp is %lld us after its edge\n", judged,
	       (long long)(worst / 1000));
	assert_int_equal(judged, 8);
}

/* The wire goes to level and back, so many times in all, each in much less than the debounce time, and then stands.
 * False: too slow. When the first and the second one were made, and the last. */
static bool toggle(int level, int times, int64_t first[2], struct made *ret_last)
{
	int64_t last = kri_real_ns();
	bool quick = true;

	for (int i = 0; i < times; i++) {
		ret_last->before = kri_real_ns();
		if (i < 2)
			first[i] = ret_last->before;
		gpio_sim_pull(DOOR, i % 2 ? !level : level);
		ret_last->after = kri_real_ns();
		quick = quick && ret_last->after - last < DEBOUNCE_NS / 2;
		last = ret_last->after;
		if (i < times - 1)
			usleep(12000);
	}
	return runs_steadily(DEBOUNCE_NS / MS(1) + 50) && quick;
}

static void bouncing_is_one_change_and_a_glitch_none(void **state)
{
	struct made last;
	int64_t first[2];
	bool quick = false;

	(void)state;
	start();
	for (int i = 0; i < TRIES && !quick; i++) {
		rest();
		quick = toggle(1, 9, first, &last);
		expect_changes(&station, 1);
		process_for(station.ctx, 300);
		take_events(&station);
	}
	assert_true(quick);
	assert_int_equal(station.count, 1);
	assert_int_equal(station.changes[0].state, 1);
	/* The kernel's debouncing tells the last bounce, ours the first. */
	if (kri_gpio_backend.debounces)
		check_time(station.changes[0].t_boot_ns, last.before, last.after);
	else
		assert_in_range(station.changes[0].t_boot_ns, first[0], first[1]);
	quick = false;
	for (int i = 0; i < TRIES && !quick; i++) {
		rest();
		quick = toggle(1, 2, first, &last);
		process_for(station.ctx, 500);
		take_events(&station);
	}
	assert_true(quick);
	assert_int_equal(station.count, 0);
}

/* An optocoupler pulls its line down while mains is there; without it the chip's own pull-up, which we ask for, holds.
 */
static void mains_come_and_go_on_a_line_that_is_low_while_they_are_there(void **state)
{
	struct made made;

	(void)state;
	gpio_sim_pull(MAINS, 0);
	start_with("grid", "mains@gpio:mains",
	           KRYOS_LINE_CONFIG(.debounce_ns = DEBOUNCE_NS, .bias = KRYOS_BIAS_PULL_UP, .active_low = 1));
	assert_int_equal(gpio_sim_level(MAINS), 1);
	process_for(station.ctx, 500);
	take_events(&station);
	station.count = 0;
	for (size_t i = 0; i < 6; i++) {
		made = pull_while_stopped(MAINS, i % 2);
		expect_changes(&station, i + 1);
		assert_int_equal(station.changes[i].state, i % 2 == 0);
		if (made.steady)
			check_time(station.changes[i].t_boot_ns, made.before, made.after);
		process_for(station.ctx, 300);
		measure(&station);
		assert_int_equal(station.sample.value_micro, i % 2 == 0 ? 1000000 : 0);
	}
	assert_int_equal(station.count, 6);
}

/* Nobody fetches anything from the loop meanwhile; the kernel alone keeps 16. */
static void loop_that_stands_still_loses_no_change(void **state)
{
	(void)state;
	start();
	for (int tries = 0; tries < TRIES && station.count != 40; tries++) {
		rest();
		for (int i = 0; i < 40; i++) {
			gpio_sim_pull(DOOR, i % 2 == 0);
			usleep(200000);
		}
		process_for(station.ctx, 500);
		take_events(&station);
	}
	assert_int_equal(station.count, 40);
	for (size_t i = 0; i < 40; i++) {
		assert_int_equal(station.changes[i].state, i % 2 == 0);
		assert_null(strstr(station.changes[i].text, "lost"));
	}
}

static void chip_that_goes_in_use_is_absent_and_found_again(void **state)
{
	(void)state;
	start();
	gpio_sim_go();
	measure(&station);
	assert_int_equal(station.sample.quality, KRYOS_QUALITY_ABSENT);
	assert_int_equal(station.lost, 1);
	measure(&station);
	assert_int_equal(station.sample.quality, KRYOS_QUALITY_ABSENT);
	gpio_sim_come();
	measure(&station);
	assert_int_equal(station.sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(station.back, 1);
	rest();
	gpio_sim_pull(DOOR, 1);
	expect_changes(&station, 1);
	assert_int_equal(station.changes[0].state, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_is_measured_by_name_and_by_place),
		cmocka_unit_test(what_is_wrong_with_a_line_is_named),
		cmocka_unit_test(who_may_not_open_the_chip_is_told_its_group),
		cmocka_unit_test_teardown(edges_come_with_the_time_they_were_made, stop_station),
		cmocka_unit_test_teardown(bouncing_is_one_change_and_a_glitch_none, stop_station),
		cmocka_unit_test_teardown(mains_come_and_go_on_a_line_that_is_low_while_they_are_there, stop_station),
		cmocka_unit_test_teardown(loop_that_stands_still_loses_no_change, stop_station),
		cmocka_unit_test_teardown(chip_that_goes_in_use_is_absent_and_found_again, stop_station),
	};

	printf("# %s\n", kri_gpio_backend.debounces ? "the kernel debounces" : "we debounce");
	return cmocka_run_group_tests(tests, gpio_sim_make, gpio_sim_remove);
}
