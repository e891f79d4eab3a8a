/* SPDX-License-Identifier: Apache-2.0 */
#include "model_store.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const model_channels[MODEL_CHANNELS] = { "fridge.temperature", "fridge.humidity", "room.temperature" };
const char *const model_units[MODEL_CHANNELS] = { "Cel", "%RH", "Cel" };

void model_trouble(struct model *model, const char *format, ...)
{
	va_list args;

	if (model->problem[0])
		return;
	va_start(args, format);
	vsnprintf(model->problem, sizeof(model->problem), format, args);
	va_end(args);
}

void model_copy(struct model *to, const struct model *from)
{
	memcpy(to, from, offsetof(struct model, things));
	memcpy(to->things, from->things, (size_t)(from->count + 1) * sizeof(*from->things));
	memcpy(to->claimed, from->claimed, (size_t)from->claims * sizeof(*from->claimed));
}

static bool wants(const struct model_queue *queue, const struct model_thing *thing)
{
	return thing->event || !queue->channels || strstr(queue->channels, model_channels[thing->channel]) ||
	       (strstr(queue->channels, "fridge.*") && strncmp(model_channels[thing->channel], "fridge.", 7) == 0);
}

static struct model_thing *add(struct model *model)
{
	struct model_thing *thing;

	if (model->count + 1 >= MODEL_THINGS)
		abort();
	thing = &model->things[++model->count];
	memset(thing, 0, sizeof(*thing));
	return thing;
}

int model_add(struct model *model, const struct kryos_sample *sample, int stamps)
{
	struct model_thing *thing = add(model);

	thing->channel = (uint8_t)sample->channel;
	thing->quality = (uint8_t)sample->quality;
	thing->trust = (uint8_t)sample->trust;
	thing->stamps = (uint8_t)stamps;
	thing->round = sample->round;
	thing->t_boot_ns = sample->t_boot_ns;
	thing->t_wall_ns = sample->t_wall_ns;
	for (int i = 0; i < MODEL_QUEUES; i++)
		if (!wants(&model->queues[i], thing))
			thing->queue[i].owed = MODEL_NOT;
	return model->count;
}

int model_add_event(struct model *model)
{
	add(model)->event = true;
	return model->count;
}

/* An id stands for one thing, for ever. */
static void claim(struct model *model, uint64_t epoch, int64_t seq, uint64_t what, bool durable)
{
	for (int i = model->claims - 1; i >= 0; i--) {
		struct model_claim *other = &model->claimed[i];

		if (other->seq != seq || ((model->damaged || !durable || !other->durable) && other->epoch != epoch))
			continue;
		if (other->epoch != epoch)
			model_trouble(model, "seq %" PRId64 " was given in epoch %016" PRIx64 " and in %016" PRIx64,
			              seq, other->epoch, epoch);
		if (other->what != what)
			model_trouble(model, "id (%016" PRIx64 ", %" PRId64 ") stands for %" PRIu64 " and for %" PRIu64,
			              epoch, seq, other->what, what);
		other->durable |= durable;
		return;
	}
	if (seq < 1)
		model_trouble(model, "seq %" PRId64 " was given", seq);
	if (model->claims == MODEL_CLAIMS)
		abort();
	model->claimed[model->claims++] = (struct model_claim){ epoch, what, seq, durable };
}

/* What is in memory only keeps its fate: a cut may take it. */
static void has_id(struct model *model, int number, uint64_t epoch, int64_t seq, bool durable)
{
	struct model_thing *thing = &model->things[number];

	if (thing->fate == MODEL_REFUSED || thing->fate == MODEL_GONE)
		model_trouble(model, "%d was %s and is accepted as seq %" PRId64, number,
		              thing->fate == MODEL_REFUSED ? "refused" : "not there", seq);
	if (thing->seq && seq && (thing->seq != seq || (epoch && thing->epoch && thing->epoch != epoch)))
		model_trouble(model, "%d has the ids (%016" PRIx64 ", %" PRId64 ") and (%016" PRIx64 ", %" PRId64 ")",
		              number, thing->epoch, thing->seq, epoch, seq);
	if (durable)
		thing->fate = MODEL_ACCEPTED;
	if (!seq)
		return; /* an event, whose id is not told */
	thing->seq = seq;
	if (!epoch)
		return;
	thing->epoch = epoch;
	claim(model, epoch, seq, (uint64_t)number, durable);
}

void model_accepted(struct model *model, int number, uint64_t epoch, int64_t seq)
{
	has_id(model, number, epoch, seq, true);
}

void model_refused(struct model *model, int number, bool maybe_there)
{
	model->things[number].fate = MODEL_REFUSED;
	model->things[number].maybe_there = maybe_there;
}

void model_hide_refused(struct model *model, int number)
{
	for (int i = 1; i < number && i <= model->count; i++)
		model->things[i].maybe_there = false;
}

