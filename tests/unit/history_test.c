/* SPDX-License-Identifier: Apache-2.0 */
/* Windows and days, by hand and against docs/alarms.md written down plainly. */
#include "alarm/history.h"
#include "digest/digest.h"
#include "support.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE KRYOS_MINUTES(1)
#define HOUR KRYOS_HOURS(1)
#define DAY KRYOS_DAYS(1)
#define LIMIT (20 * MINUTE)
#define LOW 2000000
#define HIGH 8000000
#define MIDNIGHT KRYOS_DAYS(19114) /* 2022-05-02 */

static struct kryos_history *make(void)
{
	struct kryos_history *history;

	assert_ok(kryos_history_new(&history, KRYOS_EXPOSURE_CONFIG(.has = KRYOS_EXPOSURE_LOW | KRYOS_EXPOSURE_HIGH,
	                                                            .gap_limit_ns = LIMIT, .low_micro = LOW,
	                                                            .high_micro = HIGH, .vvm = 1 << KRYOS_VVM14)));
	return history;
}

/* So long after midnight; the device was started at noon of the day before. */
static void take_at(struct kryos_history *history, int64_t after_ns, double celsius, int32_t offset_s)
{
	struct kryos_sample sample = { .t_boot_ns = DAY / 2 + after_ns,
		                       .t_wall_ns = MIDNIGHT + after_ns,
		                       .trust = KRYOS_TRUST_SYNCED };

	assert_ok(kryos_micro_from_double(celsius, &sample.value_micro));
	assert_ok(kryos_history_take(history, &sample, offset_s));
}

static struct kryos_exposure_result window_of(const struct kryos_history *history, enum kryos_window window)
{
	struct kryos_exposure_result result = { .size = sizeof(result) };

	assert_ok(kryos_history_get(history, window, &result));
	return result;
}

static struct kryos_history_day day_of(const struct kryos_history *history, unsigned int index)
{
	struct kryos_history_day day = { .size = sizeof(day) };

	assert_ok(kryos_history_get_day(history, index, &day));
	return day;
}

static unsigned int count_days(const struct kryos_history *history)
{
	struct kryos_history_day day = { .size = sizeof(day) };
	unsigned int count = 0;

	while (kryos_history_get_day(history, count, &day) >= 0)
		count++;
	assert_fails(-ENOENT, kryos_history_get_day(history, count, &day));
	return count;
}

static void a_day_has_what_was_measured_from_midnight_to_midnight(void **state)
{
	struct kryos_history *history = make();
	struct kryos_history_day day;

	(void)state;
	for (int64_t i = -30; i <= 1450; i += 10) /* from 23:30 to 00:10 of the day after */
		take_at(history, i * MINUTE, i == 600 ? 9 : i == 720 ? 1 : 5, 0);
	take_at(history, 1440 * MINUTE + 2 * HOUR, 4, 0); /* a gap */
	assert_int_equal(count_days(history), 3);
	day = day_of(history, 1);
	assert_int_equal(day.number, 19114);
	assert_int_equal(day.samples, 144);
	assert_int_equal(day.min_micro, 1000000);
	assert_int_equal(day.max_micro, 9000000);
	assert_int_equal(day.mean_micro, 5000000); /* both peaks are as wide */
	assert_int_equal(day.time_ns, DAY);
	assert_int_equal(day.above_ns, 10 * MINUTE);
	assert_int_equal(day.below_ns, 10 * MINUTE);
	assert_int_equal(day.unmeasured_ns, 0);
	day = day_of(history, 0);
	assert_int_equal(day.samples, 3);
	assert_int_equal(day.time_ns, 10 * MINUTE);
	assert_int_equal(day.unmeasured_ns, 90 * MINUTE); /* 00:10 holds until 00:30 */
	assert_int_equal(day.min_micro, 4000000);
	day = day_of(history, 2);
	assert_int_equal(day.number, 19113);
	assert_int_equal(day.time_ns, 30 * MINUTE);
	assert_int_equal(day.unmeasured_ns, 0);
	kryos_history_free(history);
}

