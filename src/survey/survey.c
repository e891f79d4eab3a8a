/* SPDX-License-Identifier: Apache-2.0 */
#include "survey.h"
#include <kryos/sys/watchdog.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void kri_survey_tell(struct kri_survey *survey, enum kryos_finding_kind kind, int code, const char *where,
                     const char *driver, const char *device, const char *format, ...)
{
	char text[512];
	struct kryos_finding finding = {
		.size = sizeof(finding),
		.kind = kind,
		.code = code,
		.where = where,
		.driver = driver,
		.device = device,
		.text = text,
	};
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	survey->usable += code == 0;
	survey->found(survey->data, &finding);
}

static int look_at_watchdog(void *data, const void *candidate, void *userdata)
{
	const struct kryos_watchdog_driver *driver = candidate;
	struct kri_survey *survey = data;
	char text[256] = "", device[64];
	int r;

	(void)userdata;
	if (!driver->look || driver->prefix[0] != '/')
		return 0;
	snprintf(device, sizeof(device), "%s0", driver->prefix);
	r = driver->look(device, text, sizeof(text));
	kri_survey_tell(survey, KRYOS_FINDING_WATCHDOG, r, "watchdog", driver->name, r < 0 ? "" : device, "%s", text);
	return 1;
}

static void look_at_buses(struct kri_survey *survey, int *ret_r)
{
	int (*const parts[])(struct kri_survey * survey) = { kri_survey_i2c, kri_survey_w1, kri_survey_spi };

	*ret_r = 0;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(parts) && *ret_r >= 0; i++)
		*ret_r = parts[i](survey);
}

int kryos_survey(struct kryos_ctx *ctx, const struct kryos_survey_config *config,
                 void (*found)(void *data, const struct kryos_finding *finding), void *data)
{
	struct kri_survey survey = { .ctx = ctx, .found = found, .data = data };
	int r = kri_ctx_check(ctx);

	if (r >= 0 && !found)
		r = kryos_fail(-EINVAL, "survey: nobody to tell what was found");
	if (r >= 0)
		r = kri_config_copy(&survey.config, sizeof(survey.config), config);
	if (r < 0)
		return r;
	if (!survey.config.no_buses)
		look_at_buses(&survey, &r);
	if (r < 0)
		return r;
	if (!survey.config.no_board) {
		kri_registry_each(ctx, KRI_WATCHDOG, look_at_watchdog, &survey);
		if (survey.config.folder)
			kri_survey_disk(&survey);
	}
	return survey.usable;
}
