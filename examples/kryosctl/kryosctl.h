/* SPDX-License-Identifier: Apache-2.0 */
/* kryosctl: what its commands share. Exit status 0: done; 1: not done, or not all of it; 2: used wrongly. */
#ifndef KRYOSCTL_H
#define KRYOSCTL_H

#include "json/json.h"
#include <kryos/kryos.h>
#include <stdbool.h>
#include <stdio.h>

#define EXIT_USAGE 2

/* Bits of struct command.options: the long options a command takes beside --help. */
enum option_bit {
	TAKES_STORE = 1,
	TAKES_SOCKET = 2,
	TAKES_JSON = 4,
	TAKES_FOLLOW = 8,
	TAKES_COUNT = 16,
	TAKES_CHANNEL = 32,
	TAKES_EVENTS = 64,
	TAKES_RANGE = 128,
	TAKES_OUTPUT = 256,
	TAKES_EVALUATE = 512,
	TAKES_PROMETHEUS = 1024,
	TAKES_COMMENT = 2048,
	TAKES_WHY = 4096,
	TAKES_CONFIG = 8192,
	TAKES_VVM = 16384,
	TAKES_REPORT = 32768,
	TAKES_VERIFY = 65536,
	TAKES_BUNDLE = 131072
};

#define MAX_CHANNELS 32
#define MAX_ANCHORS 32
#define DEFAULT_CONFIG "/etc/kryos/station.ini"

struct options {
	const char *store, *socket, *output, *profile, *rules, *comment, *why, *config, *timezone, *language, *key;
	bool json, follow, events, repair, days, prometheus, bundle, is_unsigned;
	const char *anchors[MAX_ANCHORS]; /* NUMBER:HASH */
	unsigned int anchor_count;
	int64_t count;
	const char *channels[MAX_CHANNELS];
	unsigned int channel_count;
	int64_t from_ns, to_ns; /* to: INT64_MAX: no end */
	int64_t activation_j_per_mol;
	uint32_t vvm, vvm_model; /* as in kryos_exposure_config */
};

struct command {
	const char *name;
	const char *arguments; /* in the usage line */
	const char *summary;
	const char *help;
	unsigned int options;
	int (*run)(const struct options *options, char *const *arguments, int count);
};
extern const struct command status_command, read_command, tail_command, export_command, queue_command, verify_command,
	salvage_command, evaluate_command, report_command, collect_command, alarm_command, channel_command,
	command_command, scan_command, setup_command, doctor_command;

/* "kryosctl: " and the sentence, on stderr; gives EXIT_FAILURE. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with a pointer to --help; gives EXIT_USAGE. */
int misused(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ask.c. Asks the daemon; *ret_result is its result object. arguments is taken over; NULL: none. < 0: kryos_strerror.
 */
int ask_daemon(const struct options *options, const char *command, struct kri_json *arguments,
               struct kri_json **ret_result);
/*
 * The same; where none answers, the store of the station file is opened under its lock, and the command is carried out
 * and recorded there. An exit status: what went wrong was said.
 */
int ask_or_do(const struct options *options, const char *command, struct kri_json *arguments,
              struct kri_json **ret_result);
/* The login name of whoever runs this. */
const char *own_name(char buffer[64]);
/* Whether a failed ask means that no daemon runs. */
bool nobody_answers(int result);

/* export.c: a signed bundle of the store and range of the options, as EXIT_...; complains itself. */
int write_bundle(const struct options *options, const char *path);

/* scan.c */
void print_finding(const struct kryos_finding *finding);

/* report.c. The end of path says in which form. An exit status; what is wrong was said. */
int write_report(const struct options *options, const char *path);

/* show.c */
/* Text from elsewhere: control characters would steer the terminal. */
void print_text(FILE *stream, const char *text);
void print_json(const struct kri_json *value);                       /* one line on stdout */
const char *text_of(const struct kri_json *object, const char *key); /* "" where there is none */
/* A time in whole seconds; "" where there is none. buffer of KRYOS_TEXT_MAX. */
const char *seconds_of(const struct kri_json *object, const char *key, char *buffer);
int64_t number_of(const struct kri_json *object, const char *key); /* 0 where there is none */
/* A JSON number as exact decimal text; "-" where there is none. buffer of KRYOS_TEXT_MAX. */
const char *decimal_of(const struct kri_json *object, const char *key, char *buffer);
/* "12 s", "3 min", "5 h", "9 d". buffer of KRYOS_TEXT_MAX. */
const char *age_text(double seconds, char *buffer);
void print_readings(const struct kri_json *readings);
/* One record of a store on a line. */
void print_record(const struct kryos_record *record, bool json, FILE *stream);
bool is_wanted(const struct options *options, const struct kryos_record *record);
/* Whether it is one of those that were named, or none was. */
bool is_channel_wanted(const struct options *options, const char *channel);
/* Says what the reader had to leave out, if anything: EXIT_FAILURE, for nobody should take a part for the whole. */
int complain_of_gaps(struct kryos_reader *reader);
/* stdout or file could take everything: EXIT_SUCCESS, else complains. */
int finish(FILE *stream, const char *name);

#endif