static void a_step_over_midnight_is_divided_there(void **state)
{
	struct kryos_history *history = make();

	(void)state;
	take_at(history, -5 * MINUTE, 4, 0);
	take_at(history, 15 * MINUTE, 8, 0);
	assert_int_equal(day_of(history, 1).time_ns, 5 * MINUTE);
	assert_int_equal(day_of(history, 1).mean_micro, 4500000); /* from 4 to 5 */
	assert_int_equal(day_of(history, 0).time_ns, 15 * MINUTE);
	assert_int_equal(day_of(history, 0).mean_micro, 6500000);
	assert_int_equal(day_of(history, 0).max_micro, 8000000);
	kryos_history_free(history);
}

/* Central Europe: on the last Sunday in March 02:00 is 03:00, on that of October 03:00 is 02:00. */
static void the_days_of_a_clock_change_have_23_and_25_hours(void **state)
{
	(void)state;
	for (int to_summer = 0; to_summer < 2; to_summer++) {
		struct kryos_history *history = make();
		int64_t change = to_summer ? 2 * HOUR : 3 * HOUR; /* after local midnight */

		for (int64_t i = -60; i <= 27 * 60; i += 5) {
			bool before = i * MINUTE < change;
			int32_t offset = before == (to_summer == 1) ? 3600 : 7200;
			int32_t at_midnight = to_summer ? 3600 : 7200;

			take_at(history, i * MINUTE - KRYOS_SECONDS(at_midnight), 5, offset);
		}
		assert_int_equal(count_days(history), 3);
		assert_int_equal(day_of(history, 1).time_ns, to_summer ? 23 * HOUR : 25 * HOUR);
		assert_int_equal(day_of(history, 1).unmeasured_ns, 0);
		kryos_history_free(history);
	}
}

static void thirty_days_and_today_are_kept(void **state)
{
	struct kryos_history *history = make();

	(void)state;
	for (int64_t i = 0; i <= 40 * 144; i++)
		take_at(history, i * 10 * MINUTE + HOUR, (double)(i / 144), 0);
	assert_int_equal(count_days(history), 31);
	assert_int_equal(day_of(history, 0).number, 19114 + 40);
	assert_int_equal(day_of(history, 30).number, 19114 + 10);
	assert_int_equal(day_of(history, 30).time_ns, DAY);
	assert_int_equal(day_of(history, 30).max_micro, 10000000);
	kryos_history_free(history);
}

static void days_without_a_station_are_days_without_a_measurement(void **state)
{
	struct kryos_history *history = make();
	struct kryos_sample sample = { .value_micro = 5000000,
		                       .t_boot_ns = HOUR,
		                       .t_wall_ns = MIDNIGHT + 22 * HOUR,
		                       .boot = 1,
		                       .trust = KRYOS_TRUST_RTC };

	(void)state;
	assert_ok(kryos_history_take(history, &sample, 0));
	sample.boot = 2;
	sample.t_wall_ns += 3 * DAY + 4 * HOUR;
	assert_ok(kryos_history_take(history, &sample, 0));
	assert_int_equal(count_days(history), 5);
	assert_int_equal(day_of(history, 0).unmeasured_ns, 2 * HOUR);
	assert_int_equal(day_of(history, 1).unmeasured_ns, DAY);
	assert_int_equal(day_of(history, 1).samples, 0);
	assert_int_equal(day_of(history, 3).unmeasured_ns, DAY);
	assert_int_equal(day_of(history, 4).unmeasured_ns, 2 * HOUR - LIMIT);
	kryos_history_free(history);
}

static void time_without_a_date_belongs_to_no_day_and_to_each_window(void **state)
{
	struct kryos_history *history = make();
	struct kryos_sample sample = { .value_micro = 9000000, .t_boot_ns = HOUR, .trust = KRYOS_TRUST_FLOOR };
	int64_t undated;

	(void)state;
	assert_ok(kryos_history_take(history, &sample, 0));
	sample.t_boot_ns += 10 * MINUTE;
	assert_ok(kryos_history_take(history, &sample, 0));
	assert_int_equal(count_days(history), 0);
	sample.t_boot_ns += 10 * MINUTE;
	sample.t_wall_ns = MIDNIGHT + HOUR;
	sample.trust = KRYOS_TRUST_SYNCED;
	assert_ok(kryos_history_take(history, &sample, 0));
	assert_int_equal(count_days(history), 1);
	assert_int_equal(day_of(history, 0).time_ns, 10 * MINUTE);
	assert_ok(kryos_history_get_undated(history, &undated));
	assert_int_equal(undated, 10 * MINUTE);
	for (int window = KRYOS_WINDOW_ALL; window <= KRYOS_WINDOW_30D; window++)
		assert_int_equal(window_of(history, (enum kryos_window)window).above_ns, 20 * MINUTE);
	kryos_history_free(history);
}