/* Of the store's own events: what they say, so that no id says two things. */
static uint64_t hash_of(const struct kryos_record *record)
{
	const struct kryos_event *event = record->event;
	uint64_t hash = UINT64_C(14695981039346656037);
	char line[1400];
	int length = snprintf(line, sizeof(line), "%d %d %s %s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %u",
	                      (int)event->type, event->code, event->name, event->text, event->first_seq,
	                      event->last_seq, event->value_ns, record->sample.t_boot_ns, record->sample.boot);

	for (int i = 0; i < length && i < (int)sizeof(line); i++)
		hash = (hash ^ (unsigned char)line[i]) * UINT64_C(1099511628211);
	return hash | UINT64_C(1) << 63;
}

static int number_of(struct model *model, const struct kryos_record *record)
{
	int64_t number;

	if (record->event)
		return strcmp(record->event->name, MODEL_EVENT) == 0 ? atoi(record->event->text) : 0;
	number = record->sample.value_micro / MODEL_MICRO;
	if (record->sample.value_micro % MODEL_MICRO == 0 && number >= 1 && number <= model->count &&
	    !model->things[number].event)
		return (int)number;
	model_trouble(model, "seq %" PRId64 " has value %" PRId64 ", which was never handed in", record->seq,
	              record->sample.value_micro);
	return -1;
}

static void check_same(struct model *model, int number, const struct kryos_record *record)
{
	const struct model_thing *thing = &model->things[number];
	const struct kryos_sample *sample = &record->sample;
	bool corrected = sample->flags & KRYOS_SAMPLE_CORRECTED;
	const char *what = NULL;

	if (strcmp(record->channel, model_channels[thing->channel]) != 0 ||
	    strcmp(record->unit, model_units[thing->channel]) != 0)
		what = "channel";
	else if (sample->quality != thing->quality)
		what = "quality";
	else if (sample->alarm != (uint32_t)number)
		what = "alarm";
	else if (sample->round != thing->round)
		what = "round";
	else if (sample->t_boot_ns != thing->t_boot_ns)
		what = "time of its boot";
	else if (thing->stamps == 2 && !corrected &&
	         (sample->t_wall_ns != thing->t_wall_ns || sample->trust != thing->trust))
		what = "wall time or trust";
	else if (corrected && sample->boot < MODEL_BOOTS && !model->synced_in[sample->boot])
		what = "wall time, corrected in a boot that never knew it,";
	else if (thing->stamps < 2 && !corrected && sample->trust >= KRYOS_TRUST_RTC && sample->boot < MODEL_BOOTS &&
	         !model->synced_in[sample->boot])
		what = "trust, of a boot that never knew the time,";
	if (what)
		model_trouble(model, "the %s of %d, seq %" PRId64 ", is not what was handed in", what, number,
		              record->seq);
}

static void check_lent(struct model *model, int number, const struct kryos_record *record, int queue)
{
	int stream = record->event ? 0 : record->stream == KRYOS_STREAM_LIVE ? 1 : 2;
	struct model_queue *owner = &model->queues[queue];
	struct model_thing *thing = number > 0 ? &model->things[number] : NULL;

	/* What is in memory overtakes what the disk can't give just now, and is in an order of its own. */
	if (record->flags & KRYOS_RECORD_VOLATILE)
		stream = record->event ? 3 : 4;
	if (record->seq <= owner->last[stream])
		model_trouble(model, "queue %d: seq %" PRId64 " comes after %" PRId64 " in its stream", queue,
		              record->seq, owner->last[stream]);
	owner->last[stream] = record->seq;
	if (!thing)
		return;
	if (thing->queue[queue].lent)
		model_trouble(model, "queue %d: %d, seq %" PRId64 ", is lent twice", queue, number, record->seq);
	if (thing->queue[queue].done)
		model_trouble(model, "queue %d: %d, seq %" PRId64 ", was acknowledged and is lent again", queue, number,
		              record->seq);
	if (thing->queue[queue].firm)
		model_trouble(model, "queue %d: %d, seq %" PRId64 ", was acknowledged, committed, and is lent again",
		              queue, number, record->seq);
	if (thing->queue[queue].owed == MODEL_NOT)
		model_trouble(model, "queue %d: %d, seq %" PRId64 ", is not for it", queue, number, record->seq);
	thing->queue[queue].lent = true;
}

