/* SPDX-License-Identifier: Apache-2.0 */
/* docs/man/kryos-station.5, from the tables of sections, keys and defaults that cryo_daemon --check uses. */
#include "config/config.h"
#include "doc_file.h"
#include "station/station_file.h"
#include <inttypes.h>
#include <string.h>

/* What tables have and the library does not need. */
static const char *const section_docs[KRI_SECTION_COUNT] = {
#define KRYOS_SECTION(symbol, name, labelled, label_max, dotted, doc) [KRI_SECTION_##symbol] = doc,
#include "station/keys.def"
};
static const char *const key_docs[KRI_KEY_COUNT] = {
#define KRYOS_KEY(section, symbol, name, kind, default_id, in_force, words, doc) [KRI_##section##_##symbol] = doc,
#include "station/keys.def"
};
static const struct {
	const char *text, *doc;
} defaults[] = {
#define KRYOS_DEFAULT(section, key, symbol, kind, value, text, minimum, maximum, doc) { text, doc },
#include "config/defaults.def"
#undef KRYOS_DEFAULT
};

static const char intro[] =
	".\\\" SPDX-License-Identifier: Apache-2.0\n"
	".\\\" Generated from src/station/keys.def and src/config/defaults.def by tests/rules/station_doc.c:\n"
	".\\\" cmake --build build --target renew_docs\n"
	".Dd November 20, 2026\n"
	".Dt KRYOS-STATION 5\n"
	".Os\n"
	".Sh NAME\n"
	".Nm kryos-station\n"
	".Nd station file of cryo_daemon\n"
	".Sh SYNOPSIS\n"
	".Pa /etc/kryos/station.ini\n"
	".Sh DESCRIPTION\n"
	"The station file says what a cold-chain station measures, how it judges that,\n"
	"where it keeps it and to whom it sends it.\n"
	".Xr cryo_daemon 8\n"
	"reads it when it starts and at\n"
	".Dv SIGHUP ;\n"
	".Ql kryosctl setup\n"
	"writes a first one.\n"
	".Ql cryo_daemon --check\n"
	"prints what would be in force, defaults too, or every mistake with its line.\n"
	".Pp\n"
	"It is text in UTF-8: headers of sections in brackets, such as\n"
	".Ql [sensor fridge] ,\n"
	"and below each lines\n"
	".Ql key = value .\n"
	"A line that begins with\n"
	".Ql #\n"
	"is a comment.\n"
	"A section or key that is not listed here, or stands twice, is a mistake; one\n"
	"mistake, and nothing of the file is in force.\n"
	"A section without NAME is there once at most.\n"
	".Pp\n"
	"Durations are written as\n"
	".Ql 500ms , 10s , 15min , 10h , 30d ;\n"
	"sizes as\n"
	".Ql 4096B , 512MB , 2GB ;\n"
	"numbers in the unit of the channel, temperatures in degrees Celsius; days as\n"
	".Ql 2026-03-01 ;\n"
	"names of sections in at most 31 bytes of\n"
	".Ql a-z 0-9 _ - ,\n"
	"if nothing else is said.\n"
	".Sh SECTIONS\n";

static const char outro[] = ".Sh FILES\n"
			    ".Bl -tag -width Ds\n"
			    ".It Pa /etc/kryos/station.ini\n"
			    "the station file\n"
			    ".It Pa /usr/share/cryo-daemon/station.ini\n"
			    "one with explanations, in Debian's package cryo-daemon\n"
			    ".El\n"
			    ".Sh EXAMPLES\n"
			    "The least that is a station with an alarm:\n"
			    ".Bd -literal -offset indent\n"
			    "[sensor fridge]\n"
			    "address = ds18b20@w1:any\n"
			    "place   = vaccine\n"
			    "\n"
			    "[alarm fridge]\n"
			    "channel = fridge.temperature\n"
			    "profile = who-refrigerator\n"
			    ".Ed\n"
			    ".Sh SEE ALSO\n"
			    ".Xr kryosctl 1 ,\n"
			    ".Xr kryos 7 ,\n"
			    ".Xr cryo_daemon 8\n";

