/* SPDX-License-Identifier: Apache-2.0 */
/* Where this was built without cairo. */
#include "kryosctl.h"

int write_report(const struct options *options, const char *path)
{
	(void)options;
	(void)path;
	return complain("this kryosctl was built without reports (KRYOS_WITH_REPORT, which needs cairo)");
}

static int run(const struct options *options, char *const *arguments, int count)
{
	(void)arguments;
	(void)count;
	return write_report(options, options->output);
}

const struct command report_command = {
	.name = "report",
	.arguments = "",
	.summary = "a period as pages to print; not in this build",
	.help = "This kryosctl was built without cairo, which draws reports: cmake -DKRYOS_WITH_REPORT=ON.",
	.options = TAKES_STORE | TAKES_CHANNEL | TAKES_RANGE | TAKES_OUTPUT | TAKES_REPORT,
	.run = run,
};
