/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sampler, inside.
 *
 *     sampler.c   the public calls, and when what is due
 *     round.c     one round: jobs on buses, answers, the end
 *     record.c    mean, minimum and maximum of a period
 *     twins.c     two probes that have to agree
 *     noted.c     what is in force of the channels, and the record of its changes
 *
 * Context thread only.
 */
#ifndef KRI_SAMPLER_PRIVATE_H
#define KRI_SAMPLER_PRIVATE_H

#include "monitor/monitor.h"
#include "sensor/sensor.h"
#include "store/store.h"
#include <kryos/sampler.h>

/*
 * What has not answered after this is recorded as timeout: sooner where it is due again sooner, later where more
 * sensors share a bus than can answer in it (round.c).
 */
#define KRI_ROUND_LIMIT_NS KRYOS_SECONDS(10)

/* record.c */

/* The readings of one channel in one period so far. */
struct kri_record {
	int64_t end_ns;              /* of the period, which holds what was measured after end - length, until end */
	uint32_t readings, good;     /* good: measured */
	uint32_t alarm;              /* of any of them */
	uint16_t doubt;              /* the quality of a measured one that is not good; else good */
	int64_t sum_whole, sum_rest; /* of the good ones: whole units and millionths, so that nothing overflows */
	int64_t min_micro, max_micro;
	struct kryos_sample last;
};
/* The end of the period an instant belongs to. */
int64_t kri_record_end(int64_t t_boot_ns, int64_t length_ns);
void kri_record_add(struct kri_record *record, int64_t length_ns, const struct kryos_sample *sample);
/* Mean, minimum, maximum, with the stamps of the last reading, and begins anew. Without a good reading: its reason. */
void kri_record_take(struct kri_record *record, uint32_t min_channel, uint32_t max_channel,
                     struct kryos_sample ret_samples[3]);

/* twins.c */

/* What a channel has to agree with. */
struct kri_twin {
	uint32_t other; /* channel; 0: nobody */
	int64_t within_micro;
	bool disagrees;          /* was announced */
	bool agrees;             /* again, */
	int64_t agrees_since_ns; /* since then */
};
struct kri_probe;
/* Takes what is said of the probe's channels; its sensor is open, it is in no list yet. -EINVAL with a sentence. */
int kri_twins_take(struct kri_probe *probe, const struct kryos_channel_config *const *configs);
/* Both samples are of one round. Flags both, and announces what has changed. */
void kri_twin_judge(struct kryos_sampler *sampler, struct kri_twin *twin, struct kryos_sample *sample,
                    struct kryos_sample *other);

/* noted.c */

/* Takes what is said of the probe's channels, and by whom. -EINVAL, -ENOMEM. */
int kri_noted_take(struct kri_probe *probe, const struct kryos_channel_config *const *configs, const char *who);
/* Tells the store what it does not know yet; again with each round, if it could not take it. */
void kri_noted_tell(struct kri_probe *probe);
void kri_noted_free(struct kri_probe *probe);

/* sampler.c */

struct kri_probe {
	struct kri_probe *next;
	struct kryos_sampler *sampler;
	struct kryos_sensor *sensor;
	int64_t every_ns, record_ns;
	int64_t due_ns; /* the next instant */
	bool is_due, in_round;
	struct kri_record records[KRYOS_SENSOR_MAX_CHANNELS];
	uint32_t min_channels[KRYOS_SENSOR_MAX_CHANNELS], max_channels[KRYOS_SENSOR_MAX_CHANNELS];
	struct kri_twin twins[KRYOS_SENSOR_MAX_CHANNELS];
	char *noted[KRYOS_SENSOR_MAX_CHANNELS]; /* what is in force; NULL: the store knows it */
	char who[32];
};

struct kri_submission {
	struct kri_submission *next;
	struct kryos_sampler *sampler;
	size_t count;
};

struct kryos_sampler {
	struct kri_object object;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_sampler_config config;
	bool simulated, refusing;
	struct kri_timer timer;
	uint32_t round; /* the number of the newest */
	struct kri_probe *probes;
	struct kri_round *rounds; /* under way */
	struct kri_part *parts;   /* jobs on buses, those of rounds that ended without them too */
	struct kri_submission *submissions;
	struct kryos_sampler_status status;
};

/* Announces an event that belongs in the store, and puts it there. */
void kri_sampler_announce(struct kryos_sampler *sampler, const struct kryos_event *event);
/* Hands samples to the store. */
void kri_sampler_submit(struct kryos_sampler *sampler, const struct kryos_sample *samples, size_t count);
/* A round has ended: its probes may be due again. */
void kri_sampler_round_ended(struct kryos_sampler *sampler, uint32_t number);

/* round.c */

/* Begins measuring the probes that are due, stamped t_boot_ns and numbered sampler->round. */
int kri_rounds_begin(struct kryos_sampler *sampler, int64_t t_boot_ns);
/* All that are under way, without samples. */
void kri_rounds_cancel(struct kryos_sampler *sampler);
bool kri_round_is_open(const struct kryos_sampler *sampler, uint32_t number);

#endif