static void a_window_forgets_the_hour_that_is_older(void **state)
{
	struct kryos_history *history = make();
	struct kryos_sample sample = { .quality = KRYOS_QUALITY_ABSENT };

	(void)state;
	for (int64_t i = 0; i <= 24 * 60 + 50; i += 10)
		take_at(history, i * MINUTE, i == 50 ? 20 : 5, 0);
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).max_micro, 20000000); /* of 24 h and 50 min ago */
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).time_ns, 24 * HOUR + 50 * MINUTE);
	take_at(history, 25 * HOUR, 5, 0);
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).max_micro, 5000000);
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).time_ns, 24 * HOUR);
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).mean_micro, 5000000);
	assert_int_equal(window_of(history, KRYOS_WINDOW_30D).max_micro, 20000000);
	assert_int_equal(window_of(history, KRYOS_WINDOW_30D).above_ns, 10 * MINUTE);
	/* A probe that says nothing more: time goes on. */
	sample.t_boot_ns = DAY / 2 + 60 * HOUR;
	assert_ok(kryos_history_take(history, &sample, 0));
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).samples, 0);
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).time_ns, 0);
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).mkt_micro, 0);
	assert_int_equal(window_of(history, KRYOS_WINDOW_30D).samples, 151);
	kryos_history_free(history);
}

static void a_window_knows_no_vial_monitor_and_all_time_does(void **state)
{
	struct kryos_history *history = make();

	(void)state;
	for (int64_t i = 0; i <= 144; i++)
		take_at(history, i * 10 * MINUTE, 37, 0);
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).vvm_micro[KRYOS_VVM14], 0);
	assert_int_equal(window_of(history, KRYOS_WINDOW_24H).mkt_micro, 37000000);
	assert_int_equal(window_of(history, KRYOS_WINDOW_ALL).vvm_micro[KRYOS_VVM14],
	                 llround(1e8 * 1.0766e18 * exp(-13652 / 310.15)));
	kryos_history_free(history);
}

static void a_state_is_small_and_goes_on_with_other_thresholds(void **state)
{
	struct kryos_exposure_config config = { .size = sizeof(config),
		                                .has = KRYOS_EXPOSURE_HIGH,
		                                .gap_limit_ns = LIMIT,
		                                .high_micro = HIGH,
		                                .vvm = 1 << KRYOS_VVM14 };
	struct kryos_history *history = make(), *next;
	void *bytes;
	size_t count;

	(void)state;
	for (int64_t i = 0; i <= 60 * 144; i++)
		take_at(history, i * 10 * MINUTE, i % 2 ? 9 : 5, 0);
	assert_ok(kryos_history_save(history, &bytes, &count));
	assert_in_range(count, 4096, 8192);
	assert_fails(-EBUSY, kryos_history_restore(history, bytes, count));
	assert_ok(kryos_history_new(&next, &config));
	assert_ok(kryos_history_restore(next, bytes, count));
	assert_int_equal(window_of(next, KRYOS_WINDOW_30D).time_ns, window_of(history, KRYOS_WINDOW_30D).time_ns);
	assert_int_equal(window_of(next, KRYOS_WINDOW_30D).mkt_micro, window_of(history, KRYOS_WINDOW_30D).mkt_micro);
	assert_true(window_of(history, KRYOS_WINDOW_30D).above_ns > DAY);
	assert_true(window_of(next, KRYOS_WINDOW_30D).above_ns <= 10 * MINUTE); /* the step that is not over */
	assert_int_equal(day_of(next, 3).above_ns, 0);
	kryos_history_free(next);
	config.has = 0; /* as it was: whoever looks knows no thresholds */
	assert_ok(kryos_history_new(&next, &config));
	assert_ok(kri_history_restore_whole(next, bytes, count));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(window_of(next, KRYOS_WINDOW_30D).above_ns,
		                 window_of(history, KRYOS_WINDOW_30D).above_ns);
		assert_int_equal(window_of(next, KRYOS_WINDOW_ALL).time_ns,
		                 window_of(history, KRYOS_WINDOW_ALL).time_ns);
		assert_int_equal(day_of(next, 3).above_ns, day_of(history, 3).above_ns);
		take_at(next, 60 * DAY + 10 * MINUTE, 9, 0);
		take_at(history, 60 * DAY + 10 * MINUTE, 9, 0);
	}
	kryos_history_free(next);
	config.vvm = 0;
	assert_ok(kryos_history_new(&next, &config));
	assert_fails(-EINVAL, kryos_history_restore(next, bytes, count));
	assert_fails(KRYOS_ECORRUPT, kryos_history_restore(next, bytes, count - 1));
	((unsigned char *)bytes)[100] ^= 1;
	assert_fails(KRYOS_ECORRUPT, kryos_history_restore(next, bytes, count));
	free(bytes);
	kryos_history_free(next);
	kryos_history_free(history);
}

