/* SPDX-License-Identifier: Apache-2.0 */
#include "month_store.h"
#include <kryos/alarm.h>
#include <kryos/testing/clock.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 2048

struct maker {
	const struct month *month;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_evaluator *evaluator;
	uint32_t *channels, door, mains;
	struct kryos_sample *samples;
	size_t count;
	uint64_t random;
	int64_t door_ns, mains_ns;
	bool is_open, is_absent, is_retired;
	char acknowledged[KRYOS_EPISODE_TEXT_MAX];
};

static void flush(struct maker *maker)
{
	if (maker->count)
		assert_ok(kryos_store_append(maker->store, maker->samples, maker->count));
	maker->count = 0;
}

static void tell(struct maker *maker, enum kryos_event_type type, const char *name, int code, int64_t value_ns,
                 const char *text)
{
	struct kryos_event event = {
		.size = sizeof(event), .type = type, .name = name, .text = text, .code = code, .value_ns = value_ns
	};

	/* The event has the clock's time, and the samples before it are before it in the store too. */
	flush(maker);
	assert_ok(kryos_store_add_event(maker->store, &event));
	assert_ok(kryos_store_flush(maker->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_ctx_process(maker->ctx));
}

/* Hours since the month began, of a day counted from 1. */
static bool is_between(double hour, int day, double from, double to)
{
	return hour >= (day - 1) * 24 + from && hour < (day - 1) * 24 + to;
}

static int64_t celsius(struct maker *maker, int channel, double hour)
{
	double noise = (double)(next_random(&maker->random) % 1000) / 1000 - 0.5;
	double value = 5 + 1.2 * sin(hour * 2 * 3.14159265358979 / 1.5) + 0.4 * sin(hour * 3.14159265358979 / 12);

	if (channel == 1)
		return (int64_t)((24 + 5 * sin((hour - 9) * 3.14159265358979 / 12) + noise) * 100) * 10000;
	if (channel == 0 && is_between(hour, 6, 6, 20))
		value = 8.04 + 4 * sin((hour - 126) * 3.14159265358979 / 14);
	if (channel == 0 && is_between(hour, 13, 2, 4.5))
		value = -0.5 - 1.6 * sin((hour - 290) * 3.14159265358979 / 2.5);
	return (int64_t)((value + channel * 0.3 + (value < 0 ? 0 : 0.2 * noise)) * 100) * 10000;
}

static void judge(struct maker *maker, const struct kryos_sample *sample)
{
	const struct kryos_episode *news;
	char text[KRYOS_EPISODE_TEXT_MAX], said[KRYOS_EPISODE_TEXT_MAX + 200], *start;

	assert_ok(kryos_evaluator_take(maker->evaluator, sample));
	while (kryos_evaluator_next(maker->evaluator, &news) > 0) {
		bool is_over = news->ended_by != KRYOS_EPISODE_OPEN;

		tell(maker, is_over ? KRYOS_EVENT_ALARM_OFF : KRYOS_EVENT_ALARM_ON, "fridge.temperature", 0, 0,
		     kryos_episode_text(news, text));
		if (!is_over || strcmp(news->name, "heat") != 0)
			continue;
		start = strstr(text, "start=");
		assert_non_null(start);
		snprintf(said, sizeof(said), "rule=%s %.*s by=amina comment=door left ajar & vaccines moved to <B>",
		         news->name, (int)strcspn(start, " "), start);
		tell(maker, KRYOS_EVENT_ACKNOWLEDGED, "fridge.temperature", 0, 0, said);
	}
}

static void add(struct maker *maker, uint32_t channel, int64_t value_micro, unsigned int quality)
{
	struct kryos_sample *sample = &maker->samples[maker->count++];

	*sample = (struct kryos_sample){ .channel = channel,
		                         .value_micro = value_micro,
		                         .quality = (uint16_t)quality,
		                         .t_boot_ns = kryos_fake_clock_boot_ns(maker->clock),
		                         .t_wall_ns = kryos_fake_clock_wall_ns(maker->clock),
		                         .trust = KRYOS_TRUST_SYNCED };
}

static void turn(struct maker *maker, const char *name, bool *is_on, bool on, int64_t *since_ns, int code)
{
	int64_t now_ns = kryos_fake_clock_boot_ns(maker->clock);

	if (*is_on == on)
		return;
	tell(maker, KRYOS_EVENT_STATE, name, code, *since_ns ? now_ns - *since_ns : 0, "");
	*is_on = on;
	*since_ns = now_ns;
}

static void live(struct maker *maker, double hour)
{
	double of_day = fmod(hour, 24);

	turn(maker, "lid.open", &maker->is_open,
	     (of_day >= 8 && of_day < 8.2) || (of_day >= 14 && of_day < 14.4) || is_between(hour, 6, 5, 9),
	     &maker->door_ns, maker->is_open ? 0 : 1);
	turn(maker, "grid.present", &maker->is_absent, is_between(hour, 12, 22, 27), &maker->mains_ns,
	     maker->is_absent ? 1 : 0);
	if (is_between(hour, 21, 0, 30) != maker->is_retired) {
		maker->is_retired = !maker->is_retired;
		tell(maker, maker->is_retired ? KRYOS_EVENT_RETIRED : KRYOS_EVENT_RESUMED, "room.temperature", 0, 0,
		     maker->is_retired ? "by=amina why=room is painted, thermometer in the yard" : "by=amina why=done");
	}
}

static void take_round(struct maker *maker, double hour)
{
	live(maker, hour);
	if (maker->count + (size_t)maker->month->channels + 2 > BATCH)
		flush(maker);
	for (int i = 0; i < maker->month->channels; i++) {
		bool fails = i == 0 && is_between(hour, 10, 3, 7.5);

		add(maker, maker->channels[i], fails ? 0 : celsius(maker, i, hour),
		    fails ? KRYOS_QUALITY_OPEN : KRYOS_QUALITY_GOOD);
	}
	add(maker, maker->door, maker->is_open ? 1000000 : 0, KRYOS_QUALITY_GOOD);
	add(maker, maker->mains, maker->is_absent ? 0 : 1000000, KRYOS_QUALITY_GOOD);
	/* A copy: telling of an episode hands the samples over. */
	struct kryos_sample first = maker->samples[maker->count - (size_t)maker->month->channels - 2];
	first.boot = 1;
	judge(maker, &first);
}

static void begin(struct maker *maker, const char *path)
{
	const struct kryos_rule *rule;

	assert_ok(kryos_fake_clock_new(&maker->clock, MONTH_START_NS));
	kryos_fake_clock_set_synced(maker->clock, 1);
	assert_ok(kryos_ctx_new(&maker->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = maker->clock)));
	assert_ok(kryos_store_open(&maker->store, maker->ctx, path, KRYOS_STORE_CONFIG(.board = "month")));
	assert_ok(kryos_evaluator_new(&maker->evaluator, maker->month->every_ns));
	for (unsigned int i = 0; (rule = kryos_profile_rule("who-refrigerator", i)); i++)
		assert_ok(kryos_evaluator_add(maker->evaluator, rule));
	maker->channels = calloc((size_t)maker->month->channels, sizeof(*maker->channels));
	maker->samples = calloc(BATCH, sizeof(*maker->samples));
	assert_true(maker->channels && maker->samples);
	for (int i = 0; i < maker->month->channels; i++) {
		char name[64];

		snprintf(name, sizeof(name), "probe%d.temperature", i);
		assert_ok(kryos_channel_add(maker->ctx,
		                            i == 0   ? "fridge.temperature"
		                            : i == 1 ? "room.temperature"
		                                     : name,
		                            "Cel", &maker->channels[i]));
	}
	assert_ok(kryos_channel_add(maker->ctx, "lid.open", "/", &maker->door));
	assert_ok(kryos_channel_add(maker->ctx, "grid.present", "/", &maker->mains));
}

