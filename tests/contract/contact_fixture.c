/* SPDX-License-Identifier: Apache-2.0 */
/* Doors, mains: sensors that are one GPIO line. */
#include "sensor_contract.h"

static void compare_contact(const struct fixture *fixture, uint64_t *seed)
{
	const struct kryos_sensor_driver *driver = driver_of(fixture->driver);
	struct kryos_reading reading;
	uint8_t raw;

	(void)seed;
	for (raw = 0; raw < 2; raw++) {
		driver->decode(NULL, &raw, &reading);
		assert_int_equal(reading.value_micro, raw * 1000000);
		assert_int_equal(reading.quality, KRYOS_QUALITY_GOOD);
		assert_non_null(driver->channels[0].states[raw]);
	}
	assert_string_equal(driver->channels[0].unit, "/");
}

#define CONTACT(name)                                                                                                  \
	{                                                                                                              \
		.driver = name, .bus = "gpio", .place = "GPIO17", .other_place = "GPIO27",                             \
		.add = kryos_fake_bus_add_line, .high_micro = { 1000000 }, .tolerance_micro = { 500000 },              \
		.compare = compare_contact                                                                             \
	}

const struct fixture contact_fixtures[] = { CONTACT("button"), CONTACT("door"), CONTACT("mains"), { 0 } };