/* Each number of a state replaced by one that it cannot be, checksum and all. */
static void a_state_that_lies_does_no_harm(void **state)
{
	static const int64_t lies[] = { 0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX / 2, KRYOS_DAYS(1) };
	struct kryos_history *history = make();
	unsigned int taken = 0, refused = 0;
	unsigned char lying[8192];
	void *bytes;
	size_t count;

	(void)state;
	for (int64_t i = 0; i <= 200; i++)
		take_at(history, i * 15 * MINUTE, (double)(i % 20), 0);
	assert_ok(kryos_history_save(history, &bytes, &count));
	kryos_history_free(history);
	for (size_t at = 16; at + 12 <= count; at += 8) {
		for (size_t i = 0; i < 2 * sizeof(lies) / sizeof(lies[0]); i++) {
			struct kryos_sample sample = { .t_boot_ns = 4 * DAY, .t_wall_ns = MIDNIGHT };
			uint64_t lie = (uint64_t)lies[i / 2];
			struct kryos_exposure_result result = { .size = sizeof(result) };
			struct kryos_history_day day = { .size = sizeof(day) };
			uint32_t crc;
			int r;

			memcpy(lying, bytes, count);
			for (int byte = 0; byte < 8; byte++)
				lying[at + (size_t)byte] = (unsigned char)(lie >> 8 * byte);
			crc = kri_crc32c(0, lying, count - 4);
			for (int byte = 0; byte < 4; byte++)
				lying[count - 4 + (size_t)byte] = (unsigned char)(crc >> 8 * byte);
			history = make();
			r = i % 2 ? kri_history_restore_whole(history, lying, count)
			          : kryos_history_restore(history, lying, count);
			refused += r < 0;
			if (r >= 0) {
				r = kryos_history_take(history, &sample, 0); /* any answer, and no harm */
				taken += r >= 0;
				for (int window = 0; window <= KRYOS_WINDOW_30D; window++)
					r = kryos_history_get(history, (enum kryos_window)window, &result);
				for (unsigned int index = 0; index < 40; index++)
					r = kryos_history_get_day(history, index, &day);
			}
			kryos_history_free(history);
		}
	}
	assert_true(taken > 0 && refused > 0);
	free(bytes);
}

/* Random traces against sums made anew from all samples. */
#define MAX_SAMPLES 400
#define TRACES 3000

struct trace {
	size_t count;
	struct kryos_sample samples[MAX_SAMPLES];
	int32_t offsets[MAX_SAMPLES];
	int64_t at[MAX_SAMPLES];
	bool cut[MAX_SAMPLES]; /* a reboot of unknown length just before */
};