void month_store_make(const char *path, const struct month *month)
{
	struct maker maker = { .month = month, .random = 6 };
	int64_t rounds = KRYOS_DAYS(month->days) / month->every_ns;

	begin(&maker, path);
	tell(&maker, KRYOS_EVENT_START, "0.1.0", 0, 0, "build=4f1d2c config=none sqlite=3.40.1 libcrypto=3.0.17");
	tell(&maker, KRYOS_EVENT_CALIBRATION, "fridge.temperature", 0, 0,
	     "by amina; was nothing; is offset=-0.05 calibrated=2026-03-01T00:00:00Z expires=2027-03-01T00:00:00Z "
	     "certificate=ISO 17025 no. 4711/2026");
	tell(&maker, KRYOS_EVENT_CONFIGURED, "section station", 0, 0,
	     "by station file; was nothing; is name = Month, timezone = <+0545>-5:45, language = pt");
	tell(&maker, KRYOS_EVENT_TEST, "", 0, 0, "by=amina outputs=lamp,buzzer");
	for (int64_t i = 0; i < rounds; i++) {
		double hour = (double)(i * (month->every_ns / KRYOS_SECONDS(1))) / 3600;

		if (!is_between(hour, 17, 9, 15))
			take_round(&maker, hour);
		else if (is_between(hour, 17, 14.9, 15))
			tell(&maker, KRYOS_EVENT_RESTART, "", 0, 0, "the power was lost");
		kryos_fake_clock_advance(maker.clock, month->every_ns);
	}
	flush(&maker);
	kryos_evaluator_free(maker.evaluator);
	kryos_ctx_free(maker.ctx);
	kryos_fake_clock_free(maker.clock);
	free(maker.channels);
	free(maker.samples);
}
