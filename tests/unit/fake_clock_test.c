/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include <errno.h>
#include <kryos/testing/clock.h>
#include <string.h>

#define NOON INT64_C(1795000000000000000)

static int setup(void **state)
{
	struct kryos_fake_clock *clock = NULL;

	if (kryos_fake_clock_new(&clock, NOON) < 0)
		return -1;
	*state = clock;
	return 0;
}

static int teardown(void **state)
{
	kryos_fake_clock_free(*state);
	return 0;
}

static void fake_clock_starts_ten_seconds_after_boot(void **state)
{
	const struct kryos_clock_source *source = kryos_fake_clock_source();

	assert_int_equal(source->size, sizeof(*source));
	assert_int_equal(source->simulated, 1);
	assert_int_equal(source->boot_ns(*state), KRYOS_SECONDS(10));
	assert_int_equal(source->wall_ns(*state), NOON);
	assert_int_equal(source->synced(*state), 0);
}

static void fake_clock_moves_only_when_told_and_never_back(void **state)
{
	kryos_fake_clock_advance(*state, KRYOS_MILLISECONDS(1500));
	assert_int_equal(kryos_fake_clock_boot_ns(*state), KRYOS_SECONDS(10) + KRYOS_MILLISECONDS(1500));
	assert_int_equal(kryos_fake_clock_wall_ns(*state), NOON + KRYOS_MILLISECONDS(1500));
	kryos_fake_clock_advance(*state, -1);
	assert_int_equal(kryos_fake_clock_boot_ns(*state), KRYOS_SECONDS(10) + KRYOS_MILLISECONDS(1500));
	assert_int_equal(kryos_fake_clock_wall_ns(*state), NOON + KRYOS_MILLISECONDS(1500));
}

static void a_step_of_wall_time_leaves_boot_time_alone(void **state)
{
	const struct kryos_clock_source *source = kryos_fake_clock_source();

	kryos_fake_clock_set_wall(*state, 5);
	assert_int_equal(source->wall_ns(*state), 5);
	assert_int_equal(source->boot_ns(*state), KRYOS_SECONDS(10));
	assert_int_equal(source->step(*state, NOON), 0);
	assert_int_equal(source->wall_ns(*state), NOON);
}

static void a_refused_step_changes_nothing(void **state)
{
	const struct kryos_clock_source *source = kryos_fake_clock_source();

	kryos_fake_clock_refuse_step(*state, 1);
	assert_int_equal(source->step(*state, 7), -EPERM);
	assert_int_equal(source->wall_ns(*state), NOON);
	kryos_fake_clock_refuse_step(*state, 0);
	assert_int_equal(source->step(*state, 7), 0);
}

static void a_reboot_gives_another_boot_id_and_keeps_wall_time(void **state)
{
	const struct kryos_clock_source *source = kryos_fake_clock_source();
	char first[37], again[37], second[37];

	kryos_fake_clock_set_synced(*state, 1);
	assert_int_equal(source->synced(*state), 1);
	kryos_fake_clock_advance(*state, KRYOS_HOURS(1));
	source->boot_id(*state, first);
	source->boot_id(*state, again);
	assert_string_equal(first, again);
	assert_int_equal(strlen(first), 36);
	kryos_fake_clock_reboot(*state);
	source->boot_id(*state, second);
	assert_string_not_equal(first, second);
	assert_int_equal(source->boot_ns(*state), KRYOS_SECONDS(10));
	assert_int_equal(source->wall_ns(*state), NOON + KRYOS_HOURS(1));
	assert_int_equal(source->synced(*state), 0);
}

static void a_clock_without_a_place_to_go_is_refused(void **state)
{
	(void)state;
	assert_fails(-EINVAL, kryos_fake_clock_new(NULL, 0));
	kryos_fake_clock_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fake_clock_starts_ten_seconds_after_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(fake_clock_moves_only_when_told_and_never_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_step_of_wall_time_leaves_boot_time_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refused_step_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reboot_gives_another_boot_id_and_keeps_wall_time, setup, teardown),
		cmocka_unit_test(a_clock_without_a_place_to_go_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