static void make_trace(struct trace *trace, uint64_t *random)
{
	struct kryos_sample sample = { .t_boot_ns = HOUR, .boot = 1, .trust = KRYOS_TRUST_SYNCED };
	int64_t wall = MIDNIGHT + (int64_t)(next_random(random) % 86400) * KRYOS_SECONDS(1);
	int64_t usual = (int64_t)(1 + next_random(random) % 25) * MINUTE;
	unsigned int reboots = next_random(random) % 4, bad = next_random(random) % 4,
		     distrust = next_random(random) % 3;

	trace->count = 1 + next_random(random) % MAX_SAMPLES;
	for (size_t i = 0; i < trace->count; i++) {
		int64_t by = usual + (int64_t)(next_random(random) % 61) * KRYOS_SECONDS(1) - KRYOS_SECONDS(30);
		uint16_t trust = sample.trust;

		if (next_random(random) % 20 == 0)
			by = (int64_t)(next_random(random) % 4) * 5 * MINUTE; /* 0, too */
		if (next_random(random) % 100 == 0)
			by = (int64_t)(next_random(random) % 100) * HOUR;
		wall += by;
		if (next_random(random) % 100 == 0)
			wall += (int64_t)(next_random(random) % 3) * HOUR - HOUR; /* a step of the clock */
		sample.value_micro = (int64_t)(next_random(random) % 40) * 500000 - 6000000;
		sample.quality = next_random(random) % 16 < bad ? KRYOS_QUALITY_CRC : KRYOS_QUALITY_GOOD;
		if (next_random(random) % 20 == 0)
			trust = next_random(random) % 3 < distrust ? KRYOS_TRUST_FLOOR : KRYOS_TRUST_RTC;
		trace->cut[i] = false;
		if (i > 0 && next_random(random) % 100 < reboots) {
			bool trusted = trust >= KRYOS_TRUST_RTC && sample.trust >= KRYOS_TRUST_RTC;

			sample.boot++;
			sample.t_boot_ns = (int64_t)(next_random(random) % 3) * MINUTE;
			by = trusted ? wall - sample.t_wall_ns : 0;
			if (by < sample.t_boot_ns)
				by = sample.t_boot_ns;
			trace->cut[i] = !trusted;
		} else {
			sample.t_boot_ns += by;
		}
		sample.trust = trust;
		sample.t_wall_ns = wall;
		trace->at[i] = i == 0 ? 0 : trace->at[i - 1] + by;
		trace->offsets[i] = next_random(random) % 2 ? 3600 : 7200;
		trace->samples[i] = sample;
	}
}

struct expected {
	uint64_t samples;
	int64_t min, max, time, below, above, unmeasured;
	double celsius, rate;
};

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool is_measured(const struct trace *trace, size_t i)
{
	return trace->samples[i].quality == KRYOS_QUALITY_GOOD;
}

/* The mean of all that was measured at the time of i, within its boot. */
static double mean_at(const struct trace *trace, size_t i, bool want_rate)
{
	double sum = 0, count = 0;

	while (i > 0 && trace->at[i - 1] == trace->at[i] && !trace->cut[i])
		i--;
	for (size_t j = i; j < trace->count && trace->at[j] == trace->at[i] && (j == i || !trace->cut[j]); j++) {
		double celsius = kryos_micro_to_double(trace->samples[j].value_micro);

		if (!is_measured(trace, j))
			continue;
		sum += want_rate ? exp(-10000 / (celsius + 273.15)) : celsius;
		count++;
	}
	return sum / count;
}

/* Of the step between the samples i and j, what lies between since and until. */
static void add_step(struct expected *expected, const struct trace *trace, size_t i, size_t j, bool points[2], bool cut,
                     int64_t since, int64_t until)
{
	int64_t passed = trace->at[j] - trace->at[i], from = most(trace->at[i], since), to = least(trace->at[j], until);
	int64_t held_to = points[0] && !cut ? trace->at[i] + least(passed, LIMIT) : trace->at[i], held;
	double middle;

	if (from >= to)
		return;
	held = most(0, least(held_to, to) - from);
	expected->unmeasured += to - from - held;
	if (points[0] && trace->samples[i].value_micro < LOW)
		expected->below += held;
	if (points[0] && trace->samples[i].value_micro > HIGH)
		expected->above += held;
	if (!points[0] || !points[1] || cut || passed > LIMIT)
		return;
	middle = ((double)(from - trace->at[i]) + (double)(to - trace->at[i])) / 2 / (double)passed;
	expected->time += to - from;
	for (int rate = 0; rate < 2; rate++) {
		double a = mean_at(trace, i, rate), b = mean_at(trace, j, rate);

		*(rate ? &expected->rate : &expected->celsius) += (double)(to - from) * (a + (b - a) * middle);
	}
}

