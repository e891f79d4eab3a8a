/* SPDX-License-Identifier: Apache-2.0 */
/* The station's rules over anyone's log. Everything is read and evaluated before a word of it is printed. */
#include "evaluate.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void show(const struct options *options, const struct finding *finding)
{
	struct kri_json *json;

	if (!options->json) {
		print_evaluation(options, finding);
		return;
	}
	json = finding_json(options, finding);
	print_json(json);
	kri_json_free(json);
}

static void show_left_out(const char *path, const struct finding *finding)
{
	const char *why;
	uint32_t line;

	for (size_t i = 0; kryos_evaluation_get_left_out(finding->evaluation, finding->channel, i, &line, &why) >= 0;
	     i++)
		fprintf(stderr, "%s:%" PRIu32 ": %s; left out\n", path, line, why);
}

static struct finding find(const struct kryos_evaluation *evaluation, unsigned int channel)
{
	struct finding finding = { .evaluation = evaluation,
		                   .channel = channel,
		                   .summary.size = sizeof(finding.summary),
		                   .exposure.size = sizeof(finding.exposure) };

	/* Both are there, of every channel. */
	(void)!kryos_evaluation_get_summary(evaluation, channel, &finding.summary);
	(void)!kryos_evaluation_get_exposure(evaluation, channel, &finding.exposure);
	return finding;
}

/* What names its file stands as it is. */
static int refuse(int result)
{
	if (result == -EINVAL)
		return misused("%s", kryos_strerror(result));
	if (result == -ENOMEM)
		return complain("%s", kryos_strerror(result));
	fprintf(stderr, "%s%s\n", kryos_strerror(result), result == -EILSEQ ? "; --repair leaves such rows out" : "");
	return EXIT_FAILURE;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kryos_evaluation *evaluation = NULL;
	unsigned int channels;
	int r;

	if (count != 1)
		return misused("evaluate: one file is needed");
	if (options->profile && options->rules)
		return misused("evaluate: --profile or --rules, not both");
	r = kryos_evaluate(
		&evaluation, arguments[0],
		KRYOS_EVALUATE_CONFIG(.repair = options->repair, .profile = options->profile, .rules = options->rules,
	                              .activation_j_per_mol = options->activation_j_per_mol, .vvm = options->vvm,
	                              .vvm_model = options->vvm_model, .days = options->days));
	if (r < 0)
		return refuse(r);
	channels = kryos_evaluation_get_channel_count(evaluation);
	for (unsigned int i = 0; i < channels; i++) {
		struct finding finding = find(evaluation, i);

		show_left_out(arguments[0], &finding);
	}
	for (unsigned int i = 0; i < channels; i++) {
		struct finding finding = find(evaluation, i);

		show(options, &finding);
	}
	kryos_evaluation_free(evaluation);
	return finish(stdout, "standard output");
}

const struct command evaluate_command = {
	.name = "evaluate",
	.arguments = "FILE.csv",
	.summary = "which alarms a recorded temperature would have raised",
	.help = "Judges a log as a station would have: lines of time,celsius under a header that says so, with a\n"
		"column channel if it is of several. Times are 2022-05-02T04:44:00Z, with an offset as +02:00, or\n"
		"seconds since 1970. A log with a mistake gives its line and no result.\n"
		"Profiles: who-refrigerator (taken where nothing is said), who-shipping-1, who-shipping-2,\n"
		"fridge-2-8, freezer-25-15, ultra-cold-80-60, controlled-room.",
	.options = TAKES_JSON | TAKES_EVALUATE | TAKES_VVM,
	.run = run,
};
