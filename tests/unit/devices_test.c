/* SPDX-License-Identifier: Apache-2.0 */
/* src/station/devices.c: what a station file names, asked before anything is opened. */
#include "program.h"
#include "support.h"
#include <errno.h>
#include <kryos/station.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int setup(void **state)
{
	*state = scratch_new();
	return 0;
}

static int teardown(void **state)
{
	scratch_free(*state);
	return 0;
}

static void assert_device(const char *path, unsigned int index, const char *name, const char *device)
{
	char got_name[32], got_device[96];

	assert_ok(kryos_station_get_device(path, index, got_name, got_device));
	assert_string_equal(got_name, name);
	assert_string_equal(got_device, device);
}

static void sensors_come_in_the_files_order_and_the_clock_last(void **state)
{
	const char *path = in(*state, "station.ini");
	char name[32] = "untouched", device[96] = "too";

	write_file(path, "[station]\nname = A\n[sensor room]\naddress = bme280@i2c-1:0x76\n[clock]\n"
	                 "rtc = ds3231@i2c-1:0x68\n[sensor fridge]\naddress = ds18b20@w1:any\n");
	assert_device(path, 0, "room", "bme280@i2c-1:0x76");
	assert_device(path, 1, "fridge", "ds18b20@w1:any");
	assert_device(path, 2, "", "ds3231@i2c-1:0x68");
	assert_fails(-ENOENT, kryos_station_get_device(path, 3, name, device));
	assert_fails(-ENOENT, kryos_station_get_device(path, 4000000000U, name, device));
	assert_string_equal(name, "untouched");
	assert_string_equal(device, "too");
}

static void a_wrong_file_gives_no_device(void **state)
{
	const char *path = in(*state, "station.ini");
	char name[32], device[96], folder[64];

	write_file(path, "[station]\nname = A\n[sensor room]\naddress = bme281@i2c-1:0x76\n");
	assert_fails(KRYOS_ECONFIG, kryos_station_get_device(path, 0, name, device));
	assert_says(KRYOS_ECONFIG, "station.ini:4: ");
	assert_fails(KRYOS_ECONFIG, kryos_station_get_store_path(path, folder, sizeof(folder)));
	assert_fails(-ENOENT, kryos_station_get_device(in(*state, "none.ini"), 0, name, device));
	assert_fails(-EINVAL, kryos_station_get_device(path, 0, name, NULL));
	assert_fails(-EINVAL, kryos_station_get_device(NULL, 0, name, device));
}

static void the_store_is_where_the_file_or_systemd_says(void **state)
{
	const char *path = in(*state, "station.ini");
	char folder[32] = "untouched";

	write_file(path, "[station]\nname = A\n[sensor room]\naddress = bme280@i2c-1:0x76\n");
	assert_int_equal(unsetenv("STATE_DIRECTORY"), 0);
	assert_ok(kryos_station_get_store_path(path, folder, sizeof(folder)));
	assert_string_equal(folder, "/var/lib/kryos");
	assert_int_equal(setenv("STATE_DIRECTORY", "/var/lib/cold", 1), 0);
	assert_ok(kryos_station_get_store_path(path, folder, sizeof(folder)));
	assert_string_equal(folder, "/var/lib/cold");
	assert_int_equal(unsetenv("STATE_DIRECTORY"), 0);
	write_file(path, "[station]\nname = A\n[sensor room]\naddress = bme280@i2c-1:0x76\n"
	                 "[store]\npath = /a/folder/with/a/longer/name/than/31\n");
	assert_fails(-ENAMETOOLONG, kryos_station_get_store_path(path, folder, sizeof(folder)));
	assert_string_equal(folder, "/var/lib/cold");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sensors_come_in_the_files_order_and_the_clock_last, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wrong_file_gives_no_device, setup, teardown),
		cmocka_unit_test_setup_teardown(the_store_is_where_the_file_or_systemd_says, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
