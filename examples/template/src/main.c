/* SPDX-License-Identifier: Apache-2.0 */
/* fridged FOLDER DEVICE: measures every minute, keeps it in FOLDER, and says on its standard output what happens. */
#include "fridge.h"
#include <errno.h>
#include <signal.h>

static struct kryos_ctx *ctx;

static void stop(int number)
{
	(void)number;
	kryos_ctx_stop(ctx);
}

int main(int argc, char **argv)
{
	struct fridge fridge;
	const struct kryos_event *event;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: fridged FOLDER DEVICE, for example: fridged readings vial@i2c-1:0x48\n");
		return 2;
	}
	r = kryos_ctx_new(&ctx, NULL);
	if (r >= 0)
		r = fridge_open(&fridge, ctx, argv[1], argv[2], KRYOS_MINUTES(1));
	if (r >= 0 && (signal(SIGTERM, stop) == SIG_ERR || signal(SIGINT, stop) == SIG_ERR))
		r = -errno;
	while (r >= 0 && (r = kryos_ctx_run(ctx)) > 0)
		while (kryos_ctx_next_event(ctx, &event) > 0)
			fridge_tell(ctx, event, stdout);
	if (r < 0)
		fprintf(stderr, "fridged: %s\n", kryos_strerror(r));
	signal(SIGTERM, SIG_IGN); /* a second one must not find a context that is gone */
	signal(SIGINT, SIG_IGN);
	kryos_ctx_free(ctx); /* what waits for the disk is written */
	return r < 0;
}
