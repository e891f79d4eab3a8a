/* SPDX-License-Identifier: Apache-2.0 */
#include "mcp9808.h"
#include <kryos/kryos.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	const char *device = argc > 1 ? argv[1] : "mcp9808@i2c-9:0x18";
	struct kryos_ctx *ctx = NULL;
	struct kryos_sensor *shelf = NULL;
	struct kryos_sample sample;
	int r = kryos_ctx_new(&ctx, NULL);

	if (r >= 0)
		r = kryos_register_sensor(ctx, &mcp9808_driver);
	if (r >= 0 && argc <= 1)
		r = kryos_register_bus(ctx, &simulated_bus_driver, NULL);
	if (r >= 0)
		r = kryos_sensor_open(&shelf, ctx, "shelf", device);
	if (r >= 0)
		r = kryos_sensor_read(shelf, &sample, 1);
	if (r >= 0)
		kryos_sample_print(ctx, &sample, stdout);
	else
		fprintf(stderr, "mcp9808: %s\n", kryos_strerror(r));
	kryos_ctx_free(ctx);
	return r < 0;
}
