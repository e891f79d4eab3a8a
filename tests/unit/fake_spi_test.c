/* SPDX-License-Identifier: Apache-2.0 */
/* The fake SPI bus, and its chips' registers as their data sheets have them. */
#include "core/core.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <string.h>

struct rig {
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	const struct kryos_bus_driver *driver;
	void *userdata;
	struct kryos_model *model;
	uint32_t mode, hz;
	_Alignas(max_align_t) unsigned char priv[64];
};

static int take_first(void *data, const void *driver, void *userdata)
{
	struct rig *rig = data;

	rig->driver = driver;
	rig->userdata = userdata;
	return 1;
}

static int setup(void **state)
{
	struct rig *rig = test_calloc(1, sizeof(*rig));

	rig->mode = 1;
	rig->hz = 1000000;
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	assert_ok(kryos_fake_bus_new(&rig->bus, "spi-0.0"));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	assert_ok(kryos_fake_bus_add_max31865(rig->bus, "", &rig->model));
	assert_int_equal(kri_registry_each(rig->ctx, KRI_BUS, take_first, rig), 1);
	assert_ok(rig->driver->open(rig->priv, "spi-0.0", rig->userdata));
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	rig->driver->close(rig->priv);
	kryos_ctx_free(rig->ctx);
	kryos_fake_bus_free(rig->bus);
	test_free(rig);
	return 0;
}

static int transfer(struct rig *rig, const void *out, size_t out_count, void *in_bytes, size_t in_count)
{
	struct kryos_address address;

	assert_ok(rig->driver->parse(rig->priv, "", &address));
	address.spi_mode = rig->mode;
	address.spi_max_hz = rig->hz;
	return rig->driver->transfer(rig->priv, &address, out, out_count, in_bytes, in_count);
}

static void read_all(struct rig *rig, uint8_t bytes[8])
{
	uint8_t reg = 0;

	assert_ok(transfer(rig, &reg, 1, bytes, 8));
}

static void configure(struct rig *rig, uint8_t value)
{
	assert_ok(transfer(rig, (uint8_t[]){ 0x80, value }, 2, NULL, 0));
}

static const uint8_t power_on[8] = { 0, 0, 0, 0xff, 0xff, 0, 0, 0 };

static void fake_spi_bus_has_one_chip_and_no_places(void **state)
{
	struct rig *rig = *state;
	struct kryos_address address;
	struct kryos_model *other;
	uint8_t bytes[8];

	assert_fails(KRYOS_EDEVICE, rig->driver->parse(rig->priv, "0x76", &address));
	assert_null(rig->driver->recover);
	assert_fails(-EEXIST, kryos_fake_bus_add_max31865(rig->bus, "", &other));
	assert_fails(-EINVAL, kryos_fake_bus_add_ds3231(rig->bus, "", &other));
	/* Another one takes its place, and keeps it. */
	configure(rig, 0x11);
	kryos_model_set_present(rig->model, 0);
	assert_ok(kryos_fake_bus_add_max31865(rig->bus, "", &other));
	kryos_model_set_present(rig->model, 1);
	read_all(rig, bytes);
	assert_int_equal(bytes[0], 0x00);
	kryos_model_set_present(other, 0);
	kryos_model_set_present(rig->model, 1);
	configure(rig, 0x11);
	read_all(rig, bytes);
	assert_int_equal(bytes[0], 0x11);
}

static void fake_spi_bus_reads_an_idle_wire_where_no_chip_hears(void **state)
{
	struct rig *rig = *state;
	uint8_t bytes[8], idle[8];

	for (int level = 0; level < 2; level++) {
		memset(idle, level ? 0xff : 0x00, sizeof(idle));
		kryos_fake_bus_set_idle(rig->bus, level);
		read_all(rig, bytes);
		assert_memory_equal(bytes, power_on, 8);
		kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_NACK, 0, 1);
		read_all(rig, bytes);
		assert_memory_equal(bytes, idle, 8);
		rig->mode = 0;
		read_all(rig, bytes);
		assert_memory_equal(bytes, idle, 8);
		rig->mode = 3;
		rig->hz = 5000001;
		read_all(rig, bytes);
		assert_memory_equal(bytes, idle, 8);
		rig->hz = 5000000;
		read_all(rig, bytes);
		assert_memory_equal(bytes, power_on, 8);
		kryos_model_set_present(rig->model, 0);
		read_all(rig, bytes);
		assert_memory_equal(bytes, idle, 8);
		kryos_model_set_present(rig->model, 1);
	}
}

