/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sample: one value of one channel at one instant, with its quality and the trust of its time.
 *
 * A measurement that failed is a sample with a reason, never an error and never an invented
 * number: where quality is not good, value_micro is what the chip said if it said anything, else 0.
 * Samples are plain values: copy them as you like. All calls are safe from any thread and do not
 * block.
 */
#ifndef KRYOS_SAMPLE_H
#define KRYOS_SAMPLE_H

#include <kryos/base.h>
#include <stdio.h>

KRYOS_BEGIN

struct kryos_ctx;

/* Why a value is good, or why not. The numbers are stored: none is ever given another meaning. */
enum kryos_quality {
	KRYOS_QUALITY_GOOD = 0,
	KRYOS_QUALITY_ABSENT = 1,        /* no chip answered */
	KRYOS_QUALITY_CRC = 2,           /* the chip's checksum was wrong, retries included */
	KRYOS_QUALITY_BUS = 3,           /* the bus failed: stuck line, I/O error; of w1 also an unplugged chip */
	KRYOS_QUALITY_RANGE = 4,         /* outside what the sensor can measure */
	KRYOS_QUALITY_POWER_ON = 5,      /* the chip's value after reset, not a measurement */
	KRYOS_QUALITY_STUCK = 6,         /* has not moved for longer than is credible */
	KRYOS_QUALITY_RATE = 7,          /* moved faster than is credible */
	KRYOS_QUALITY_OPEN = 8,          /* probe wire open */
	KRYOS_QUALITY_SHORT = 9,         /* probe wire shorted */
	KRYOS_QUALITY_EXTRAPOLATED = 10, /* outside the calibrated range */
	KRYOS_QUALITY_DISAGREES = 11,    /* redundant probes differ too much */
	KRYOS_QUALITY_TIMEOUT = 12,      /* no answer in time: of one transfer, or within the round */
	KRYOS_QUALITY_CHIP = 13          /* another chip than the configured one answers */
};

/*
 * 1 where value_micro is what was measured: good, extrapolated. Such values are shown, sent and counted as what they
 * are, with their quality. 0: it must not be taken for a measurement. Of stuck, rate and disagrees it is doubtful
 * rather than wrong: it may begin or prolong an excursion, and never ends one.
 */
KRYOS_EXPORT int kryos_quality_is_measured(unsigned int quality);

/* How far wall time can be believed. Ordered. */
enum kryos_trust {
	KRYOS_TRUST_NONE = 0,  /* nothing is known; t_wall_ns is what the system clock said */
	KRYOS_TRUST_FLOOR = 1, /* not earlier than the newest trusted stamp in the store */
	KRYOS_TRUST_RTC = 2,   /* from a real-time clock whose battery has kept it */
	KRYOS_TRUST_SYNCED = 3 /* the kernel says the clock is synchronised */
};

/* Bits of struct kryos_sample.flags; not stored. */
enum kryos_sample_flag {
	KRYOS_SAMPLE_CORRECTED = 1, /* t_wall_ns was corrected by the boot's offset on reading */
	KRYOS_SAMPLE_VOLATILE = 2   /* in RAM only so far */
};

struct kryos_sample {
	int64_t value_micro; /* millionths of the channel's unit: 5.25 Cel is 5250000 */
	int64_t t_boot_ns;   /* CLOCK_BOOTTIME */
	int64_t t_wall_ns;   /* since 1970-01-01 UTC, as good as trust says */
	int64_t seq;         /* 0 until the store has accepted it; then its number, never reused */
	uint32_t channel;    /* kryos_channel_add() */
	uint32_t round;      /* readings of one round share a number */
	uint32_t boot;       /* which boot t_boot_ns counts from, numbered by the store; 0: this one */
	uint16_t quality;    /* enum kryos_quality */
	uint16_t trust;      /* enum kryos_trust */
	uint32_t flags;
	uint32_t alarm; /* bits 1 << enum kryos_rule_kind: kinds of rules that have an open episode at this sample */
};

/* A sample as a row of a table, for programs that compute with very many. There is no padding in it. */
struct kryos_row {
	int64_t seq;
	int64_t t_wall_ns;
	double value;     /* in the channel's unit; NaN where quality is neither measured nor doubtful */
	uint32_t channel; /* as in struct kryos_sample, of the context that reads; 0: there its name has another unit */
	uint32_t round;
	uint32_t boot;
	uint16_t quality, trust;
};
KRYOS_EXPORT void kryos_row_from_sample(const struct kryos_sample *sample, struct kryos_row *ret_row);

/*
 * Gives the number of a channel in this context, adding it when new. name is
 * "<sensor>.<quantity>", 1 to 63 of [a-z0-9_.-]; unit is SenML's ("Cel", "%RH", "Pa", "V", "lx",
 * "/"), at most 15 bytes. Both are copied. -EINVAL: malformed, or the name exists with another
 * unit. -ENOSPC: 4096 channels.
 */
KRYOS_API int kryos_channel_add(struct kryos_ctx *ctx, const char *name, const char *unit, uint32_t *ret_channel);

/* Name and unit of a channel; "?" and "" for a number that was never given. Live as long as the context. */
KRYOS_EXPORT const char *kryos_channel_name(struct kryos_ctx *ctx, uint32_t channel);
KRYOS_EXPORT const char *kryos_channel_unit(struct kryos_ctx *ctx, uint32_t channel);

/* "good", "absent", ...; "none", "floor", "rtc", "synced". "?" for an unknown number. Static. */
KRYOS_EXPORT const char *kryos_quality_name(unsigned int quality);
KRYOS_EXPORT const char *kryos_trust_name(unsigned int trust);

/*
 * One line: "2026-11-20T09:12:00Z rtc  fridge.temperature  5.25 Cel  good", in whole seconds, and
 * without value where there is none. A stream's error stays in ferror(stream).
 */
KRYOS_EXPORT void kryos_sample_print(struct kryos_ctx *ctx, const struct kryos_sample *sample, FILE *stream);

/*
 * The value as decimal text, exact, without trailing zeros ("5.25", "-0.0625"), and an instant as
 * "2026-11-20T09:12:00Z" (fraction only if not whole seconds; UTC). buffer of at least
 * KRYOS_TEXT_MAX bytes; returns buffer.
 */
#define KRYOS_TEXT_MAX 40
KRYOS_EXPORT char *kryos_value_text(int64_t value_micro, char *buffer);
KRYOS_EXPORT char *kryos_time_text(int64_t t_wall_ns, char *buffer);

KRYOS_END
#endif
