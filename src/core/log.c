/* SPDX-License-Identifier: Apache-2.0 */
#include "ctx.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

void kri_log(struct kryos_ctx *ctx, enum kryos_log_level level, const char *module, int error, const char *format, ...)
{
	struct kryos_log_record record = { .size = sizeof(record), .level = level, .module = module, .error = error };
	int saved_errno = errno;
	char message[1024];
	va_list args;

	if (!ctx->config.log || level > __atomic_load_n(&ctx->config.log_level, __ATOMIC_RELAXED))
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	record.message = message;
	pthread_rwlock_rdlock(&ctx->outside_lock);
	if (!ctx->dead)
		ctx->config.log(ctx->config.log_userdata, &record);
	pthread_rwlock_unlock(&ctx->outside_lock);
	errno = saved_errno;
}

void kri_log_set_level(struct kryos_ctx *ctx, enum kryos_log_level level)
{
	__atomic_store_n(&ctx->config.log_level, level, __ATOMIC_RELAXED);
}

static const char *level_name(enum kryos_log_level level)
{
	switch (level) {
	case KRYOS_LOG_ERROR:
		return "error";
	case KRYOS_LOG_WARNING:
		return "warning";
	case KRYOS_LOG_NOTICE:
		return "notice";
	case KRYOS_LOG_INFO:
		return "info";
	default:
		return "debug";
	}
}

void kryos_log_to_stderr(void *userdata, const struct kryos_log_record *record)
{
	(void)userdata;
	/* systemd sets JOURNAL_STREAM where stderr is the journal (systemd.exec(5)); sd-daemon(3) prefixes carry the
	 * level. */
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s: %s\n", (int)record->level, record->module, record->message);
	else
		fprintf(stderr, "%s: %s: %s\n", level_name(record->level), record->module, record->message);
}

void kryos_log_to_syslog(void *userdata, const struct kryos_log_record *record)
{
	(void)userdata;
	syslog((int)record->level, "%s: %s", record->module, record->message);
}
