/* SPDX-License-Identifier: Apache-2.0 */
#include "alarm/alarm.h"
#include "config/config.h"
#include "kryosctl.h"
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct command *const commands[] = {
	&setup_command,   &scan_command,  &doctor_command,  &status_command,  &read_command,     &tail_command,
	&export_command,  &queue_command, &verify_command,  &salvage_command, &evaluate_command, &report_command,
	&collect_command, &alarm_command, &channel_command, &command_command,
};

static const struct option long_options[] = {
	{ "store", required_argument, NULL, 's' },
	{ "socket", required_argument, NULL, 'k' },
	{ "json", no_argument, NULL, 'j' },
	{ "follow", no_argument, NULL, 'f' },
	{ "count", required_argument, NULL, 'n' },
	{ "channel", required_argument, NULL, 'c' },
	{ "events", no_argument, NULL, 'e' },
	{ "from", required_argument, NULL, 'F' },
	{ "to", required_argument, NULL, 'T' },
	{ "output", required_argument, NULL, 'o' },
	{ "profile", required_argument, NULL, 'p' },
	{ "rules", required_argument, NULL, 'r' },
	{ "mkt-energy", required_argument, NULL, 'm' },
	{ "vvm", required_argument, NULL, 'v' },
	{ "vvm-model", required_argument, NULL, 'M' },
	{ "days", no_argument, NULL, 'd' },
	{ "repair", no_argument, NULL, 'R' },
	{ "prometheus", no_argument, NULL, 'P' },
	{ "comment", required_argument, NULL, 'C' },
	{ "why", required_argument, NULL, 'w' },
	{ "config", required_argument, NULL, 'S' },
	{ "timezone", required_argument, NULL, 'z' },
	{ "lang", required_argument, NULL, 'l' },
	{ "key", required_argument, NULL, 'K' },
	{ "anchor", required_argument, NULL, 'A' },
	{ "bundle", no_argument, NULL, 'B' },
	{ "unsigned", no_argument, NULL, 'U' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	unsigned int bit;
	const char *keys; /* of long_options */
	const char *help;
} option_help[] = {
	{ TAKES_STORE, "s", "      --store FOLDER    the store's folder (/var/lib/kryos)" },
	{ TAKES_SOCKET, "k", "      --socket PATH     where the daemon answers (/run/kryos/control)" },
	{ TAKES_JSON, "j", "      --json            JSON, one value a line" },
	{ TAKES_FOLLOW, "f", "  -f, --follow          go on with what is stored from now on" },
	{ TAKES_COUNT, "n", "  -n, --count N         how many to begin with (10)" },
	{ TAKES_CHANNEL, "c",
	  "  -c, --channel NAME    only this channel, as fridge.temperature or fridge.*; may be repeated" },
	{ TAKES_EVENTS, "e", "  -e, --events          what happened instead of what was measured" },
	{ TAKES_RANGE, "FT",
	  "      --from TIME       from this time on, UTC: 2026-11-20T09:12:00Z, or seconds since 1970\n"
	  "      --to TIME         before this time" },
	{ TAKES_OUTPUT, "o", "  -o, --output FILE     write there; export: instead of to standard output" },
	{ TAKES_VERIFY, "KA",
	  "      --key FILE        the device's public key (PEM); else the one in the record is trusted\n"
	  "      --anchor N:HASH   this seal must be there, as it was received or printed; may be repeated" },
	{ TAKES_BUNDLE, "BKU",
	  "      --bundle          a signed archive of the whole store, or of the time between --from and --to\n"
	  "      --key FILE        the device's private key, where it is not in the store's folder\n"
	  "      --unsigned        without a signature, for who can't read that key" },
	{ TAKES_EVALUATE | TAKES_REPORT, "p", "      --profile NAME    the rules of a profile" },
	{ TAKES_VVM, "v",
	  "      --vvm KIND,...    an estimate of how much of their life vaccine vial monitors used: vvm2, vvm7, "
	  "vvm14,\n"
	  "                        vvm30" },
	{ TAKES_EVALUATE, "rmMdR",
	  "      --rules FILE      rules of one's own: sections [rule NAME] with kind, threshold, comparator, "
	  "duration,\n"
	  "                        mode, window, gap, reset and hysteresis\n"
	  "      --mkt-energy KJ   activation energy of the mean kinetic temperature, in kJ/mol (83.144)\n"
	  "      --vvm-model NAME  by which rates: goldwood-diesburg-2018 (taken where nothing is said) or two-point\n"
	  "      --days            minimum, maximum and mean of each day, in UTC\n"
	  "      --repair          leaves out exact duplicates and rows older than one before, and says which" },
	{ TAKES_PROMETHEUS, "P", "      --prometheus      the numbers, as Prometheus reads them" },
	{ TAKES_COMMENT, "C", "      --comment TEXT    what was seen, or done about it; at most 200 bytes" },
	{ TAKES_WHY, "w", "      --why TEXT        the reason, which is printed on every report; at most 200 bytes" },
	{ TAKES_CONFIG, "S", "      --config FILE     the station file (" DEFAULT_CONFIG ")" },
	{ TAKES_REPORT, "zl",
	  "      --timezone NAME   of the times in the report, as Asia/Kolkata; else the station's\n"
	  "      --lang LANGUAGE   en, fr, es or pt; else the station's, or en" },
};

int complain(const char *format, ...)
{
	va_list args;

	fputs("kryosctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

int misused(const char *format, ...)
{
	va_list args;

	fputs("kryosctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nkryosctl --help, and kryosctl COMMAND --help, say more.\n", stderr);
	return EXIT_USAGE;
}

static int help(void)
{
	printf("Usage: kryosctl COMMAND [OPTION...] [ARGUMENT...]\n"
	       "Looks at a cold-chain station and its store. Times are UTC.\n\n");
	for (size_t i = 0; i < KRI_ARRAY_SIZE(commands); i++)
		printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n"
	       "      --store FOLDER    the store's folder (/var/lib/kryos)\n"
	       "      --socket PATH     where the daemon answers (/run/kryos/control)\n"
	       "      --json            JSON, one value a line\n"
	       "      --help            this, or after a command more of it\n"
	       "      --version         which version this is\n"
	       "\n"
	       "Exit status: 0 done, 1 not done or not all of it, 2 used wrongly.\n");
	return finish(stdout, "standard output");
}

static int command_help(const struct command *command)
{
	printf("Usage: kryosctl %s [OPTION...]%s%s\n%s\n\nOptions:\n", command->name, *command->arguments ? " " : "",
	       command->arguments, command->help);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(option_help); i++) {
		if (command->options & option_help[i].bit)
			printf("%s\n", option_help[i].help);
	}
	printf("      --help            this\n");
	return finish(stdout, "standard output");
}

static int set_energy(struct options *options, const char *text)
{
	int64_t micro;

	if (kri_parse_micro(text, &micro) < 0 || micro < 1000000 || micro > 1000000000 || micro % 1000)
		return misused("--mkt-energy: \"%s\" is wrong; 1 to 1000 kJ/mol with at most three decimals is allowed",
		               text);
	options->activation_j_per_mol = micro / 1000;
	return EXIT_SUCCESS;
}

static int set_vvm(struct options *options, const char *list)
{
	uint32_t kinds;

	if (!kri_vvm_parse(list, &kinds))
		return misused("--vvm: \"%s\" is wrong; " KRI_VVM_KINDS " are allowed", list);
	options->vvm |= kinds;
	return EXIT_SUCCESS;
}

static int set_vvm_model(struct options *options, const char *name)
{
	for (unsigned int model = 0; model <= KRYOS_VVM_TWO_POINT; model++) {
		if (strcmp(kryos_vvm_model_name(model), name) == 0) {
			options->vvm_model = model;
			return EXIT_SUCCESS;
		}
	}
	return misused("--vvm-model: \"%s\" is wrong; goldwood-diesburg-2018 or two-point is allowed", name);
}

static int set_option(struct options *options, int key, const char *value)
{
	int r = 0;

	switch (key) {
	case 's':
		options->store = value;
		break;
	case 'k':
		options->socket = value;
		break;
	case 'o':
		options->output = value;
		break;
	case 'j':
		options->json = true;
		break;
	case 'f':
		options->follow = true;
		break;
	case 'e':
		options->events = true;
		break;
	case 'n':
		r = kri_parse_count(value, 0, 1000000, &options->count);
		break;
	case 'c':
		if (options->channel_count == MAX_CHANNELS)
			return misused("--channel: at most %d are allowed", MAX_CHANNELS);
		options->channels[options->channel_count++] = value;
		break;
	case 'F':
		r = kri_parse_time(value, &options->from_ns);
		break;
	case 'T':
		r = kri_parse_time(value, &options->to_ns);
		break;
	case 'p':
		options->profile = value;
		break;
	case 'r':
		options->rules = value;
		break;
	case 'B':
		options->bundle = true;
		break;
	case 'U':
		options->is_unsigned = true;
		break;
	case 'K':
		options->key = value;
		break;
	case 'A':
		if (options->anchor_count == MAX_ANCHORS)
			return misused("--anchor: at most %d are allowed", MAX_ANCHORS);
		options->anchors[options->anchor_count++] = value;
		break;
	case 'm':
		return set_energy(options, value);
	case 'v':
		return set_vvm(options, value);
	case 'M':
		return set_vvm_model(options, value);
	case 'd':
		options->days = true;
		break;
	case 'z':
		options->timezone = value;
		break;
	case 'l':
		options->language = value;
		break;
	case 'R':
		options->repair = true;
		break;
	case 'P':
		options->prometheus = true;
		break;
	case 'C':
		options->comment = value;
		break;
	case 'w':
		options->why = value;
		break;
	case 'S':
		options->config = value;
		break;
	default:
		return EXIT_USAGE;
	}
	return r < 0 ? misused("%s", kryos_strerror(r)) : EXIT_SUCCESS;
}

static bool takes(const struct command *command, int key)
{
	for (size_t i = 0; i < KRI_ARRAY_SIZE(option_help); i++) {
		if ((command->options & option_help[i].bit) && strchr(option_help[i].keys, key))
			return true;
	}
	return false;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < KRI_ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static void list_names(char *names, size_t size)
{
	*names = 0;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(commands); i++)
		snprintf(names + strlen(names), size - strlen(names), "%s%s", i ? ", " : "", commands[i]->name);
}

static const char *name_of(int key)
{
	const struct option *option = long_options;

	while (option->name && option->val != key)
		option++;
	return option->name ? option->name : "?";
}

/* Options before the command are those of every command; behind it, its own. */
static int run(const struct command *command, struct options *options, int argc, char **argv)
{
	int key, r;

	optind = 0; /* glibc and musl: begin anew */
	while ((key = getopt_long(argc, argv, "fn:c:eo:h", long_options, NULL)) != -1) {
		if (key == 'h')
			return command_help(command);
		if (key == '?')
			return misused("%s was not run", command->name);
		if (!takes(command, key))
			return misused("%s takes no --%s", command->name, name_of(key));
		r = set_option(options, key, optarg);
		if (r != EXIT_SUCCESS)
			return r;
	}
	if (options->from_ns >= options->to_ns)
		return misused("--to must be after --from");
	return command->run(options, argv + optind, argc - optind);
}

int main(int argc, char **argv)
{
	struct options options = {
		.store = "/var/lib/kryos",
		.socket = "/run/kryos/control",
		.count = 10,
		.to_ns = INT64_MAX,
		.activation_j_per_mol = 83144,
	};
	const struct command *command;
	char names[400];
	int key;

	while ((key = getopt_long(argc, argv, "+h", long_options, NULL)) != -1) {
		if (key == 'h')
			return help();
		if (key == 'V') {
			printf("kryosctl %s\n", kryos_version());
			return finish(stdout, "standard output");
		}
		if (key == '?')
			return misused("nothing was done");
		if (key != 's' && key != 'k' && key != 'j')
			return misused("--%s belongs behind a command", name_of(key));
		set_option(&options, key, optarg);
	}
	list_names(names, sizeof(names));
	if (optind == argc)
		return misused("a command is missing: one of %s", names);
	command = find(argv[optind]);
	if (!command)
		return misused("there is no command \"%s\"; there is %s", argv[optind], names);
	return run(command, &options, argc - optind, argv + optind);
}
