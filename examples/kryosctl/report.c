/* SPDX-License-Identifier: Apache-2.0 */
/* A store's report: what the station file knows of it, what the command line asks for, and the file's form. */
#include "report/report.h"
#include "alarm/alarm.h"
#include "kryosctl.h"
#include "station/station_file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* From the station file: what a report of it says, and the rules of its alarms. */
struct known {
	struct kri_station_file *file;
	struct kri_report_rule *rules;
	size_t rule_count;
	const char *name, *zone, *language;
	uint32_t vvm;
	char noted_zone[101], noted_language[8];
};

static int find_form(const char *path, enum kri_report_form *ret_form)
{
	static const char *const suffixes[] = {
		[KRI_REPORT_PDF] = ".pdf", [KRI_REPORT_SVG] = ".svg", [KRI_REPORT_HTML] = ".html"
	};
	size_t length = strlen(path);

	for (int i = 0; i < 3; i++) {
		size_t count = strlen(suffixes[i]);

		if (length > count && strcmp(path + length - count, suffixes[i]) == 0) {
			*ret_form = (enum kri_report_form)i;
			return EXIT_SUCCESS;
		}
	}
	return misused("report: \"%s\" ends in none of .pdf, .html and .svg, which say what is written", path);
}

static int know_rule(struct known *known, const char *channel, const struct kryos_rule *rule)
{
	int r = kri_report_grow(&known->rules, known->rule_count, sizeof(*known->rules));
	char *name = r < 0 ? NULL : strdup(rule->name);

	if (!name)
		return -ENOMEM;
	known->rules[known->rule_count] = (struct kri_report_rule){ .channel = channel, .rule = *rule };
	known->rules[known->rule_count++].rule.name = name;
	return 0;
}

static int know_rules(struct known *known)
{
	struct kri_station_rules rules;
	int r = 0;

	for (const struct kri_section *section = known->file->sections; section; section = section->next) {
		const char *channel = kri_station_text(section, KRI_ALARM_CHANNEL);

		if (section->kind != KRI_SECTION_ALARM)
			continue;
		for (unsigned int i = kri_station_rules(known->file, channel, section, &rules);
		     i < rules.count && r >= 0; i++)
			r = know_rule(known, channel, &rules.rules[i]);
	}
	return r;
}

static void forget_rules(struct known *known)
{
	for (size_t i = 0; i < known->rule_count; i++)
		free((char *)(uintptr_t)known->rules[i].rule.name);
	free(known->rules);
}

/* One that was named must be there and right; the usual one may be missing, or another user's. */
static int read_station(const struct options *options, struct kryos_ctx *ctx, struct known *known)
{
	const struct kri_section *section;
	char *errors = NULL;
	int r = kri_station_file_read(&known->file, ctx, options->config ? options->config : DEFAULT_CONFIG, &errors);

	if (r < 0) {
		if (options->config || (r != -ENOENT && r != -EACCES))
			complain("%s%s", errors && *errors ? errors : kryos_strerror(r),
			         options->config ? ""
			                         : "; the report goes by what the device noted of it, and without "
			                           "limits from there");
		free(errors);
		return options->config ? r : 0;
	}
	free(errors);
	section = kri_station_find(known->file, KRI_SECTION_STATION, NULL);
	known->name = kri_station_text(section, KRI_STATION_NAME);
	known->zone = kri_station_text(section, KRI_STATION_TIMEZONE);
	known->language = kri_station_text(section, KRI_STATION_LANGUAGE);
	if (kri_station_text(section, KRI_STATION_VVM))
		(void)!kri_vvm_parse(kri_station_text(section, KRI_STATION_VVM), &known->vvm); /* it was checked */
	r = know_rules(known);
	return r < 0 ? complain("%s", kryos_strerror(r)), r : 0;
}

static bool is_asked_for(void *data, const char *channel)
{
	return is_channel_wanted(data, channel);
}

/* When it is made: of two reports of the same data at the same SOURCE_DATE_EPOCH every byte is the same. */
static int64_t now_ns(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	int64_t seconds;
	char *end;

	if (epoch && *epoch) {
		errno = 0;
		seconds = strtoll(epoch, &end, 10);
		if (!errno && !*end && seconds >= 0 && seconds < INT64_MAX / KRYOS_SECONDS(1))
			return KRYOS_SECONDS(seconds);
	}
	return KRYOS_SECONDS((int64_t)time(NULL));
}

static int check_words(const struct options *options, struct kri_report_config *config)
{
	int language = options->language ? kri_language_find(options->language) : 0;

	if (language < 0)
		return misused("report: --lang: %s", kryos_strerror(language));
	if (options->profile && !kryos_profile_rule(options->profile, 0))
		return misused("report: there is no profile \"%.60s\"; kryosctl evaluate --help lists them",
		               options->profile);
	config->profile = options->profile;
	return EXIT_SUCCESS;
}

