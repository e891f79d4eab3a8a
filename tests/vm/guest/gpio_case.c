/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpio_case: lines of the kernel's gpio-sim, whose wires are driven and read through sysfs. The same source is built
 * with each version of libgpiod that there is. A real clock, a store in memory: it is the kernel's time that matters.
 */
#include "../../../drivers/bus/gpio.h"
#include "core/core.h"
#include "kernel.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIG "/sys/kernel/config/gpio-sim/kryos"
#define MS(n) KRYOS_MILLISECONDS(n)
#define DEBOUNCE_NS MS(100)
/* What the kernel may add to a stamp. Its debouncing ends with a timer's tick, and with what its worker waits for. */
#define LATE_NS MS(60)
/* Its debouncing counts ticks: an edge that is dated back may be a tick too early. */
#define EARLY_NS MS(5)
/* A machine that is starved for a moment does not toggle in time: then it is tried again. */
#define TRIES 10
#define WAIT_MS 20000

struct line {
	const char *name, *hog;
};
/* In the order of their offsets. */
static const struct line lines[] = {
	{ "door", NULL }, { "mains", NULL }, { "lamp", NULL }, { "taken", "led0" }, { "kryos test 4", NULL }
};
static char sim[200], chip[32]; /* the chip's folder in sysfs, "gpiochip0" */

static void make_folder(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		fail_msg("%s: %s", path, strerror(errno));
}

/* The chip comes to life, and is found in sysfs. */
static void go_live(void)
{
	char device[64] = "", node[100];

	kernel_write(CONFIG "/live", "1");
	assert_ok(kernel_read(device, sizeof(device), CONFIG "/dev_name"));
	assert_ok(kernel_read(chip, sizeof(chip), CONFIG "/bank0/chip_name"));
	snprintf(sim, sizeof(sim), "/sys/devices/platform/%s/%s", device, chip);
	snprintf(node, sizeof(node), "/dev/%s", chip);
	for (int i = 0; i < 200 && access(node, F_OK) < 0; i++)
		usleep(10000);
}

static int make_chip(void **state)
{
	char path[160];

	(void)state;
	if (access("/sys/kernel/config/gpio-sim", F_OK) < 0)
		assert_int_equal(mount("configfs", "/sys/kernel/config", "configfs", 0, NULL), 0);
	make_folder(CONFIG);
	make_folder(CONFIG "/bank0");
	kernel_write(CONFIG "/bank0/num_lines", "8");
	for (size_t i = 0; i < KRI_ARRAY_SIZE(lines); i++) {
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu", i);
		make_folder(path);
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu/name", i);
		kernel_write(path, "%s", lines[i].name);
		if (!lines[i].hog)
			continue;
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu/hog", i);
		make_folder(path);
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu/hog/name", i);
		kernel_write(path, "%s", lines[i].hog);
	}
	go_live();
	printf("# %s of %s, %s\n", chip, sim, kri_gpio_backend.debounces ? "the kernel debounces" : "we debounce");
	return 0;
}

static int remove_chip(void **state)
{
	static const char *const folders[] = { CONFIG "/bank0/line3/hog", CONFIG "/bank0/line4",
		                               CONFIG "/bank0/line3",     CONFIG "/bank0/line2",
		                               CONFIG "/bank0/line1",     CONFIG "/bank0/line0",
		                               CONFIG "/bank0",           CONFIG };

	(void)state;
	kernel_write(CONFIG "/live", "0");
	for (size_t i = 0; i < KRI_ARRAY_SIZE(folders); i++)
		assert_int_equal(rmdir(folders[i]), 0);
	return 0;
}

static void pull(unsigned int offset, int level)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/sim_gpio%u/pull", sim, offset);
	kernel_write(path, "%s", level ? "pull-up" : "pull-down");
}

