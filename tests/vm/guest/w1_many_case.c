/* SPDX-License-Identifier: Apache-2.0 */
/*
 * w1_many_case PARAMETERS: eight DS18B20 on two emulated 1-Wire masters, four each, in rounds, through the kernel's w1
 * core and w1_therm. PARAMETERS is the folder of what can be set there (tests/vm/modules/cold_w1.c).
 */
#include "kernel.h"
#include "support.h"
#include <errno.h>
#include <sensor/sensor.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROBES 8
#define CONVERSION_MS 750

static const char *parameters;

struct bench {
	struct kryos_ctx *ctx;
	struct kryos_sensor *sensors[PROBES];
	size_t count;
	struct kri_measured results[PROBES];
};

static int setup(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));

	assert_ok(kryos_ctx_new(&bench->ctx, NULL));
	for (int i = 0; i < PROBES; i++) {
		char name[8], device[40];

		snprintf(name, sizeof(name), "p%d", i);
		snprintf(device, sizeof(device), "ds18b20@w1:28-01000000000%d", i + 1);
		assert_ok(kryos_sensor_open(&bench->sensors[i], bench->ctx, name, device));
	}
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	test_free(bench);
	return 0;
}

static void measured(void *data, const struct kri_measured *results, size_t count)
{
	struct bench *bench = data;

	bench->count = count;
	memcpy(bench->results, results, count * sizeof(results[0]));
}

static bool has_results(void *data)
{
	return ((struct bench *)data)->count > 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How long a round of all of them takes; each has its own temperature. */
static int64_t round_ms(struct bench *bench)
{
	int64_t begin = now_ms();
	struct kri_batch *batch;

	bench->count = 0;
	assert_ok(kri_batch_start(&batch, bench->sensors, PROBES, 0, KRYOS_SECONDS(10), measured, bench));
	assert_true(process_until(bench->ctx, has_results, bench, 60000));
	for (int i = 0; i < PROBES; i++) {
		if (bench->results[i].code < 0)
			fail_msg("%s", bench->results[i].text);
		assert_int_equal(bench->results[i].samples[0].quality, KRYOS_QUALITY_GOOD);
		assert_int_equal(bench->results[i].samples[0].value_micro, (80 + i) * 62500);
	}
	return now_ms() - begin;
}

/* Probes that live on their data line convert one after the other: what it costs, and what the rest is compared with.
 */
static int64_t apart_ms(struct bench *bench)
{
	int64_t ms;

	kernel_write(in(parameters, "parasite"), "%d", 255);
	ms = round_ms(bench);
	kernel_write(in(parameters, "parasite"), "%d", 0);
	assert_in_range(ms, PROBES * CONVERSION_MS, 60000);
	return ms;
}

/* Less than half: for that it would do that each master is on its own. */
static void check_together(int64_t together_ms, int64_t one_by_one_ms)
{
	assert_in_range(together_ms, CONVERSION_MS, one_by_one_ms * 2 / 5);
}

static void eight_probes_of_two_masters_convert_together(void **state)
{
	int64_t together_ms = round_ms(*state), one_by_one_ms = apart_ms(*state);

	printf("# eight probes of two masters as root: %lld ms, one after the other %lld ms\n", (long long)together_ms,
	       (long long)one_by_one_ms);
	check_together(together_ms, one_by_one_ms);
}

static void the_same_without_the_command_for_all(void **state)
{
	struct bench *bench = *state;
	int64_t together_ms, one_by_one_ms = apart_ms(bench);

	assert_int_equal(seteuid(65534), 0);
	together_ms = round_ms(bench);
	assert_int_equal(seteuid(0), 0);
	printf("# eight probes of two masters, without therm_bulk_read: %lld ms, one after the other %lld ms\n",
	       (long long)together_ms, (long long)one_by_one_ms);
	check_together(together_ms, one_by_one_ms);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(eight_probes_of_two_masters_convert_together, setup, teardown),
		cmocka_unit_test_setup_teardown(the_same_without_the_command_for_all, setup, teardown),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: w1_many_case PARAMETERS\n");
		return 2;
	}
	parameters = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
