/* SPDX-License-Identifier: Apache-2.0 */
/* Built instead of the table and the door where inih or cJSON is left out: no station, no commands. */
#include "../core/core.h"
#include <kryos/command.h>

static int absent(void)
{
	return kryos_fail(-EOPNOTSUPP, "this build has no commands: it was made without inih or cJSON");
}

int kryos_command_run(struct kryos_station *station, const char *request, const char *who, unsigned int rights,
                      char **ret_answer)
{
	(void)station;
	(void)request;
	(void)who;
	(void)rights;
	(void)ret_answer;
	return absent();
}

int kryos_command_list(char **ret_json)
{
	(void)ret_json;
	return absent();
}

int kryos_door_open(struct kryos_door **ret_door, struct kryos_station *station, const char *path)
{
	(void)ret_door;
	(void)station;
	(void)path;
	return absent();
}

void kryos_door_close(struct kryos_door *door)
{
	(void)door;
}
