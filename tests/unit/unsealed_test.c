/* SPDX-License-Identifier: Apache-2.0 */
/* What libcrypto adds to a store, and that nothing else depends on it: these hold in builds with it and without. */
#include "rig.h"
#include <string.h>
#include <sys/stat.h>

#define LIMITS KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10))

static void start(struct rig *rig)
{
	rig_start(rig, LIMITS);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_open_queue(rig, NULL);
}

/* Three segments that are closed and one that is not, with 48 samples. */
static void fill(struct rig *rig)
{
	start(rig);
	for (int i = 0; i < 3; i++) {
		rig_append_minutes(rig, 12);
		rig_rotate(rig);
	}
	rig_append_minutes(rig, 12);
	rig_wait_sealed(rig);
	assert_true(rig->store->segment_count >= 4);
}

static void a_segment_is_closed_for_good_and_signed_where_there_is_libcrypto(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result;
	struct stat status;
	char wal[5000];

	fill(rig);
	assert_int_equal(stat(rig_segment_path(rig, 1), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0440);
	snprintf(wal, sizeof(wal), "%s-wal", rig_segment_path(rig, 1));
	assert_int_not_equal(stat(wal, &status), 0);
	result = rig_verify(rig);
	assert_string_equal(result.first_problem, "");
	assert_int_equal(result.samples, 48);
	assert_int_equal(result.bad_rows + result.bad_links + result.bad_seals, 0);
	if (KRYOS_WITH_CRYPTO)
		assert_true(result.sealed >= 3);
	else
		assert_int_equal(result.sealed, 0);
}

static void status_says_whether_segments_are_signed(void **state)
{
	struct rig *rig = *state;

	fill(rig);
	assert_int_equal(rig_status(rig).can_seal, KRYOS_WITH_CRYPTO);
	assert_int_equal(rig_status(rig).error, 0);
	assert_int_equal(strlen(rig_status(rig).device), 32);
}

/* Seqs that events have are holes between samples: at the first of them a segment of an earlier run is verified. */
static void all_of_an_earlier_run_is_delivered_and_nothing_taken_for_damaged(void **state)
{
	struct rig *rig = *state;
	char device[33];

	fill(rig);
	memcpy(device, rig_status(rig).device, sizeof(device));
	rig_stop(rig);
	start(rig);
	assert_int_equal(rig_deliver(rig, 1000), 48);
	assert_int_equal(rig_count(rig), 48);
	assert_int_equal(rig_status(rig).gaps, 0);
	assert_string_equal(rig_status(rig).device, device);
}

static void a_row_that_was_changed_is_found_by_its_checksum(void **state)
{
	struct rig *rig = *state;
	const char *path;

	fill(rig);
	path = rig_segment_path(rig, 1);
	assert_int_equal(chmod(path, 0640), 0);
	rig_sql(path, "UPDATE sample SET value_micro=99 WHERE value_micro=2");
	assert_int_equal(rig_verify(rig).bad_rows, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_segment_is_closed_for_good_and_signed_where_there_is_libcrypto,
		                                rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(status_says_whether_segments_are_signed, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(all_of_an_earlier_run_is_delivered_and_nothing_taken_for_damaged,
		                                rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_row_that_was_changed_is_found_by_its_checksum, rig_setup,
		                                rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