static bool date_of(const struct trace *trace, size_t i, int64_t *ret_number, int64_t *ret_began)
{
	int64_t local = trace->samples[i].t_wall_ns + KRYOS_SECONDS(trace->offsets[i]);

	*ret_number = local / DAY;
	*ret_began = trace->at[i] - local % DAY;
	return trace->samples[i].trust >= KRYOS_TRUST_RTC;
}

/* Of a window from since on, or with day of the day of that number. */
static struct expected expect(const struct trace *trace, int64_t since, const int64_t *day)
{
	struct expected expected = { 0 };
	size_t last = trace->count; /* the newest point; none yet */
	bool cut = false;

	for (size_t i = 0; i < trace->count; i++) {
		bool is_point = is_measured(trace, i), end = i + 1 == trace->count;
		int64_t number, began, from = since, to = INT64_MAX;
		bool dated = date_of(trace, i, &number, &began),
		     inside = day ? dated && number == *day : trace->at[i] >= since;

		cut = cut || trace->cut[i];
		if (is_point && inside) {
			int64_t value = trace->samples[i].value_micro;

			expected.min = expected.samples ? least(expected.min, value) : value;
			expected.max = expected.samples ? most(expected.max, value) : value;
			expected.samples++;
		}
		if (!is_point && !end)
			continue;
		if (is_point && last < trace->count && trace->at[i] == trace->at[last] && !cut) {
			last = i; /* of one time; the last of them is held */
			continue;
		}
		/* The later end of a step dates it: of several samples at that time, the last. */
		for (size_t j = i + 1; is_point && j < trace->count && trace->at[j] == trace->at[i] && !trace->cut[j];
		     j++) {
			if (is_measured(trace, j))
				dated = date_of(trace, j, &number, &began);
		}
		if (day) {
			from = began + (*day - number) * DAY;
			to = from + DAY;
		}
		if (!day || dated)
			add_step(&expected, trace, last < trace->count ? last : 0, i,
			         (bool[]){ last < trace->count, is_point }, cut, from, to);
		if (is_point) {
			last = i;
			cut = false;
		}
	}
	return expected;
}

static bool is_near(double a, int64_t b)
{
	return fabs(a - (double)b) <= 2;
}

static double mkt_of(const struct expected *expected)
{
	return (10000 / -log(expected->rate / (double)expected->time) - 273.15) * 1e6;
}