static int level_of(unsigned int offset)
{
	char text[16] = "";

	assert_ok(kernel_read(text, sizeof(text), "%s/sim_gpio%u/value", sim, offset));
	return atoi(text);
}

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
	snprintf(place, sizeof(place), "mains@gpio:%s/1", chip);
	assert_ok(kryos_sensor_open(&mains, ctx, "mains", place));
	/* What the library asked for is a pull-up, which gpio-sim does to its wire. */
	for (int i = 0; i < 10; i++) {
		pull(0, i % 2);
		pull(1, i / 2 % 2);
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

static void start(void)
{
	pull(0, 0);
	station.folder = scratch_new();
	assert_ok(kryos_ctx_new(&station.ctx, NULL));
	assert_ok(kryos_store_open(&station.store, station.ctx, in(station.folder, "store"), NULL));
	assert_ok(kryos_sampler_new(&station.sampler, station.store, KRYOS_SAMPLER_CONFIG(.manual = 1)));
	/* The bias off: a pull of the chip's own would be the test's. */
	assert_ok(kryos_sampler_add_with(
		station.sampler, "lid", "door@gpio:door",
		KRYOS_SAMPLER_SENSOR_CONFIG(
				.sensor = KRYOS_SENSOR_CONFIG(.line = KRYOS_LINE_CONFIG(.debounce_ns = DEBOUNCE_NS,
	                                                                                .bias = KRYOS_BIAS_OFF)))));
	measure(&station);
	assert_int_equal(station.sample.quality, KRYOS_QUALITY_GOOD);
}

/* The door is closed, and nothing is on its way. */
static void rest(void)
{
	pull(0, 0);
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

/* Not before it was made, but for a tick; nor after it was told, less the time for which the kernel waited for it to
 * stand. */
static void check_time(int64_t t, int64_t before, int64_t after, int64_t told)
{
	int64_t latest = kri_gpio_backend.debounces ? told - DEBOUNCE_NS : after + LATE_NS;

	if (t < before - (kri_gpio_backend.debounces ? EARLY_NS : 0) || t > latest)
		fail_msg("made from %lld to %lld, told as of %lld at %lld", (long long)before, (long long)after,
		         (long long)t, (long long)told);
}

static void edges_come_with_the_time_they_were_made(void **state)
{
	int64_t before, after, told, worst = 0, late;
	size_t in_time = 0, judged = 0;

	(void)state;
	start();
	rest();
	for (size_t i = 0; i < 20; i++) {
		before = kri_real_ns();
		pull(0, i % 2 == 0);
		after = kri_real_ns();
		expect_changes(&station, i + 1);
		told = kri_real_ns();
		assert_int_equal(station.changes[i].state, i % 2 == 0);
		if (i)
			assert_int_equal(station.changes[i].lasted_ns,
			                 station.changes[i].t_boot_ns - station.changes[i - 1].t_boot_ns);
		process_for(station.ctx, 20);
		/* The machine stood still while the edge was made, and its ticks with it. */
		if (after - before > MS(10))
			continue;
		judged++;
		check_time(station.changes[i].t_boot_ns, before, after, told);
		late = station.changes[i].t_boot_ns - after;
		in_time += late <= LATE_NS;
		worst = late > worst ? late : worst;
	}
	assert_int_equal(station.count, 20);
	printf("# latest stamp %lld us after the edge, %zu of %zu within %d ms\n", (long long)(worst / 1000), in_time,
	       judged, (int)(LATE_NS / MS(1)));
	assert_true(judged >= 10 && in_time >= judged / 2);
}

/* The wire goes to level and back, so many times in all, each in much less than the debounce time. False: too slow. */
static bool toggle(int level, int times)
{
	int64_t last = kri_real_ns(), now;
	bool quick = true;

	for (int i = 0; i < times; i++) {
		pull(0, i % 2 ? !level : level);
		if (i < times - 1)
			usleep(12000);
		now = kri_real_ns();
		quick = quick && now - last < DEBOUNCE_NS / 2;
		last = now;
	}
	return quick;
}

static void bouncing_is_one_change_and_a_glitch_none(void **state)
{
	int64_t first, last;
	bool quick = false;

	(void)state;
	start();
	for (int i = 0; i < TRIES && !quick; i++) {
		rest();
		first = kri_real_ns();
		quick = toggle(1, 9);
		last = kri_real_ns();
		expect_changes(&station, 1);
	}
	assert_true(quick);
	assert_int_equal(station.count, 1);
	assert_int_equal(station.changes[0].state, 1);
	check_time(station.changes[0].t_boot_ns, first, last, kri_real_ns());
	quick = false;
	for (int i = 0; i < TRIES && !quick; i++) {
		rest();
		quick = toggle(1, 2);
		process_for(station.ctx, 500);
		take_events(&station);
	}
	assert_true(quick);
	assert_int_equal(station.count, 0);
}

/* Nobody fetches anything from the loop meanwhile; the kernel alone keeps 16. */
static void loop_that_stands_still_loses_no_change(void **state)
{
	(void)state;
	start();
	for (int tries = 0; tries < TRIES && station.count != 40; tries++) {
		rest();
		for (int i = 0; i < 40; i++) {
			pull(0, i % 2 == 0);
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
	kernel_write(CONFIG "/live", "0");
	measure(&station);
	assert_int_equal(station.sample.quality, KRYOS_QUALITY_ABSENT);
	assert_int_equal(station.lost, 1);
	measure(&station);
	assert_int_equal(station.sample.quality, KRYOS_QUALITY_ABSENT);
	go_live();
	measure(&station);
	assert_int_equal(station.sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(station.back, 1);
	rest();
	pull(0, 1);
	expect_changes(&station, 1);
	assert_int_equal(station.changes[0].state, 1);
}

/* --- Outputs --- */

static int wanted_level;

static bool has_level(void *data)
{
	(void)data;
	return level_of(2) == wanted_level;
}

static void expect_level(struct kryos_ctx *ctx, int level)
{
	wanted_level = level;
	if (!process_until(ctx, has_level, NULL, WAIT_MS))
		fail_msg("the line does not go to %d", level);
}

static void output_is_driven_as_told_and_off_when_closed(void **state)
{
	struct kryos_output *lamp = NULL;
	struct kryos_ctx *ctx = NULL;

	(void)state;
	for (uint32_t low = 0; low < 2; low++) {
		assert_ok(kryos_ctx_new(&ctx, NULL));
		assert_ok(
			kryos_output_open(&lamp, ctx, "lamp", "lamp@gpio:lamp", KRYOS_LINE_CONFIG(.active_low = low)));
		assert_int_equal(level_of(2), low);
		for (int i = 1; i <= 6; i++) {
			assert_ok(kryos_output_set(lamp, i % 2));
			expect_level(ctx, i % 2 != (int)low);
		}
		assert_ok(kryos_output_set(lamp, 1));
		expect_level(ctx, !low);
		kryos_ctx_free(ctx);
		/* gpio-sim gives a line back to its pull when nobody drives it: from here on it is the resistor's. */
		assert_int_equal(level_of(2), 0);
	}
}

static void output_whose_chip_goes_is_lost_and_comes_back(void **state)
{
	struct kryos_output_status status = { .size = sizeof(status) };
	struct kryos_output *lamp = NULL;
	struct kryos_ctx *ctx = NULL;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_output_open(&lamp, ctx, "lamp", "lamp@gpio:lamp", NULL));
	kernel_write(CONFIG "/live", "0");
	assert_ok(kryos_output_set(lamp, 1));
	process_for(ctx, 500);
	assert_ok(kryos_output_get_status(lamp, &status));
	assert_int_equal(status.error, -ENODEV);
	assert_int_equal(status.on, 0);
	go_live();
	expect_level(ctx, 1);
	kryos_ctx_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_is_measured_by_name_and_by_place),
		cmocka_unit_test(what_is_wrong_with_a_line_is_named),
		cmocka_unit_test(who_may_not_open_the_chip_is_told_its_group),
		cmocka_unit_test_teardown(edges_come_with_the_time_they_were_made, stop_station),
		cmocka_unit_test_teardown(bouncing_is_one_change_and_a_glitch_none, stop_station),
		cmocka_unit_test_teardown(loop_that_stands_still_loses_no_change, stop_station),
		cmocka_unit_test_teardown(chip_that_goes_in_use_is_absent_and_found_again, stop_station),
		cmocka_unit_test(output_is_driven_as_told_and_off_when_closed),
		cmocka_unit_test(output_whose_chip_goes_is_lost_and_comes_back),
	};

	return cmocka_run_group_tests(tests, make_chip, remove_chip);
}
