/* SPDX-License-Identifier: Apache-2.0 */
/* The rule is in link.h. */
#include "link.h"
#include <string.h>

#define SUSPICIOUS 2 /* losses in a row */
#define PAUSE_NS KRYOS_MILLISECONDS(250)

static struct kri_suspect *find(struct kri_poison *poison, int64_t seq)
{
	for (unsigned int i = 0; i < poison->count; i++)
		if (poison->suspects[i].seq == seq)
			return &poison->suspects[i];
	return NULL;
}

static void end_trial(struct kri_poison *poison)
{
	poison->on_trial = 0;
	poison->controls = 0;
	poison->sent = false;
	poison->pause_until = 0;
}

bool kri_poison_careful(const struct kri_poison *poison)
{
	for (unsigned int i = 0; i < poison->count; i++)
		if (poison->suspects[i].losses >= SUSPICIOUS)
			return true;
	return false;
}

/*
 * Streams are in order and what was lost is lent again first, so a suspect that a newer record of
 * its kind overtakes is not owed any more (retention removed it). Live samples are all newer than
 * the link and say nothing about older ones. Only when one at a time is sent: else the suspect may be
 * in flight.
 */
static void forget_overtaken(struct kri_poison *poison, const struct kryos_record *record)
{
	bool event = record->event != NULL;

	if (record->stream == KRYOS_STREAM_LIVE || !kri_poison_careful(poison))
		return;
	for (unsigned int i = poison->count; i-- > 0;)
		if (poison->suspects[i].event == event && poison->suspects[i].seq < record->seq)
			kri_poison_clear(poison, poison->suspects[i].seq);
}

enum kri_verdict kri_poison_ask(struct kri_poison *poison, const struct kryos_record *record, int64_t now)
{
	const struct kri_suspect *suspect;

	forget_overtaken(poison, record);
	suspect = find(poison, record->seq);
	if (!suspect || suspect->losses < SUSPICIOUS)
		return KRI_SEND_RECORD;
	if (poison->on_trial != record->seq) {
		end_trial(poison);
		poison->on_trial = record->seq;
		poison->controls = suspect->trials + 1;
	}
	if (now < poison->pause_until)
		return KRI_WAIT;
	return poison->controls ? KRI_SEND_CONTROL : KRI_SEND_RECORD;
}

void kri_poison_control_acked(struct kri_poison *poison, int64_t now)
{
	const struct kri_suspect *suspect = find(poison, poison->on_trial);

	if (!suspect || !poison->controls)
		return;
	poison->controls--;
	poison->pause_until = now + (int64_t)(kri_jitter(&poison->seed) % (uint64_t)(PAUSE_NS << suspect->trials));
}

void kri_poison_sent(struct kri_poison *poison, int64_t seq)
{
	if (poison->on_trial == seq)
		poison->sent = true;
}

void kri_poison_clear(struct kri_poison *poison, int64_t seq)
{
	struct kri_suspect *suspect = find(poison, seq);

	if (poison->on_trial == seq)
		end_trial(poison);
	if (suspect)
		*suspect = poison->suspects[--poison->count];
}

void kri_poison_clear_all(struct kri_poison *poison)
{
	poison->count = 0;
	end_trial(poison);
}

static void suspect_more(struct kri_poison *poison, const struct kri_sent *sent)
{
	struct kri_suspect *suspect = find(poison, sent->seq);

	if (!suspect) {
		if (poison->count == KRI_SUSPECTS_MAX)
			return;
		suspect = &poison->suspects[poison->count++];
		*suspect = (struct kri_suspect){ .seq = sent->seq, .event = sent->event };
	}
	if (suspect->losses < SUSPICIOUS)
		suspect->losses++;
}

/* Those below suspicion must have been in flight each time: "in a row". */
static void drop_absent(struct kri_poison *poison, const struct kri_sent *sent, unsigned int count)
{
	for (unsigned int i = poison->count; i-- > 0;) {
		bool present = false;

		for (unsigned int k = 0; k < count; k++)
			present = present || sent[k].seq == poison->suspects[i].seq;
		if (!present && poison->suspects[i].losses < SUSPICIOUS)
			kri_poison_clear(poison, poison->suspects[i].seq);
	}
}

int64_t kri_poison_lost(struct kri_poison *poison, const struct kri_sent *sent, unsigned int count, bool near)
{
	bool trial = poison->sent && count == 1 && sent[0].seq == poison->on_trial && near;
	struct kri_suspect *suspect = trial ? find(poison, poison->on_trial) : NULL;
	int64_t seq = poison->on_trial;

	end_trial(poison);
	if (suspect) {
		suspect->trials++;
		return suspect->trials >= KRI_POISON_TRIALS ? seq : 0;
	}
	for (unsigned int i = 0; i < poison->count; i++)
		poison->suspects[i].trials = 0;
	if (!near)
		count = 0;
	drop_absent(poison, sent, count);
	for (unsigned int i = 0; i < count; i++)
		if (sent[i].seq)
			suspect_more(poison, &sent[i]);
	return 0;
}