static void windows_and_days_follow_their_definitions(void **state)
{
	uint64_t seed = seed_from_environment(20261121);
	unsigned int days = 0, means = 0;

	(void)state;
	for (unsigned int n = 0; n < TRACES; n++) {
		static struct trace trace;
		struct kryos_history *history = make(), *cut = make();
		uint64_t random = seed + n, split = ~random;
		void *bytes[2];
		size_t counts[2];
		int64_t now;

		make_trace(&trace, &random);
		now = trace.at[trace.count - 1];
		for (size_t i = 0; i < trace.count; i++) {
			assert_ok(kryos_history_take(history, &trace.samples[i], trace.offsets[i]));
			if (next_random(&split) % 4 == 0) {
				assert_ok(kryos_history_save(cut, &bytes[0], &counts[0]));
				kryos_history_free(cut);
				cut = make();
				assert_ok(kryos_history_restore(cut, bytes[0], counts[0]));
				free(bytes[0]);
			}
			assert_ok(kryos_history_take(cut, &trace.samples[i], trace.offsets[i]));
		}
		for (int window = KRYOS_WINDOW_ALL; window <= KRYOS_WINDOW_30D; window++) {
			struct kryos_exposure_result got = window_of(history, (enum kryos_window)window);
			int64_t since = window == KRYOS_WINDOW_ALL   ? 0
			                : window == KRYOS_WINDOW_24H ? now / HOUR * HOUR - DAY
			                                             : now / DAY * DAY - 30 * DAY;
			struct expected expected = expect(&trace, since, NULL);

			if (got.samples != expected.samples || got.time_ns != expected.time ||
			    got.below_ns != expected.below || got.above_ns != expected.above ||
			    (expected.samples && (got.min_micro != expected.min || got.max_micro != expected.max)) ||
			    (expected.time &&
			     (!is_near(expected.celsius / (double)expected.time * 1e6, got.mean_micro) ||
			      !is_near(mkt_of(&expected), got.mkt_micro))))
				fail_msg("KRYOS_SEED=%" PRIu64 ": window %d is not as defined", seed + n, window);
			means += expected.time > 0;
		}
		for (unsigned int index = 0, count = count_days(history); index < count; index++) {
			struct kryos_history_day day = day_of(history, index);
			struct expected expected = expect(&trace, 0, &day.number);

			if (day.samples != expected.samples || day.time_ns != expected.time ||
			    day.below_ns != expected.below || day.above_ns != expected.above ||
			    day.unmeasured_ns != expected.unmeasured ||
			    (expected.samples && (day.min_micro != expected.min || day.max_micro != expected.max)) ||
			    (expected.time && !is_near(expected.celsius / (double)expected.time * 1e6, day.mean_micro)))
				fail_msg("KRYOS_SEED=%" PRIu64 ": day %" PRId64 " is not as defined", seed + n,
				         day.number);
			days++;
		}
		assert_ok(kryos_history_save(history, &bytes[0], &counts[0]));
		assert_ok(kryos_history_save(cut, &bytes[1], &counts[1]));
		if (counts[0] != counts[1] || memcmp(bytes[0], bytes[1], counts[0]) != 0)
			fail_msg("KRYOS_SEED=%" PRIu64 ": another state when it is saved and restored", seed + n);
		free(bytes[0]);
		free(bytes[1]);
		kryos_history_free(history);
		kryos_history_free(cut);
	}
	print_message("seed %" PRIu64 ": %d traces, %u days, %u means\n", seed, TRACES, days, means);
	assert_true(days > TRACES && means > TRACES); /* or nothing was compared */
}

static void what_is_wrong_is_refused(void **state)
{
	struct kryos_history *history;
	struct kryos_sample sample = { .t_boot_ns = HOUR };
	struct kryos_exposure_result result = { 0 };
	struct kryos_history_day day = { 0 };

	(void)state;
	assert_fails(-EINVAL, kryos_history_new(&history, KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 0)));
	history = make();
	assert_fails(-EINVAL, kryos_history_take(history, &sample, 86401));
	assert_ok(kryos_history_take(history, &sample, -86400));
	sample.t_boot_ns--;
	assert_fails(-EINVAL, kryos_history_take(history, &sample, 0));
	assert_fails(-EINVAL, kryos_history_get(history, KRYOS_WINDOW_ALL, &result));
	assert_fails(-EINVAL, kryos_history_get(history, (enum kryos_window)3, &result));
	assert_fails(-EINVAL, kryos_history_get_day(history, 0, &day));
	kryos_history_free(history);
	kryos_history_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_has_what_was_measured_from_midnight_to_midnight),
		cmocka_unit_test(a_step_over_midnight_is_divided_there),
		cmocka_unit_test(the_days_of_a_clock_change_have_23_and_25_hours),
		cmocka_unit_test(thirty_days_and_today_are_kept),
		cmocka_unit_test(days_without_a_station_are_days_without_a_measurement),
		cmocka_unit_test(time_without_a_date_belongs_to_no_day_and_to_each_window),
		cmocka_unit_test(a_window_forgets_the_hour_that_is_older),
		cmocka_unit_test(a_window_knows_no_vial_monitor_and_all_time_does),
		cmocka_unit_test(a_state_is_small_and_goes_on_with_other_thresholds),
		cmocka_unit_test(a_state_that_lies_does_no_harm),
		cmocka_unit_test(windows_and_days_follow_their_definitions),
		cmocka_unit_test(what_is_wrong_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
