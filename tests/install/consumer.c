/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest program that uses the installed library, and the testing library where it is asked for. */
#include <kryos/kryos.h>
#include <stdio.h>
#include <string.h>
#ifdef WITH_TESTING
#include <kryos/testing/clock.h>
#endif

int main(void)
{
	struct kryos_ctx *ctx = NULL;
	struct kryos_time now;
	uint32_t channel = 0;
	int r = -1;
#ifdef WITH_TESTING
	struct kryos_fake_clock *clock = NULL;

	r = kryos_fake_clock_new(&clock, KRYOS_DAYS(20000));
	if (r >= 0)
		r = kryos_ctx_new(&ctx, KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = clock));
#else
	r = kryos_ctx_new(&ctx, NULL);
#endif
	if (r >= 0)
		r = kryos_channel_add(ctx, "fridge.temperature", "Cel", &channel);
	if (r >= 0)
		r = kryos_clock_now(ctx, &now);
	if (r >= 0)
		r = kryos_ctx_process(ctx);
	if (r < 0)
		fprintf(stderr, "consumer: %s\n", kryos_strerror(r));
	else
		printf("libkryos %s, %s\n", kryos_version(), kryos_channel_name(ctx, channel));
	kryos_ctx_free(ctx);
#ifdef WITH_TESTING
	kryos_fake_clock_free(clock);
#endif
	return r < 0;
}
