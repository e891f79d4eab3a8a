/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char help_text[] =
	"Usage: cryo_daemon [OPTION...]\n"
	"Measures, keeps and relays what one station file says, until it is told to stop.\n"
	"\n"
	"  -c, --config FILE     the station file (/etc/kryos/station.ini)\n"
	"      --check           only check it: prints what would be in force, or every mistake\n"
	"      --once            measure once, store it, print it, exit\n"
	"      --print           print each measurement, its seq first, once it is stored\n"
	"      --user NAME       become this user once what needs root is open\n"
	"      --status FILE     the state as JSON (status.json in the runtime folder)\n"
	"      --metrics FILE    the state as Prometheus reads it, for its node exporter's textfile collector\n"
	"      --control PATH    the local socket for kryosctl (control in the runtime folder)\n"
	"      --syslog          log to syslog, not to standard error\n"
	"      --simulate TRACE  take time and temperature from a CSV file: time,celsius\n"
	"      --speed N         simulate N times as fast as it was (as fast as the disk takes it)\n"
	"  -h, --help            this text\n"
	"  -V, --version         the version\n"
	"\n"
	"The runtime folder is $RUNTIME_DIRECTORY, or /run/kryos. SIGHUP reads the station file again;\n"
	"a file with mistakes changes nothing. SIGTERM and SIGINT stop it.\n"
	"\n"
	"A simulation measures once for each row of the trace, at the row's time, with chip models in the\n"
	"place of the file's sensors: ds18b20 probes have the trace's temperature, a bme280 is in a room\n"
	"that is 24 C, 2 C warmer at 15:00 UTC and 2 C colder at 03:00. Time is the trace's; network and\n"
	"back-off keep to real time, and the watchdog is left alone. What the store has already is not\n"
	"measured again, so a simulation that was killed goes on where it was. At its end it waits until\n"
	"every relay has delivered all it owes.\n"
	"\n"
	"Exit status: 0 stopped as told or done, 1 failed, 2 wrong option, 78 mistakes in the station file.\n";

enum { CHECK = 256, ONCE, PRINT, USER, STATUS, METRICS, CONTROL, SYSLOG, SIMULATE, SPEED };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, CHECK },
	{ "once", no_argument, NULL, ONCE },
	{ "print", no_argument, NULL, PRINT },
	{ "user", required_argument, NULL, USER },
	{ "status", required_argument, NULL, STATUS },
	{ "metrics", required_argument, NULL, METRICS },
	{ "control", required_argument, NULL, CONTROL },
	{ "syslog", no_argument, NULL, SYSLOG },
	{ "simulate", required_argument, NULL, SIMULATE },
	{ "speed", required_argument, NULL, SPEED },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int misused(const char *text, const char *what)
{
	fprintf(stderr, "cryo_daemon: %s%s\ncryo_daemon --help says more.\n", text, what);
	return EXIT_USAGE;
}

static bool take_speed(struct options *options, const char *text)
{
	char *end;

	options->speed = strtod(text, &end);
	return end != text && !*end && isfinite(options->speed) && options->speed >= 0.001 && options->speed <= 1e9;
}

int options_parse(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:hV", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case CHECK:
			options->check = true;
			break;
		case ONCE:
			options->once = true;
			break;
		case PRINT:
			options->print = true;
			break;
		case USER:
			options->user = optarg;
			break;
		case STATUS:
			options->status = optarg;
			break;
		case METRICS:
			options->metrics = optarg;
			break;
		case CONTROL:
			options->control = optarg;
			break;
		case SYSLOG:
			options->syslog = true;
			break;
		case SIMULATE:
			options->trace = optarg;
			break;
		case SPEED:
			if (!take_speed(options, optarg))
				return misused("--speed takes a number from 0.001 to 1e9, not ", optarg);
			break;
		case 'h':
			fputs(help_text, stdout);
			return EXIT_SUCCESS;
		case 'V':
			printf("cryo_daemon %s\n", kryos_version());
			return EXIT_SUCCESS;
		default: /* getopt_long has said what */
			fputs("cryo_daemon --help says more.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return misused("there is no argument ", argv[optind]);
	if (options->speed > 0 && !options->trace)
		return misused("--speed is for --simulate", "");
	return -1;
}
