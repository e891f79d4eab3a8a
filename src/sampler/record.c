/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler_private.h"
#include <string.h>

#define UNIT INT64_C(1000000)

/*
 * What is measured at a full hour is the last of the hour before, not the first of the next: so the
 * record of an hour is stamped with its end, and made when that is reached.
 */
int64_t kri_record_end(int64_t t_boot_ns, int64_t length_ns)
{
	int64_t rest = t_boot_ns % length_ns;

	return rest ? t_boot_ns - rest + length_ns : t_boot_ns;
}

void kri_record_add(struct kri_record *record, int64_t length_ns, const struct kryos_sample *sample)
{
	int64_t value = sample->value_micro;

	record->end_ns = kri_record_end(sample->t_boot_ns, length_ns);
	record->last = *sample;
	record->readings++;
	record->alarm |= sample->alarm;
	if (!kryos_quality_is_measured(sample->quality))
		return;
	if (sample->quality != KRYOS_QUALITY_GOOD)
		record->doubt = sample->quality;
	if (!record->good || value < record->min_micro)
		record->min_micro = value;
	if (!record->good || value > record->max_micro)
		record->max_micro = value;
	record->good++;
	record->sum_whole += value / UNIT;
	record->sum_rest += value % UNIT;
}

static int64_t mean(const struct kri_record *record)
{
	int64_t whole = record->sum_whole / record->good, rest = record->sum_whole % record->good;

	return whole * UNIT + kri_divide_rounded(rest * UNIT + record->sum_rest, record->good);
}

void kri_record_take(struct kri_record *record, uint32_t min_channel, uint32_t max_channel,
                     struct kryos_sample ret_samples[3])
{
	for (int i = 0; i < 3; i++) {
		ret_samples[i] = record->last;
		ret_samples[i].alarm = record->alarm;
		if (record->good)
			ret_samples[i].quality = record->doubt;
	}
	ret_samples[1].channel = min_channel;
	ret_samples[2].channel = max_channel;
	if (record->good) {
		ret_samples[0].value_micro = mean(record);
		ret_samples[1].value_micro = record->min_micro;
		ret_samples[2].value_micro = record->max_micro;
	}
	memset(record, 0, sizeof(*record));
}