static const char *const kinds[] = {
	[KRI_VALUE_TEXT] = "text",         [KRI_VALUE_NAME] = "name",       [KRI_VALUE_PATH] = "path",
	[KRI_VALUE_DURATION] = "duration", [KRI_VALUE_RECORD] = "duration", [KRI_VALUE_SIZE] = "size",
	[KRI_VALUE_COUNT] = "number",      [KRI_VALUE_PERCENT] = "number%", [KRI_VALUE_RATE] = "number",
	[KRI_VALUE_FROZEN] = "duration",   [KRI_VALUE_MICRO] = "number",    [KRI_VALUE_DATE] = "day",
};

/* As a page's source has it: a line for each sentence, and none that is long. */
static void print_text(FILE *out, const char *text, const char *end)
{
	size_t column = 0, count;

	for (const char *word = text; *word; word += count + strspn(word + count, " ")) {
		count = strcspn(word, " ");
		if (column > 0 && (column + 1 + count > 78 || word[-2] == '.')) {
			fputc('\n', out);
			column = 0;
		}
		fprintf(out, "%s%.*s", column ? " " : "", (int)count, word);
		column += (column ? 1 : 0) + count;
	}
	fprintf(out, "%s\n", end);
}

static void print_range(FILE *out, const struct kri_key_info *key)
{
	int64_t ends[2] = { kri_default_min(key->default_id), kri_default_max(key->default_id) };

	for (int i = 0; i < 2; i++) {
		char text[32];

		if (key->kind == KRI_VALUE_SIZE)
			kri_size_text(ends[i], text);
		else if (key->kind == KRI_VALUE_RATE)
			snprintf(text, sizeof(text), "%g", (double)ends[i] / 1000);
		else if (key->kind == KRI_VALUE_COUNT || key->kind == KRI_VALUE_PERCENT)
			snprintf(text, sizeof(text), "%" PRId64 "%s", ends[i], key->kind == KRI_VALUE_COUNT ? "" : "%");
		else
			kri_duration_text(ends[i], text);
		fprintf(out, "%s%s", i ? " to " : "", text);
	}
}

static void print_key(FILE *out, enum kri_key key)
{
	const struct kri_key_info *info = &kri_station_keys[key];
	bool number = info->default_id >= 0;
	const char *in_force = number ? defaults[info->default_id].text : info->default_text;
	const char *words = info->choices;

	fprintf(out, ".It Cm %s No =", info->name);
	for (size_t count; words && *words; words += count + strspn(words + count, " ")) {
		count = strcspn(words, " ");
		fprintf(out, "%s Cm %.*s", words == info->choices ? "" : " |", (int)count, words);
	}
	if (!info->choices)
		fprintf(out, " Ar %s", kinds[info->kind]);
	if (info->kind == KRI_VALUE_RECORD)
		fputs(" | Cm every", out);
	if (info->kind == KRI_VALUE_FROZEN)
		fputs(" | Cm never", out);
	fputc('\n', out);
	print_text(out, number ? defaults[info->default_id].doc : key_docs[key], ".");
	if (number && info->kind != KRI_VALUE_RECORD) {
		fputs("From ", out);
		print_range(out, info);
		fputs(".\n", out);
	}
	if (in_force)
		fprintf(out, "Without the key:\n.Cm %s .\n", in_force);
}

static void render(FILE *out)
{
	fputs(intro, out);
	for (enum kri_section_kind section = 0; section < KRI_SECTION_COUNT; section++) {
		const struct kri_section_info *info = &kri_station_sections[section];

		fprintf(out, ".Ss \"[%s%s]\"\n", info->name,
		        info->dotted     ? " SENSOR.QUANTITY"
		        : info->labelled ? " NAME"
		                         : "");
		print_text(out, section_docs[section], "");
		fputs(".Bl -tag -width Ds\n", out);
		for (enum kri_key key = 0; key < KRI_KEY_COUNT; key++)
			if (kri_station_keys[key].section == section)
				print_key(out, key);
		fputs(".El\n", out);
	}
	fputs(outro, out);
}

int main(int argc, char **argv)
{
	return doc_file(argc, argv, render);
}
