/* SPDX-License-Identifier: Apache-2.0 */
#include "kryosctl.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* RFC 4180: quoted where it holds a comma, a quote or a line's end. */
static void print_field(FILE *stream, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, stream);
		return;
	}
	fputc('"', stream);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', stream);
		fputc(*text, stream);
	}
	fputc('"', stream);
}

static void print_sample_row(const struct kryos_record *record, FILE *stream)
{
	char when[KRYOS_TEXT_MAX], value[KRYOS_TEXT_MAX], alarm[KRYOS_TEXT_MAX];
	const struct kryos_sample *sample = &record->sample;

	kryos_alarm_text(sample->alarm, alarm);
	for (char *blank = alarm; (blank = strchr(blank, ' '));)
		*blank = '+';

	fprintf(stream, "%s,%s,%s,", kryos_time_text(sample->t_wall_ns, when), record->channel,
	        kryos_quality_is_measured(sample->quality) ? kryos_value_text(sample->value_micro, value) : "");
	print_field(stream, record->unit);
	fprintf(stream, ",%s,%s,%" PRId64 ",%" PRIu32 ",%" PRIu32 ",%" PRId64 ",", kryos_quality_name(sample->quality),
	        kryos_trust_name(sample->trust), record->seq, sample->round, sample->boot, sample->t_boot_ns);
	print_field(stream, record->place);
	fprintf(stream, ",%s,%016" PRIx64 ",%s,%s,%" PRId64 ",%s\n", record->device, record->epoch,
	        sample->flags & KRYOS_SAMPLE_CORRECTED ? "yes" : "no",
	        record->flags & KRYOS_RECORD_SALVAGED ? "yes" : "no", record->device_ns, alarm);
}

static void print_event_row(const struct kryos_record *record, FILE *stream)
{
	char when[KRYOS_TEXT_MAX];

	fprintf(stream, "%s,%s,", kryos_time_text(record->sample.t_wall_ns, when),
	        kryos_event_type_name(record->event->type));
	print_field(stream, record->event->name);
	fputc(',', stream);
	print_field(stream, record->event->text);
	fprintf(stream, ",%d,%" PRId64 ",%" PRId64 ",%s,%" PRId64 ",%" PRIu32 ",%" PRId64 ",%016" PRIx64 "\n",
	        record->event->code, record->event->first_seq, record->event->last_seq,
	        kryos_trust_name(record->sample.trust), record->seq, record->sample.boot, record->sample.t_boot_ns,
	        record->epoch);
}

static int write_all(struct kryos_reader *reader, const struct options *options, FILE *stream, int64_t *ret_written)
{
	const struct kryos_record *record;
	int r = 0;

	if (!options->json)
		fputs(options->events
		              ? "time,event,name,text,code,first_seq,last_seq,trust,seq,boot,t_boot_ns,epoch\n"
		              : "time,channel,value,unit,quality,trust,seq,round,boot,t_boot_ns,place,device,epoch,"
		                "corrected,salvaged,device_ns,alarm\n",
		      stream);
	while (!ferror(stream) && (r = options->events ? kryos_reader_next_event(reader, &record)
	                                               : kryos_reader_next(reader, &record)) > 0) {
		if (!is_wanted(options, record))
			continue;
		if (options->json)
			print_record(record, true, stream);
		else if (record->event)
			print_event_row(record, stream);
		else
			print_sample_row(record, stream);
		++*ret_written;
	}
	return r;
}

static int report(struct kryos_reader *reader, const struct options *options, int64_t written)
{
	fprintf(stderr, "%" PRId64 " %s\n", written, options->events ? "events" : "samples");
	return complain_of_gaps(reader);
}

int write_bundle(const struct options *options, const char *path)
{
	struct kryos_bundle_result result = { .size = sizeof(result) };
	struct kryos_ctx *ctx = NULL;
	int r = kryos_ctx_new(&ctx, NULL);

	if (r >= 0)
		r = kryos_bundle_write(ctx, options->store, path,
		                       KRYOS_BUNDLE_CONFIG(.is_unsigned = options->is_unsigned,
		                                           .from_ns = options->from_ns,
		                                           .to_ns = options->to_ns == INT64_MAX ? 0 : options->to_ns,
		                                           .key_path = options->key),
		                       &result);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	else
		fprintf(stderr, "%s: %" PRIu32 " segments, %" PRId64 " bytes%s\n", path, result.segments, result.bytes,
		        options->is_unsigned ? ", not signed" : "");
	kryos_ctx_free(ctx);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	const char *name = options->output ? options->output : "standard output";
	struct kryos_reader *reader = NULL;
	struct kryos_ctx *ctx = NULL;
	FILE *stream = stdout;
	int status = EXIT_FAILURE, r;
	int64_t written = 0;

	if (count > 0)
		return misused("export: there is no argument \"%s\"", arguments[0]);
	if (options->bundle && (!options->output || options->json || options->events || options->channel_count))
		return misused("export --bundle needs -o FILE, and takes no --json, --events or --channel");
	if (!options->bundle && (options->is_unsigned || options->key))
		return misused("export: --unsigned and --key belong to --bundle");
	if (options->bundle)
		return write_bundle(options, options->output);
	r = kryos_ctx_new(&ctx, NULL);
	if (r >= 0)
		r = kryos_reader_open(&reader, ctx, options->store);
	if (r < 0) {
		complain("%s", kryos_strerror(r));
		goto free_ctx;
	}
	if (options->output) {
		stream = fopen(options->output, "we");
		if (!stream) {
			complain("%s: %s", options->output, strerror(errno));
			goto free_ctx;
		}
	}
	r = write_all(reader, options, stream, &written);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	if (finish(stream, name) == EXIT_SUCCESS && r >= 0)
		status = report(reader, options, written);
	if (options->output && fclose(stream) != 0)
		status = complain("%s: %s", options->output, strerror(errno));
free_ctx:
	kryos_reader_close(reader);
	kryos_ctx_free(ctx);
	return status;
}

const struct command export_command = {
	.name = "export",
	.arguments = "",
	.summary = "the store's records as CSV or JSON lines, or all of it as a signed bundle",
	.help = "Writes every measurement kept in the store, in the order of seq, as CSV with a header line\n"
		"(with --json: one object a line); with --events what happened instead. A value is given only\n"
		"where its quality is good; (device, epoch, seq) names a record for ever. The time is corrected\n"
		"where the clock became known later (corrected = yes); t_boot_ns and boot are as recorded.\n"
		"Reads the store itself, whether a daemon runs or not.\n"
		"  kryosctl export --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z -o november.csv\n"
		"  kryosctl export --bundle -o clinic-7.tar\n"
		"With --bundle: everything as it is stored, with its seals and a README for whoever checks it with\n"
		"openssl, sha256sum and sqlite3. The device's key signs the list: run it as the store's owner.\n"
		"Gives 1 when something had to be left out: damaged rows, damaged segments that are not salvaged yet,\n"
		"segments of a newer version.",
	.options = TAKES_STORE | TAKES_JSON | TAKES_CHANNEL | TAKES_EVENTS | TAKES_RANGE | TAKES_OUTPUT | TAKES_BUNDLE,
	.run = run,
};