int model_served(struct model *model, const struct kryos_record *record, int queue)
{
	bool durable = !(record->flags & KRYOS_RECORD_VOLATILE);
	int number = number_of(model, record);

	if (number > model->count) {
		model_trouble(model, "event %d was never handed in", number);
		number = -1;
	}
	if (number < 0)
		return 0;
	if (number == 0) {
		claim(model, record->epoch, record->seq, hash_of(record), durable);
	} else {
		if (!record->event)
			check_same(model, number, record);
		has_id(model, number, record->epoch, record->seq, durable);
		if (queue < 0 && ++model->things[number].seen > 1)
			model_trouble(model, "%d, seq %" PRId64 ", is there twice", number, record->seq);
	}
	if (queue >= 0)
		check_lent(model, number, record, queue);
	return number;
}

void model_settled(struct model *model, int queue, int number)
{
	if (number <= 0)
		return;
	model->things[number].queue[queue].lent = false;
	model->things[number].queue[queue].done = true;
	model->things[number].queue[queue].delivered = true;
	model->things[number].queue[queue].once = true;
}

void model_look_again(struct model *model, int queue, int64_t seq)
{
	for (int i = 0; i < MODEL_STREAMS; i++)
		if (model->queues[queue].last[i] >= seq)
			model->queues[queue].last[i] = seq - 1;
}

void model_released(struct model *model, int queue, int number)
{
	for (int i = 1; i <= model->count; i++) {
		if ((number && i != number) || !model->things[i].queue[queue].lent)
			continue;
		model->things[i].queue[queue].lent = false;
		model_look_again(model, queue, model->things[i].seq);
	}
}

void model_resent(struct model *model, int queue, int64_t first, int64_t last)
{
	model_look_again(model, queue, first);
	for (int i = 1; i <= model->count; i++) {
		struct model_thing *thing = &model->things[i];

		if (thing->fate != MODEL_ACCEPTED || (thing->seq && (thing->seq < first || thing->seq > last)) ||
		    !wants(&model->queues[queue], thing))
			continue;
		if (!thing->seq) {
			/* An event whose id is not known: it may be among them. */
			thing->queue[queue].done = thing->queue[queue].firm = false;
			thing->queue[queue].owed = MODEL_MAY;
			continue;
		}
		thing->queue[queue].resent |= thing->queue[queue].delivered && !thing->removed;
		thing->queue[queue].delivered = thing->queue[queue].done = thing->queue[queue].firm = false;
		/* Owed to nobody before: a lost resend is no loss. */
		if (thing->queue[queue].owed == MODEL_NOT)
			thing->queue[queue].owed = MODEL_MAY;
	}
}

void model_committed(struct model *model, int queue)
{
	for (int i = 1; i <= model->count; i++) {
		/* Of what is in memory the disk knows nothing, so it is owed again after a cut. */
		model->things[i].queue[queue].firm |=
			model->things[i].queue[queue].done && model->things[i].fate == MODEL_ACCEPTED;
		model->things[i].queue[queue].resent = false;
	}
}

void model_queue_made(struct model *model, int queue)
{
	struct model_queue *made = &model->queues[queue];

	for (int i = 1; i <= model->count && !(made->made && !made->unsure); i++) {
		struct model_thing *thing = &model->things[i];

		if (thing->queue[queue].owed == MODEL_NOT || !made->from_now)
			continue;
		thing->queue[queue].owed = thing->fate == MODEL_ACCEPTED && !made->unsure ? MODEL_NOT : MODEL_MAY;
	}
	made->made = true;
	made->unsure = false;
}

void model_session_ended(struct model *model, bool committed)
{
	for (int i = 0; i < MODEL_QUEUES; i++) {
		if (committed)
			model_committed(model, i);
		else /* the log of state.db may end as if it were damaged: see there */
			model->queues[i].unsure |= !model->queues[i].made;
		memset(model->queues[i].last, 0, sizeof(model->queues[i].last));
	}
	for (int i = 1; i <= model->count; i++) {
		struct model_thing *thing = &model->things[i];

		for (int j = 0; j < MODEL_QUEUES; j++) {
			/* A resend that is lost leaves what was delivered before. */
			thing->queue[j].delivered |= thing->queue[j].resent;
			thing->queue[j].resent = thing->queue[j].lent = thing->queue[j].done = false;
		}
		/* A sample may be found with the id of the commit that failed first, before it was in memory. */
		if (thing->fate == MODEL_WAITING && !thing->event)
			thing->seq = thing->epoch = 0;
		if (thing->fate == MODEL_WAITING || (thing->fate == MODEL_REFUSED && thing->maybe_there))
			thing->fate = MODEL_UNKNOWN;
		thing->maybe_there = false;
	}
}

/* What the step that was cut may have done, beside things: it is kept in before, which is to be the model. */
static void cut_others(const struct model *model, struct model *before)
{
	for (int i = 0; i < MODEL_BOOTS; i++)
		before->synced_in[i] |= model->synced_in[i];
	for (int i = 0; i < MODEL_QUEUES; i++)
		before->queues[i].unsure |= model->queues[i].made && !before->queues[i].made;
}