static void fake_spi_bus_fails_as_planned(void **state)
{
	static const uint8_t zeros[8];
	struct rig *rig = *state;
	uint8_t bytes[8], reg = 0;

	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_EIO, 0, 1);
	assert_fails(-EIO, transfer(rig, &reg, 1, bytes, 8));
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_TIMEOUT, 0, 1);
	assert_fails(-ETIMEDOUT, transfer(rig, &reg, 1, bytes, 8));
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_STUCK, 0, 1);
	read_all(rig, bytes);
	assert_memory_equal(bytes, zeros, 8);
	read_all(rig, bytes); /* until the plan changes: nobody recovers such a bus */
	assert_memory_equal(bytes, zeros, 8);
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_FLIP, 0, 1);
	read_all(rig, bytes);
	assert_memory_not_equal(bytes, power_on, 8);
	read_all(rig, bytes);
	assert_memory_equal(bytes, power_on, 8);
}

static unsigned int code_of(const uint8_t bytes[8])
{
	return (unsigned int)(bytes[1] << 8 | bytes[2]) >> 1;
}

static void max31865_model_converts_once_and_clears_the_bit(void **state)
{
	struct rig *rig = *state;
	uint8_t bytes[8];

	assert_ok(kryos_model_set(rig->model, "reference", 400000000));
	assert_ok(kryos_model_set(rig->model, "temperature", 0));
	configure(rig, 0xa0); /* the bias with the conversion: too late */
	read_all(rig, bytes);
	assert_int_equal(bytes[0], 0xa0);
	read_all(rig, bytes);
	assert_int_equal(bytes[0], 0x80);
	assert_int_not_equal(code_of(bytes), 8192);
	configure(rig, 0xa0);
	read_all(rig, bytes);
	read_all(rig, bytes);
	assert_int_equal(code_of(bytes), 8192); /* table 9 */
	assert_ok(kryos_model_set(rig->model, "temperature", 100000000));
	read_all(rig, bytes);
	assert_int_equal(code_of(bytes), 8192); /* only when asked */
}

/* Thresholds, and which half of the cycle sees what: tables 7 and 10 to 12. */
static void max31865_model_latches_faults_until_they_are_cleared(void **state)
{
	struct rig *rig = *state;
	uint8_t bytes[8];

	assert_ok(transfer(rig, (uint8_t[]){ 0x83, 0x80, 0x00, 0x20, 0x00 }, 5, NULL, 0));
	configure(rig, 0x80);
	kryos_model_set_wiring(rig->model, KRYOS_WIRING_GROUND);
	configure(rig, 0xa0);
	read_all(rig, bytes);
	read_all(rig, bytes);
	assert_int_equal(bytes[7], 0); /* looks right */
	configure(rig, 0x88);
	read_all(rig, bytes);
	assert_int_equal(bytes[0], 0x88);
	assert_int_equal(bytes[7], 0);
	configure(rig, 0x8c);
	read_all(rig, bytes);
	read_all(rig, bytes);
	read_all(rig, bytes);
	assert_int_equal(bytes[0], 0x80);
	assert_int_equal(bytes[7], 0x18);
	assert_int_equal(bytes[2] & 1, 1);
	kryos_model_set_wiring(rig->model, KRYOS_WIRING_OPEN);
	configure(rig, 0xa0);
	read_all(rig, bytes);
	read_all(rig, bytes);
	assert_int_equal(bytes[7], 0x98);
	kryos_model_set_wiring(rig->model, KRYOS_WIRING_GOOD);
	configure(rig, 0x80);
	read_all(rig, bytes);
	assert_int_equal(bytes[7], 0x98);
	configure(rig, 0x82);
	read_all(rig, bytes);
	assert_int_equal(bytes[7], 0);
	assert_int_equal(bytes[0], 0x80);
	kryos_model_set_wiring(rig->model, KRYOS_WIRING_OVER);
	configure(rig, 0x82); /* comes back at once */
	read_all(rig, bytes);
	assert_int_equal(bytes[7], 0x04);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fake_spi_bus_has_one_chip_and_no_places, setup, teardown),
		cmocka_unit_test_setup_teardown(fake_spi_bus_reads_an_idle_wire_where_no_chip_hears, setup, teardown),
		cmocka_unit_test_setup_teardown(fake_spi_bus_fails_as_planned, setup, teardown),
		cmocka_unit_test_setup_teardown(max31865_model_converts_once_and_clears_the_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(max31865_model_latches_faults_until_they_are_cleared, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
