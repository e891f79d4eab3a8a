/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Survey: what a board has. Chips on its buses, its clock, its watchdog, its disk; and for what is missing, what to do.
 *
 * At the addresses that drivers of this build know, what tells one chip from another is read, and nothing is written to
 * a chip that is not known. That is no harm to a chip that nobody else uses; between the transfers of another process
 * it may be, so buses that one uses are left out. What was found is then measured once, if that is asked for. No
 * watchdog is opened, for that would start it. Chips on power that is switched off are not
 * found, nor are those behind multiplexers, but where a channel was left open: such a one looks as if it were on the
 * bus itself.
 */
#ifndef KRYOS_SURVEY_H
#define KRYOS_SURVEY_H

#include <kryos/base.h>

KRYOS_BEGIN

struct kryos_ctx;

enum kryos_finding_kind {
	KRYOS_FINDING_BUS = 1, /* of a kind of which nothing can be reached, or where nothing answers */
	KRYOS_FINDING_CHIP,    /* at this address there is something, but it can't be used as it is */
	KRYOS_FINDING_CLOCK,
	KRYOS_FINDING_SENSOR,
	KRYOS_FINDING_WATCHDOG,
	KRYOS_FINDING_DISK
};

struct kryos_finding {
	uint32_t size;
	enum kryos_finding_kind kind;
	int code;           /* 0, or why it can't be used */
	const char *where;  /* "i2c-1 0x76", "w1", "watchdog", "disk" */
	const char *driver; /* "bme280"; "" where it is none */
	const char *device; /* for a station file: "bme280@i2c-1:0x76"; "" where there is none */
	const char *text;   /* "24.1 Cel  46 %RH  912.3 hPa", or what to do */
};

struct kryos_survey_config {
	uint32_t size;
	uint32_t measure;   /* 1: sensors that are found are measured */
	const char *folder; /* whose disk is tried, with a file that is removed again; NULL: none */
	uint32_t channels;  /* measured every minute, for how long there is room; 0: those that were found */
	uint32_t no_buses;  /* 1: no bus is looked at: somebody else uses them */
	uint32_t no_board;  /* 1: neither watchdog nor disk */
	uint32_t reserved;
	int64_t keep_bytes; /* what the store may take; 0: the default of its config */
};
#define KRYOS_SURVEY_CONFIG(...) KRYOS_CONFIG_OF(kryos_survey_config, __VA_ARGS__)

/*
 * Calls found for each finding, on this thread, in the order of buses and addresses; what it is given lives until it
 * returns. Returns how many could be used (code 0). config may be NULL. Waits: at most 1 s for each address of an I2C
 * bus (one that is stuck is left at once), 5 s for each sensor that is measured, and for the disk. Not on the context's
 * workers. A real-time clock that is found is the context's from then on (kryos_clock_use_rtc). -EINVAL: no found, or a
 * config of unknown size; -ENOMEM; KRYOS_EFORK.
 */
KRYOS_API int kryos_survey(struct kryos_ctx *ctx, const struct kryos_survey_config *config,
                           void (*found)(void *data, const struct kryos_finding *finding), void *data);

KRYOS_END
#endif
