/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor_rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct kryos_rule watch_warm = { .size = sizeof(watch_warm),
	                               .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	                               .name = "warm",
	                               .kind = KRYOS_RULE_HEAT,
	                               .comparator = KRYOS_COMPARATOR_GT,
	                               .threshold_micro = 8000000,
	                               .duration_ns = KRYOS_MINUTES(5) };

static int setup(void **state, int (*rig_setup_any)(void **state))
{
	struct watch *watch = calloc(1, sizeof(*watch));
	void *rig = NULL;

	assert_non_null(watch);
	rig_setup_any(&rig);
	watch->rig = rig;
	*state = watch;
	return 0;
}

int watch_setup(void **state)
{
	return setup(state, rig_setup);
}

int watch_setup_cut(void **state)
{
	return setup(state, rig_setup_cut);
}

int watch_teardown(void **state)
{
	struct watch *watch = *state;
	void *rig = watch->rig;

	rig_teardown(&rig);
	free(watch);
	return 0;
}

void watch_start(struct watch *watch)
{
	rig_start(watch->rig, KRYOS_STORE_CONFIG(.board = "one"));
	assert_ok(kryos_monitor_new(&watch->monitor, watch->rig->store));
	watch->on = watch->off = 0;
}

void watch_stop(struct watch *watch)
{
	rig_stop(watch->rig);
	watch->monitor = NULL;
}

void watch_take_events(struct watch *watch)
{
	const struct kryos_event *event = NULL;

	while (kryos_ctx_next_event(watch->rig->ctx, &event) > 0) {
		if (event->type != KRYOS_EVENT_ALARM_ON && event->type != KRYOS_EVENT_ALARM_OFF)
			continue;
		watch->on += event->type == KRYOS_EVENT_ALARM_ON;
		watch->off += event->type == KRYOS_EVENT_ALARM_OFF;
		assert_ok(kryos_episode_parse(&watch->last, event->text));
		assert_int_equal(watch->last.ended_by == KRYOS_EPISODE_OPEN, event->type == KRYOS_EVENT_ALARM_ON);
	}
}

void watch_rules(struct watch *watch, const char *channel, const struct kryos_rule *rules, uint32_t count)
{
	assert_ok(kryos_monitor_watch(
		watch->monitor, channel,
		KRYOS_MONITOR_CHANNEL_CONFIG(.rules = rules, .rule_count = count, .interval_ns = KRYOS_MINUTES(1))));
	watch_take_events(watch);
}

uint32_t watch_judge(struct watch *watch, uint32_t channel, int64_t value_micro, struct kryos_sample *ret_sample)
{
	struct kryos_sample sample = rig_sample(channel, value_micro);

	kryos_fake_clock_advance(watch->rig->clock, KRYOS_MINUTES(1));
	sample.round = 1;
	sample.t_boot_ns = kryos_fake_clock_boot_ns(watch->rig->clock);
	sample.t_wall_ns = kryos_fake_clock_wall_ns(watch->rig->clock);
	sample.trust = KRYOS_TRUST_SYNCED;
	if (watch->monitor)
		assert_ok(kryos_monitor_take(watch->monitor, &sample, 1));
	watch_take_events(watch);
	*ret_sample = sample;
	return sample.alarm;
}

uint32_t watch_minute(struct watch *watch, int64_t value_micro)
{
	struct kryos_sample sample;

	watch_judge(watch, watch->rig->fridge, value_micro, &sample);
	assert_ok(kryos_store_append(watch->rig->store, &sample, 1));
	return sample.alarm;
}

unsigned int watch_stored(struct watch *watch, enum kryos_event_type type, char *ret_text,
                          struct kryos_episode *ret_episode)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	unsigned int count = 0;

	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_reader_open(&reader, watch->rig->ctx, watch->rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != type)
			continue;
		count++;
		if (ret_text)
			strcpy(ret_text, record->event->text);
		if (ret_episode) {
			assert_ok(kryos_episode_parse(ret_episode, record->event->text));
			ret_episode->rule.name = ret_episode->name;
		}
	}
	kryos_reader_close(reader);
	return count;
}

void watch_lose_state(struct watch *watch)
{
	assert_true(rig_sql(in(watch->rig->path, "state.db"), "DELETE FROM state") > 0);
}

void watch_cut_evaluator_out(struct watch *watch)
{
	size_t count, exposed, head;
	int64_t seq;
	char *bytes, *line, *out;
	void *kept;

	rig_start(watch->rig, KRYOS_STORE_CONFIG(.board = "one"));
	assert_ok(kri_store_get_state(watch->rig->store, "alarm:" FRIDGE, &kept, &count, &seq));
	bytes = kept;
	line = memmem(bytes, count, "\nexposure ", 10);
	assert_non_null(line);
	head = (size_t)(line + 1 - bytes);
	exposed = (size_t)strtoul(line + 10, NULL, 10);
	out = malloc(count + 64);
	assert_non_null(out);
	memcpy(out, bytes, head);
	head += (size_t)snprintf(out + head, 64, "exposure %zu\nevaluator 0\n", exposed);
	memcpy(out + head, bytes + count - exposed, exposed);
	assert_ok(kri_store_put_state(watch->rig->store, "alarm:" FRIDGE, out, head + exposed, NULL, 0));
	rig_stop(watch->rig);
	free(out);
	free(kept);
}

void watch_crash(struct watch *watch, const char *name)
{
	struct rig *rig = watch->rig;
	struct cut_replay *replay;
	size_t count;

	cutvfs_stop(rig->vfs);
	count = cutvfs_count(rig->vfs);
	watch_stop(watch);
	replay = cut_replay_new(rig->vfs, CUT_KEEP_ALL, 0);
	cut_replay_to(replay, count);
	snprintf(rig->path, sizeof(rig->path), "%s", in(rig->folder, name));
	cut_replay_write(replay, rig->path);
	cut_replay_free(replay);
}
