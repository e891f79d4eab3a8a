/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>

int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	FILE *file;

	unsetenv("STATE_DIRECTORY");
	bench->folder = scratch_new();
	snprintf(bench->file, sizeof(bench->file), "%s/station.ini", bench->folder);
	snprintf(bench->store, sizeof(bench->store), "%s/store", bench->folder);
	snprintf(bench->socket, sizeof(bench->socket), "%.80s/control", bench->folder);
	file = fopen(bench->file, "w");
	assert_non_null(file);
	fprintf(file,
	        "[station]\nname = Bench\n[sensor fridge]\naddress = ds18b20@w1:any\nplace = vaccine\n[store]\npath = "
	        "%s\n"
	        "[watchdog]\ndevice = none\n[relay main]\nurl = fake://one\n",
	        bench->store);
	assert_int_equal(fclose(file), 0);
	assert_ok(kryos_fake_clock_new(&bench->clock, BENCH_START_NS));
	assert_ok(kryos_fake_bus_new(&bench->bus, "w1"));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->bus, "28-0316a2795bff", &bench->fridge));
	assert_ok(kryos_fake_transport_new(&bench->transport));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->bus, bench->ctx));
	assert_ok(kryos_fake_transport_attach(bench->transport, bench->ctx));
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->file, KRYOS_STATION_CONFIG(.manual = 1)));
	*state = bench;
	return 0;
}

int bench_teardown(void **state)
{
	struct bench *bench = *state;

	kryos_station_close(bench->station);
	kryos_ctx_free(bench->ctx);
	kryos_fake_transport_free(bench->transport);
	kryos_fake_bus_free(bench->bus);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static bool is_idle(void *data)
{
	return kryos_sampler_busy(data) == 0;
}

void bench_measure(struct bench *bench, int64_t value_micro)
{
	struct kryos_sampler *sampler = kryos_station_get_sampler(bench->station);

	assert_ok(kryos_model_set(bench->fridge, "temperature", value_micro));
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_sampler_round(sampler));
	assert_true(process_until(bench->ctx, is_idle, sampler, 10000));
}
