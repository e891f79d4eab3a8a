/* SPDX-License-Identifier: Apache-2.0 */
/* What shim, log and replay share. */
#ifndef KRI_TEST_CUTVFS_LOG_H
#define KRI_TEST_CUTVFS_LOG_H

#include "cutvfs.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#define CUT_SECTOR 512

/* Memory of a test: there is, or the test is of no use. */
static inline void *cut_must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* One file in the log; a name deleted and created again is another file. */
struct cut_name {
	char *name;          /* in the live folder */
	char *born;          /* what it was when it was made, or recording began */
	unsigned char *base; /* its content when recording began */
	size_t base_size;
	bool from_start;
	bool present; /* in the live folder */
};

struct cut_log {
	char *folder;
	struct cut_op *ops;
	size_t count, room;
	struct cut_name *names;
	int name_count, name_room;
};

struct cutvfs {
	sqlite3_vfs base; /* first: SQLite hands it back */
	sqlite3_vfs *real;
	pthread_mutex_t mutex; /* held over each real operation too, so that the log has the disk's order */
	struct cut_log log;
	bool recording;
	char text[512];
	int sync_delay_ms;
	int64_t free_bytes;     /* below 0: the truth */
	char skipped_syncs[32]; /* of which files; "": none */
	pthread_cond_t released;
	char held_suffix[32]; /* "": none */
	int hold_at;          /* 1: the next one */
	int held;
	struct {
		enum cut_call call;
		char suffix[32];
		int n; /* 0: off; 1: the next one */
		int error;
		bool forever;
		int failures;
		int system;
	} fail;
};

/* The log at rest (nothing is recording). */
const struct cut_log *cutvfs_log(struct cutvfs *vfs);

/* Of cutlog.c, for the shim; the caller holds the mutex. */
void cut_log_add(struct cutvfs *vfs, struct cut_op op, const void *data);
int cut_log_add_name(struct cutvfs *vfs, const char *name);
/* The part of path inside the recorded folder, NULL if it is elsewhere. */
const char *cut_log_inside(const struct cutvfs *vfs, const char *path);
int cut_log_find(const struct cutvfs *vfs, const char *name);
bool cut_log_is_marker(const char *name);
/* What happened to names past any VFS. */
void cut_log_renamed(struct cutvfs *vfs, const char *from, const char *to);
void cut_log_removed(struct cutvfs *vfs, const char *path);
void cut_log_marked(struct cutvfs *vfs, const char *path);
void cut_log_clear(struct cut_log *log);

#endif
