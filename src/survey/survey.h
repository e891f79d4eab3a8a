/* SPDX-License-Identifier: Apache-2.0 */
/* Survey, inside: its parts. All run on the caller's thread and wait. */
#ifndef KRI_SURVEY_H
#define KRI_SURVEY_H

#include "../sensor/sensor.h"
#include <kryos/survey.h>

struct kri_survey {
	struct kryos_ctx *ctx;
	struct kryos_survey_config config;
	void (*found)(void *data, const struct kryos_finding *finding);
	void *data;
	int usable;
	unsigned int channels; /* that were found */
	unsigned int number;   /* of sensors measured: each needs a name */
};

/* Tells the caller. */
void kri_survey_tell(struct kri_survey *survey, enum kryos_finding_kind kind, int code, const char *where,
                     const char *driver, const char *device, const char *format, ...) KRYOS_PRINTF(7, 8);

/* buses.c. The names of all buses of a kind ("i2c"), in order, NULL at the end; free each and the list. */
char **kri_survey_buses(struct kryos_ctx *ctx, const char *kind);
void kri_survey_free_buses(char **buses);
/* What answers to a search on a bus that can be searched (w1). Returns < 0 with a sentence where it could not be. */
int kri_survey_list(struct kryos_ctx *ctx, const char *bus, kryos_found_fn found, void *data);

/* advice.c. What to do where there is no bus of a kind, or nothing on it; never NULL. */
const char *kri_advice_no_bus(const char *kind);
const char *kri_advice_no_chip(const char *kind);

/* chips.c */
int kri_survey_i2c(struct kri_survey *survey);
int kri_survey_spi(struct kri_survey *survey);
int kri_survey_w1(struct kri_survey *survey);

/* disk.c. How fast syncs are, how worn it is, for how long there is room. */
void kri_survey_disk(struct kri_survey *survey);

#endif
