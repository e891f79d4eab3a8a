/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded before libsqlite3 (LD_PRELOAD), it makes any program keep its databases with synchronous=NORMAL, under which a
 * commit is not synced: what a test of power cuts must see to lose accepted rows, or it would see nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

SQLITE_API int sqlite3_exec(sqlite3 *db, const char *sql, int (*callback)(void *, int, char **, char **),
                            void *userdata, char **error)
{
	static const char full[] = "synchronous=FULL", normal[] = "synchronous=1   ";
	int (*exec)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);
	char *weaker = strdup(sql), *at;
	int code;

	*(void **)&exec = dlsym(RTLD_NEXT, "sqlite3_exec");
	if (!exec || !weaker)
		abort();
	while ((at = strstr(weaker, full)))
		memcpy(at, normal, sizeof(normal) - 1);
	code = exec(db, weaker, callback, userdata, error);
	free(weaker);
	return code;
}
