/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command: one table of what a station can be told, and its doors.
 *
 * Each command has a name, a schema of its arguments, a right and a handler. The local socket is
 * the first door: a stream of JSON objects, one a line, {"command":"status","arguments":{...}},
 * each answered by one line {"ok":true,"result":{...}} or {"ok":false,"error":"..."}. The peer's
 * login name is who did it.
 */
#ifndef KRYOS_COMMAND_H
#define KRYOS_COMMAND_H

#include <kryos/base.h>

KRYOS_BEGIN

struct kryos_ctx;
struct kryos_station;
struct kryos_door;

enum kryos_right {
	KRYOS_RIGHT_READ = 1,  /* looks */
	KRYOS_RIGHT_CHANGE = 2 /* changes something; audited */
};

/*
 * Carries out one request line for who, holding rights (bits). *ret_answer is one line; free() it.
 * Bad requests give an answer too: < 0 only on -EINVAL, -ENOMEM. Does not wait for buses or networks, but
 * for sync-clock (its bus, at most 2 s) and flush (the disk, at most 1 s).
 */
KRYOS_API int kryos_command_run(struct kryos_station *station, const char *request, const char *who,
                                unsigned int rights, char **ret_answer);

/* The table as JSON: [{"name","right","help","arguments":{name:type}}]; free() it. */
KRYOS_API int kryos_command_list(char **ret_json);

/*
 * Opens the local socket at path (mode 0660; group, if it exists, "kryos"). Served inside
 * kryos_ctx_process; at most 8 peers, lines of at most 4096 bytes. -EADDRINUSE: somebody answers there.
 */
KRYOS_API int kryos_door_open(struct kryos_door **ret_door, struct kryos_station *station, const char *path);
/* Closes it and unlinks the path. NULL is allowed. */
KRYOS_EXPORT void kryos_door_close(struct kryos_door *door);

/* The client's side: sends one request to the socket at path and waits for the answer, at most timeout_ns. free() it.
 */
KRYOS_API int kryos_door_ask(const char *path, const char *request, int64_t timeout_ns, char **ret_answer);

KRYOS_END
#endif