/* A name that is spelt wrongly must not give pages without an excursion. */
static int check_channels(const struct options *options, const struct kri_report *report)
{
	for (unsigned int i = 0; i < options->channel_count; i++) {
		const struct options one = { .channels = { options->channels[i] }, .channel_count = 1 };
		bool found = false;

		for (size_t at = 0; at < report->channel_count && !found; at++)
			found = is_channel_wanted(&one, report->channels[at]->name);
		if (!found)
			return kryos_fail(-ENOENT, "report: -c %.60s: nothing in this period is called that",
			                  options->channels[i]);
	}
	return 0;
}

static int make(const struct options *options, struct kryos_ctx *ctx, struct kri_report_config *config,
                enum kri_report_form form, const char *path)
{
	struct kri_report *report = NULL;
	int r = kri_report_read(&report, ctx, options->store, config);

	if (r >= 0)
		r = check_channels(options, report);
	if (r >= 0)
		r = kri_report_write(report, form, path);
	if (r >= 0 && report->damaged)
		complain("%llu damaged rows or segments were left out, and the report says so; kryosctl verify says "
		         "where",
		         (unsigned long long)report->damaged);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	if (r >= 0)
		r = report->damaged ? EXIT_FAILURE : EXIT_SUCCESS;
	else
		r = EXIT_FAILURE;
	kri_report_free(report);
	return r;
}

/* Without the station file: what the device noted of it. Its name the report takes from there itself. */
static void ask_store(const struct options *options, struct kryos_ctx *ctx, struct known *known)
{
	char text[1001], vvm[101];

	/* A store that cannot be read is told of by whoever reads all of it. */
	if (kri_report_read_station(ctx, options->store, text, sizeof(text)) < 0)
		return;
	if (kri_report_noted(text, "timezone", known->noted_zone, sizeof(known->noted_zone)))
		known->zone = known->noted_zone;
	if (kri_report_noted(text, "language", known->noted_language, sizeof(known->noted_language)) &&
	    kri_language_find(known->noted_language) >= 0)
		known->language = known->noted_language;
	if (kri_report_noted(text, "vvm", vvm, sizeof(vvm)))
		(void)!kri_vvm_parse(vvm, &known->vvm); /* of a newer version, perhaps */
}

/* What the command line does not say, the station file does. */
static void choose(const struct options *options, const struct known *known, struct kri_report_config *config)
{
	const char *language = options->language ? options->language : known->language;

	config->station = known->name ? known->name : "";
	config->zone = options->timezone ? options->timezone : known->zone ? known->zone : "UTC";
	config->language = language ? (enum kri_language)kri_language_find(language) : KRI_LANGUAGE_EN;
	config->vvm = options->vvm ? options->vvm : known->vvm;
	config->rules = known->rules;
	config->rule_count = known->rule_count;
}

int write_report(const struct options *options, const char *path)
{
	struct kri_report_config config = { .from_ns = options->from_ns,
		                            .to_ns = options->to_ns,
		                            .printed_ns = now_ns(),
		                            .version = kryos_version(),
		                            .wanted = options->channel_count ? is_asked_for : NULL,
		                            .wanted_data = (void *)options };
	struct known known = { 0 };
	struct kryos_ctx *ctx = NULL;
	enum kri_report_form form = KRI_REPORT_PDF;
	int r = find_form(path, &form), status = EXIT_FAILURE;

	if (r == EXIT_SUCCESS)
		r = check_words(options, &config);
	if (r != EXIT_SUCCESS)
		return r;
	r = kryos_ctx_new(&ctx, NULL);
	if (r < 0)
		return complain("%s", kryos_strerror(r));
	if (read_station(options, ctx, &known) < 0)
		goto free_ctx;
	if (!known.file)
		ask_store(options, ctx, &known);
	choose(options, &known, &config);
	r = kri_zone_use(config.zone);
	if (r < 0 && !options->timezone) {
		/* A small system without zone files: a report in UTC, which it says, is better than none. */
		complain("%s; times are UTC", kryos_strerror(r));
		config.zone = "UTC";
		r = kri_zone_use(config.zone);
	}
	status = r < 0 ? complain("%s", kryos_strerror(r)) : make(options, ctx, &config, form, path);
free_ctx:
	forget_rules(&known);
	kri_station_file_free(known.file);
	kryos_ctx_free(ctx);
	return status;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	if (count > 0)
		return misused("report: there is no argument \"%s\"", arguments[0]);
	if (!options->output)
		return misused("report: -o FILE is missing; its end, .pdf, .html or .svg, says what is written");
	return write_report(options, options->output);
}

const struct command report_command = {
	.name = "report",
	.arguments = "",
	.summary = "a period as pages to print: PDF, HTML or SVG",
	.help = "Draws what is stored: curves with their limits, excursions, gaps, doors and power, lowest and highest "
		"of\n"
		"each day, calibration and seals. Where no period is given, the last 30 days of what is stored.\n"
		"With --profile the measurements are judged by it once more, and what comes of that says so. Times are "
		"local\n"
		"to --timezone; what no option says of zone, language and vial monitors, the station file says.\n"
		"  kryosctl report --lang fr -o july.pdf --from 2026-07-01T00:00:00Z --to 2026-08-01T00:00:00Z",
	.options = TAKES_STORE | TAKES_CHANNEL | TAKES_RANGE | TAKES_OUTPUT | TAKES_CONFIG | TAKES_VVM | TAKES_REPORT,
	.run = run,
};
