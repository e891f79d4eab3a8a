/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation: a recorded temperature of any logger, judged as a station would have.
 *
 * A log is a CSV file: a header time,celsius, then a row for each reading (docs/howto/evaluate-a-log.md). A column
 * "channel" says whose row it is, and each channel is judged for itself. A file with a mistake gives its line and no
 * result. The evaluation holds all that was found, and the rows, until it is freed; nothing of it changes.
 *
 * Needs no context, and no thread of the library is involved: kryos_evaluate reads the file and computes on the
 * caller's. Afterwards all calls are safe from any thread and do not block.
 */
#ifndef KRYOS_EVALUATE_H
#define KRYOS_EVALUATE_H

#include <kryos/alarm.h>
#include <kryos/base.h>
#include <kryos/exposure.h>
#include <kryos/history.h>
#include <kryos/sample.h>

KRYOS_BEGIN

struct kryos_evaluation;

struct kryos_evaluate_config {
	uint32_t size;
	uint32_t repair;     /* 1: rows that are out of order, or the same as the one before, are left out and listed */
	const char *profile; /* NULL, without rules: "who-refrigerator" */
	const char *rules;   /* a file of sections [rule NAME] instead of a profile */
	int64_t activation_j_per_mol; /* as in struct kryos_exposure_config; so are the next two */
	uint32_t vvm, vvm_model;
	uint32_t days; /* 1: its days in UTC too */
	uint32_t reserved;
};
#define KRYOS_EVALUATE_CONFIG(...) KRYOS_CONFIG_OF(kryos_evaluate_config, __VA_ARGS__)

/*
 * Reads the file and judges it. config may be NULL. -ENOENT, -EACCES, ...: the file, or that of rules, can't be read;
 * -EBADMSG: a row is none; -EILSEQ: a row is older than one before it, or the same (repair leaves it out);
 * KRYOS_ECONFIG: mistakes in the rules, one a line: all of these name file and line. -EINVAL: there is no such profile
 * (the sentence lists them), or a field is not as allowed; -EOPNOTSUPP: rules, in a build without inih. -ENOMEM.
 */
KRYOS_API int kryos_evaluate(struct kryos_evaluation **ret_evaluation, const char *path,
                             const struct kryos_evaluate_config *config);
KRYOS_EXPORT void kryos_evaluation_free(struct kryos_evaluation *evaluation); /* NULL is allowed */

/* How many channels the log has: 1 where it does not say. */
KRYOS_API unsigned int kryos_evaluation_get_channel_count(const struct kryos_evaluation *evaluation);

/* What is known of one channel. Strings live as long as the evaluation. */
struct kryos_evaluation_summary {
	uint32_t size;
	uint32_t reserved;
	const char *channel;                     /* NULL: the log has no such column */
	const char *rules;                       /* the profile's name, or the file's */
	uint64_t samples;                        /* at least 1 */
	uint64_t left_out, gaps, episodes, days; /* how many there are to get */
	int64_t from_ns, to_ns;                  /* wall time of the first and the last row */
	int64_t interval_ns;                     /* the median distance */
};
/* channel from 0, in the order in which the log names them first. Fill size. -ENOENT: no more. */
KRYOS_API int kryos_evaluation_get_summary(const struct kryos_evaluation *evaluation, unsigned int channel,
                                           struct kryos_evaluation_summary *ret_summary);
/* Extremes, means, mean kinetic temperature, vial monitors. Fill size. -ENOENT: no more. */
KRYOS_API int kryos_evaluation_get_exposure(const struct kryos_evaluation *evaluation, unsigned int channel,
                                            struct kryos_exposure_result *ret_result);
/* index from 0, in order of start, each once: as it ended, or as it stands at the end of the log. -ENOENT: no more. */
KRYOS_API int kryos_evaluation_get_episode(const struct kryos_evaluation *evaluation, unsigned int channel,
                                           size_t index, struct kryos_episode *ret_episode);
/* Two rows that are further apart than two intervals: index from 0. -ENOENT: no more. */
KRYOS_API int kryos_evaluation_get_gap(const struct kryos_evaluation *evaluation, unsigned int channel, size_t index,
                                       int64_t *ret_from_ns, int64_t *ret_to_ns);
/* A day of which anything is known, where days were asked for: index from 0, the oldest first. Fill size. -ENOENT. */
KRYOS_API int kryos_evaluation_get_day(const struct kryos_evaluation *evaluation, unsigned int channel, size_t index,
                                       struct kryos_history_day *ret_day);
/* A row that repair left out: its line in the file, and why (static). index from 0. -ENOENT: no more. */
KRYOS_API int kryos_evaluation_get_left_out(const struct kryos_evaluation *evaluation, unsigned int channel,
                                            size_t index, uint32_t *ret_line, const char **ret_why);
/*
 * The channel's rows from the one numbered first on, from 0, at most count of them: how many were written. They are
 * good, and trusted as synced; seq is the line in the file, round the number of the row.
 */
KRYOS_API int kryos_evaluation_get_rows(const struct kryos_evaluation *evaluation, unsigned int channel, size_t first,
                                        struct kryos_row *rows, size_t count);

KRYOS_END
#endif
