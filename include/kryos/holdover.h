/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holdover: how long a channel kept its range after the supply was lost.
 *
 * Incremental and pure, as kryos/alarm.h: takes the samples of one channel, and those of the supply, of which the
 * caller says whether it is there. Only samples of quality good and extrapolated count; of others it is known that time
 * has passed. Times are on the time line of an evaluator. docs/alarms.md has the definitions.
 *
 * One thread at a time for each; no call blocks.
 */
#ifndef KRYOS_HOLDOVER_H
#define KRYOS_HOLDOVER_H

#include <kryos/alarm.h>
#include <kryos/exposure.h>

KRYOS_BEGIN

struct kryos_holdover_config {
	uint32_t size;
	uint32_t has;                  /* enum kryos_exposure_field; at least one */
	int64_t low_micro, high_micro; /* in range is neither below nor above */
	int64_t gap_limit_ns;          /* for how long a sample stands for what comes; more than 0, no default */
};
#define KRYOS_HOLDOVER_CONFIG(...) KRYOS_CONFIG_OF(kryos_holdover_config, __VA_ARGS__)

/* Bits of what is known of a loss. */
enum kryos_power_loss_field {
	KRYOS_LOSS_ENDED = 1,   /* the supply is back */
	KRYOS_LOSS_EARLIER = 2, /* it was lost at the first sample of it already: since when is not known */
	KRYOS_LOSS_VALUE = 4,   /* what was measured at its beginning */
	KRYOS_LOSS_EXTREMES = 8,
	KRYOS_LOSS_LEFT = 16,  /* the channel left its range; without it, it held throughout as far as was measured */
	KRYOS_LOSS_UNSEEN = 32 /* nothing was measured for longer than the limit before that: it is not known of then */
};

struct kryos_power_loss {
	uint32_t size; /* set by the caller */
	uint32_t known;
	struct kryos_instant start; /* the first sample without supply */
	struct kryos_instant end;   /* the first with it */
	struct kryos_instant left;  /* the first sample of the channel out of range; start where it was so then */
	int64_t length_ns;          /* to its end, or so far */
	int64_t value_micro;        /* the newest measurement before it, at most the limit older */
	int64_t held_ns; /* to the last sample in range before it left or was not seen: for so long it held at least */
	int64_t left_ns; /* from start to left: for no longer */
	int64_t min_micro, max_micro; /* of the samples from start to end */
	uint32_t uncertain;           /* reboots in it after which it is not known how long the device was off */
	uint32_t reserved;
};

struct kryos_holdover;

/* -EINVAL names the field; -ENOMEM. */
KRYOS_API int kryos_holdover_new(struct kryos_holdover **ret_holdover, const struct kryos_holdover_config *config);
KRYOS_EXPORT void kryos_holdover_free(struct kryos_holdover *holdover); /* NULL is allowed */

/*
 * The next sample of the channel, or of the supply, which is there where on is not 0. One that is earlier than another
 * before it in the same boot counts as of that one: two channels need not be in order. With the supply, 1: a loss is
 * over, and *ret_ended, which may be NULL, is it (its size is set by the caller). On failure nothing has changed:
 * -EINVAL: a time below 0, or a loss of unknown size; -ERANGE: more than 292 years.
 */
KRYOS_API int kryos_holdover_take(struct kryos_holdover *holdover, const struct kryos_sample *sample);
KRYOS_API int kryos_holdover_take_supply(struct kryos_holdover *holdover, const struct kryos_sample *sample, int on,
                                         struct kryos_power_loss *ret_ended);

/* The loss that goes on, up to the newest sample: 1; 0: the supply is there, or nobody knows. -EINVAL: unknown size. */
KRYOS_API int kryos_holdover_look(const struct kryos_holdover *holdover, struct kryos_power_loss *ret_loss);

/* The state between two samples as bytes, the same on every machine; free() them. -ENOMEM. */
KRYOS_API int kryos_holdover_save(const struct kryos_holdover *holdover, void **ret_bytes, size_t *ret_count);
/* Goes on from a saved state, before the first sample; a loss that goes on is judged by the range of now from here on.
 * KRYOS_ECORRUPT, KRYOS_EFORMAT, -EBUSY as kryos_history_restore(). */
KRYOS_API int kryos_holdover_restore(struct kryos_holdover *holdover, const void *bytes, size_t count);

KRYOS_END
#endif
