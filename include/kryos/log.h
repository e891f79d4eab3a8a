/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log: one callback per context, silent by default.
 *
 * Only what the library absorbs (a retry, a dropped record, a healed fault) is logged above debug;
 * a call that returns an error does not log it as well. The callback may be called from any
 * thread of the library, several at once; it must not call back into the library.
 */
#ifndef KRYOS_LOG_H
#define KRYOS_LOG_H

#include <kryos/base.h>

KRYOS_BEGIN

/* The numbers are syslog's. */
enum kryos_log_level {
	KRYOS_LOG_ERROR = 3,
	KRYOS_LOG_WARNING = 4,
	KRYOS_LOG_NOTICE = 5,
	KRYOS_LOG_INFO = 6,
	KRYOS_LOG_DEBUG = 7
};

struct kryos_log_record {
	uint32_t size;
	enum kryos_log_level level;
	const char *module;  /* "store", "relay", ...: static */
	int error;           /* the result that was absorbed, 0 if none */
	const char *message; /* one line, no newline; lives during the call */
};

typedef void (*kryos_log_fn)(void *userdata, const struct kryos_log_record *record);

/* Ready sinks for struct kryos_ctx_config.log; userdata is not used. */

/* One line on stderr: "warning: relay: ...". Where stderr is the journal, levels become its <N> prefixes. */
KRYOS_EXPORT void kryos_log_to_stderr(void *userdata, const struct kryos_log_record *record);
/* syslog(3). The program calls openlog() if it wants a name or facility. */
KRYOS_EXPORT void kryos_log_to_syslog(void *userdata, const struct kryos_log_record *record);

KRYOS_END
#endif
