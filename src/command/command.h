/* SPDX-License-Identifier: Apache-2.0 */
/* Command, inside: the table. */
#ifndef KRI_COMMAND_H
#define KRI_COMMAND_H

#include "../json/json.h"
#include "../station/station.h"
#include <kryos/command.h>

enum kri_argument_type { KRI_ARGUMENT_TEXT = 1, KRI_ARGUMENT_NUMBER };

struct kri_argument {
	const char *name; /* NULL: the list ends here */
	enum kri_argument_type type;
	bool required;
	const char *choices; /* of a text, space-separated; NULL: any */
	int64_t minimum, maximum;
};

#define KRI_MAX_ARGUMENTS 4
#define KRI_FLUSH_NS KRYOS_SECONDS(1) /* a disk is waited for that long */

struct kri_command {
	const char *name;
	enum kryos_right right;
	const char *help; /* one line */
	struct kri_argument arguments[KRI_MAX_ARGUMENTS + 1];
	/* arguments are checked. *ret_result is an object. < 0: the sentence is the answer. */
	int (*run)(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result);
	/* The same of a command whose effect is somebody's: it has run_for or run. */
	int (*run_for)(struct kryos_station *station, const struct kri_json *arguments, const char *who,
	               struct kri_json **ret_result);
};

/* handlers.c; the last has no name. */
extern const struct kri_command kri_commands[];

/* alarm_handlers.c */
int kri_run_metrics(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result);
int kri_run_alarm_list(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result);
int kri_run_channel_list(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result);
int kri_run_alarm_acknowledge(struct kryos_station *station, const struct kri_json *arguments, const char *who,
                              struct kri_json **ret_result);
int kri_run_alarm_test(struct kryos_station *station, const struct kri_json *arguments, const char *who,
                       struct kri_json **ret_result);
int kri_run_channel_retire(struct kryos_station *station, const struct kri_json *arguments, const char *who,
                           struct kri_json **ret_result);
int kri_run_channel_resume(struct kryos_station *station, const struct kri_json *arguments, const char *who,
                           struct kri_json **ret_result);

#endif
