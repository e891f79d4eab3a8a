/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include <string.h>

#define LIMITS KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .keep_ns = KRYOS_DAYS(1))

static void a_seal_is_told_with_what_it_is_compared_by(void **state)
{
	struct rig *rig = *state;
	struct kryos_reader_device device = { .size = sizeof(device) };
	struct kryos_reader_seal seal = { .size = sizeof(seal) };
	struct kryos_reader *reader;
	char older[65];
	int64_t first;

	if (!KRYOS_WITH_CRYPTO)
		skip();
	rig_start(rig, LIMITS);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	first = rig_append_minutes(rig, 5);
	rig_rotate(rig);
	rig_append_minutes(rig, 1);
	rig_rotate(rig);
	rig_append_minutes(rig, 1);
	rig_wait_sealed(rig);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	assert_ok(kryos_reader_get_seal(reader, 1, &seal));
	assert_int_equal(seal.number, first);
	assert_true(seal.last_seq >= first + 4);
	assert_int_equal(seal.samples, 5);
	assert_int_equal(seal.kept, 1);
	assert_int_equal(seal.last_trust, KRYOS_TRUST_SYNCED);
	assert_int_equal(seal.last_wall_ns, RIG_START_NS + KRYOS_MINUTES(4));
	assert_int_equal(strlen(seal.hash), 64);
	assert_string_equal(seal.device, rig_status(rig).device);
	memcpy(older, seal.hash, sizeof(older));
	assert_ok(kryos_reader_get_seal(reader, 0, &seal));
	assert_true(seal.number > first);
	assert_int_equal(seal.samples, 1);
	assert_string_not_equal(seal.hash, older);
	assert_int_equal(kryos_reader_get_seal(reader, 2, &seal), -ENOENT);

	assert_ok(kryos_reader_get_device(reader, &device));
	assert_int_equal(device.can_seal, 1);
	assert_string_equal(device.device, rig_status(rig).device);
	assert_int_equal(strlen(device.fingerprint), 64);
	assert_memory_equal(device.fingerprint, device.device, 32);
	kryos_reader_close(reader);
}

static void what_is_not_there_is_not_told(void **state)
{
	struct rig *rig = *state;
	struct kryos_reader_device device = { .size = sizeof(device) };
	struct kryos_reader_seal seal = { .size = sizeof(seal) };
	struct kryos_reader *reader;

	rig_start(rig, LIMITS);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	assert_int_equal(kryos_reader_get_seal(reader, 0, &seal), -ENOENT);
	assert_int_equal(kryos_reader_get_device(reader, &device), -ENOENT);
	seal.size = 0;
	assert_int_equal(kryos_reader_get_seal(reader, 0, &seal), -EINVAL);
	assert_int_equal(kryos_reader_get_device(NULL, &device), -EINVAL);
	kryos_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_seal_is_told_with_what_it_is_compared_by, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_not_told, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