void model_cut(struct model *model, struct model *before)
{
	int count = model->count;

	if (before) {
		struct model_thing *now = malloc((size_t)(count + 1) * sizeof(*now));

		if (!now)
			abort();
		memcpy(now, model->things, (size_t)(count + 1) * sizeof(*now));
		cut_others(model, before);
		model_copy(model, before);
		for (int i = 1; i <= count; i++) {
			struct model_thing *thing = &model->things[i];

			if (i > model->count) {
				*thing = now[i];
				thing->fate = MODEL_UNKNOWN;
				thing->seq = 0;
				thing->epoch = 0;
			}
			/* What the step acknowledged may be committed, what it sent again may not be. */
			for (int j = 0; j < MODEL_QUEUES; j++) {
				thing->queue[j].delivered |= now[i].queue[j].delivered;
				thing->queue[j].resent |= now[i].queue[j].resent;
				thing->queue[j].firm &= now[i].queue[j].firm;
				if (now[i].queue[j].owed == MODEL_MAY)
					thing->queue[j].owed = MODEL_MAY;
			}
		}
		model->count = count;
		free(now);
	}
	model_session_ended(model, false);
}

void model_damaged(struct model *model, bool state)
{
	model->damaged = true;
	/* Nobody knows then which queues there were: one that is new gets what it would be owed if it were not. */
	for (int i = 0; i < MODEL_QUEUES && state; i++)
		model->queues[i].unsure |= !model->queues[i].made;
	for (int i = 1; i <= model->count; i++) {
		struct model_thing *thing = &model->things[i];

		/* A file that hid what was refused may be gone; events are in state.db only. */
		if (thing->fate == MODEL_REFUSED || thing->fate == MODEL_GONE || (state && thing->event))
			thing->fate = MODEL_UNKNOWN;
		for (int j = 0; j < MODEL_QUEUES; j++) {
			thing->queue[j].firm = false;
			/* A resend may be lost with it. */
			if (state && thing->queue[j].once)
				thing->queue[j].owed = MODEL_MAY;
			if (thing->queue[j].owed == MODEL_NOT && wants(&model->queues[j], thing))
				thing->queue[j].owed = MODEL_MAY;
		}
	}
}

bool model_is_unsure(const struct model *model)
{
	for (int i = 1; i <= model->count; i++)
		if (model->things[i].fate == MODEL_UNKNOWN)
			return true;
	return false;
}

void model_look_begin(struct model *model)
{
	for (int i = 1; i <= model->count; i++)
		model->things[i].seen = 0;
}

/* Told once, a gap need not be found again: state.db may be lost later. */
static void note_gaps(struct model_thing *thing, const struct model_excuses *excuses)
{
	for (int i = 0; i < MODEL_QUEUES; i++)
		if (thing->queue[i].owed == MODEL_MUST && excuses->is_gap(excuses->data, i, thing->event, thing->seq))
			thing->queue[i].owed = MODEL_MAY;
}

void model_look_end(struct model *model, const struct model_excuses *excuses)
{
	for (int i = 1; i <= model->count; i++) {
		struct model_thing *thing = &model->things[i];

		if (thing->fate == MODEL_UNKNOWN && !thing->seen)
			thing->fate = MODEL_GONE;
		if (thing->fate == MODEL_ACCEPTED)
			note_gaps(thing, excuses);
		if (thing->fate != MODEL_ACCEPTED || thing->seen || thing->removed)
			continue;
		if (excuses->is_removed(excuses->data, thing->event, thing->seq))
			thing->removed = true;
		else
			model_trouble(model, "%d, seq %" PRId64 ", was accepted and is not there", i, thing->seq);
	}
}

void model_check_delivered(struct model *model, const struct model_excuses *excuses)
{
	for (int i = 1; i <= model->count; i++) {
		const struct model_thing *thing = &model->things[i];

		for (int j = 0; j < MODEL_QUEUES && thing->fate == MODEL_ACCEPTED; j++) {
			if (!model->queues[j].made || thing->queue[j].owed != MODEL_MUST || thing->queue[j].delivered ||
			    thing->queue[j].resent || excuses->is_gap(excuses->data, j, thing->event, thing->seq))
				continue;
			model_trouble(model, "%d, seq %" PRId64 ", was accepted, never delivered to queue %d%s", i,
			              thing->seq, j, thing->removed ? ", removed, and no gap says so" : "");
		}
	}
}

int model_owed(const struct model *model, int queue)
{
	int owed = 0;

	for (int i = 1; i <= model->count; i++) {
		const struct model_thing *thing = &model->things[i];

		owed += thing->fate == MODEL_ACCEPTED && !thing->removed && thing->queue[queue].owed == MODEL_MUST &&
		        !thing->queue[queue].done && !thing->queue[queue].firm && !thing->queue[queue].delivered;
	}
	return owed;
}
