/* SPDX-License-Identifier: Apache-2.0 */
/* What drivers of the kernel measure: places, files, and what is no value. */
#include "../../drivers/sensor/kernel_source.h"
#include "kernel_tree.h"
#include "sensor/sensor.h"
#include "station/station_file.h"
#include "support.h"
#include <errno.h>
#include <kryos/clock.h>
#include <kryos/testing/clock.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct kryos_bus_driver kri_bus_sysfs;

/* A folder as /sys, a context that reads it, and the sensor that a test opened. */
struct tree {
	char *root;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_sensor *sensor;
	struct kryos_sample samples[KRYOS_SENSOR_MAX_CHANNELS];
};

static int setup(void **state)
{
	struct tree *tree = test_calloc(1, sizeof(*tree));

	tree->root = scratch_new();
	assert_ok(kryos_fake_clock_new(&tree->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&tree->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = tree->clock)));
	assert_ok(kryos_register_bus(tree->ctx, &kri_bus_sysfs, tree->root));
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	struct tree *tree = *state;

	kryos_ctx_free(tree->ctx);
	kryos_fake_clock_free(tree->clock);
	scratch_free(tree->root);
	test_free(tree);
	return 0;
}

static int reopen(struct tree *tree, const char *device)
{
	kryos_sensor_close(tree->sensor);
	tree->sensor = NULL;
	return kryos_sensor_open(&tree->sensor, tree->ctx, "fridge", device);
}

/* A day later, so that no value has moved too fast. */
static void check(struct tree *tree, unsigned int channel, int64_t micro, enum kryos_quality quality)
{
	int count = kryos_sensor_get_channel_count(tree->sensor);

	kryos_fake_clock_advance(tree->clock, KRYOS_HOURS(24));
	assert_int_equal(kryos_sensor_read(tree->sensor, tree->samples, KRYOS_SENSOR_MAX_CHANNELS), count);
	if (tree->samples[channel].value_micro != micro || tree->samples[channel].quality != quality)
		fail_msg("channel %u is %lld, %s", channel, (long long)tree->samples[channel].value_micro,
		         kryos_quality_name(tree->samples[channel].quality));
}

/* The kernel's own driver for the BME280: processed values, in m°C, kPa and thousandths of a per cent. */
static void iio_reads_a_bme280_in_the_kernels_units(void **state)
{
	struct tree *tree = *state;
	const char *folder = kernel_device(tree->root, "iio", "iio:device0", "1-0076");

	kernel_file(folder, "name", "bme280\n");
	kernel_file(folder, "in_temp_input", "25080\n");
	kernel_file(folder, "in_pressure_input", "100.653253906\n");
	kernel_file(folder, "in_humidityrelative_input", "48123\n");
	assert_ok(reopen(tree, "iio@bme280"));
	assert_int_equal(kryos_sensor_get_channel_count(tree->sensor), 1);
	check(tree, 0, 25080000, KRYOS_QUALITY_GOOD);
	assert_ok(reopen(tree, "iio@1-0076:pressure,humidity,temperature"));
	check(tree, 0, INT64_C(100653253906), KRYOS_QUALITY_GOOD);
	check(tree, 1, 48123000, KRYOS_QUALITY_GOOD);
	check(tree, 2, 25080000, KRYOS_QUALITY_GOOD);
	assert_string_equal(kryos_channel_name(tree->ctx, tree->samples[0].channel), "fridge.pressure");
	assert_string_equal(kryos_channel_unit(tree->ctx, tree->samples[0].channel), "Pa");
}

static void iio_computes_with_the_channels_own_factors_or_its_kinds(void **state)
{
	struct tree *tree = *state;
	const char *folder = kernel_device(tree->root, "iio", "iio:device2", "1-0048");

	kernel_file(folder, "name", "tmp117\n");
	kernel_file(folder, "in_temp_raw", "-64\n");
	kernel_file(folder, "in_temp_scale", "7.812500\n");
	kernel_file(folder, "in_voltage0_raw", "17600\n");
	kernel_file(folder, "in_voltage0_scale", "0.187500000\n");
	kernel_file(folder, "in_voltage1_raw", "16000\n");
	kernel_file(folder, "in_voltage_scale", "0.125000000\n");
	kernel_file(folder, "in_voltage0-voltage1_raw", "-8\n");
	kernel_file(folder, "in_voltage-voltage_scale", "0.062500000\n");
	kernel_file(folder, "in_voltage_offset", "100\n");
	assert_ok(reopen(tree, "iio@tmp117:temperature,voltage0,voltage1,voltage0-voltage1,voltage"));
	check(tree, 0, -500000, KRYOS_QUALITY_GOOD);
	check(tree, 1, 3318750, KRYOS_QUALITY_GOOD);
	check(tree, 2, 2012500, KRYOS_QUALITY_GOOD);
	check(tree, 3, -500, KRYOS_QUALITY_GOOD);
	check(tree, 4, 3318750, KRYOS_QUALITY_GOOD);
	/* The range of a converter is set while it is measured with. */
	kernel_file(folder, "in_voltage_scale", "0.250000000\n");
	check(tree, 2, 4025000, KRYOS_QUALITY_GOOD);
	/* -256 C: the register of a TMP117 that has not measured yet. */
	kernel_file(folder, "in_temp_raw", "-32768\n");
	check(tree, 0, -256000000, KRYOS_QUALITY_RANGE);
	/* Numbers without a unit are no measurement. */
	kernel_file(folder, "in_current0_raw", "1\n");
	assert_fails(KRYOS_ECHIP, reopen(tree, "iio@tmp117:current0"));
	assert_says(KRYOS_ECHIP,
	            "nothing says what the numbers of in_current0_raw mean: there is no in_current0_scale");
}

static int scripted_open(void *priv, const char *name, void *userdata)
{
	(void)name;
	*(int **)priv = userdata;
	return 0;
}

static void scripted_close(void *priv)
{
	(void)priv;
}

static int scripted_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	(void)priv;
	*ret_address = (struct kryos_address){ .number = 0 };
	snprintf(ret_address->text, sizeof(ret_address->text), "%s", place);
	return 0;
}

static int scripted_list(void *priv, kryos_found_fn found, void *userdata)
{
	(void)priv;
	found(userdata, &(struct kryos_address){ .text = "in_voltage0_raw" });
	found(userdata, &(struct kryos_address){ .text = "in_voltage0_scale" });
	return 0;
}

/* 2 V, before and after another program doubles the range, which it does behind the countdown's scales. */
static int scripted_read(void *priv, const struct kryos_address *address, const char *file, char *text, size_t size)
{
	int *countdown = *(int **)priv;
	bool doubled = *countdown <= 0;

	(void)address;
	if (strcmp(file, "name") == 0)
		return snprintf(text, size, "ads1115");
	if (strcmp(file, "in_voltage0_raw") == 0)
		return snprintf(text, size, "%d", doubled ? 8000 : 16000);
	(*countdown)--;
	return snprintf(text, size, "%s", doubled ? "0.250000000" : "0.125000000");
}

static const struct kryos_bus_driver scripted = {
	.size = sizeof(scripted),
	.prefix = "sysfs-iio@adc",
	.private_size = sizeof(int *),
	.open = scripted_open,
	.close = scripted_close,
	.parse = scripted_parse,
	.list = scripted_list,
	.read_text = scripted_read,
};

static void iio_measures_again_where_the_range_was_changed_meanwhile(void **state)
{
	struct tree *tree = *state;

	for (int before = 0; before < 8; before++) {
		int countdown = 1000;

		kryos_ctx_free(tree->ctx);
		tree->sensor = NULL;
		assert_ok(kryos_ctx_new(&tree->ctx, KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(),
		                                                     .clock_userdata = tree->clock)));
		assert_ok(kryos_register_bus(tree->ctx, &scripted, &countdown));
		assert_ok(reopen(tree, "iio@adc:voltage0"));
		countdown = before;
		for (int n = 0; n < 4; n++)
			check(tree, 0, 2000000, KRYOS_QUALITY_GOOD);
		kryos_sensor_close(tree->sensor);
		kryos_ctx_free(tree->ctx);
		tree->ctx = NULL;
		tree->sensor = NULL;
	}
}

static void station_file_names_devices_of_the_kernel(void **state)
{
	static const struct {
		const char *text, *errors;
	} files[] = {
		{ "[sensor room]\naddress = iio@bme280:temperature,humidity\n[sensor cpu]\n"
		  "address = thermal@cpu-thermal\n[alarm room]\nchannel = room.temperature\n"
		  "profile = who-refrigerator\n",
		  NULL },
		{ "[sensor room]\naddress = iio@bme280\n[sensor other]\naddress = iio@bme280\n",
		  ":4: address: iio@bme280 is taken by [sensor room] on line 1" },
		{ "[sensor room]\naddress = hwmon@jc42:fan1\n", ":2: address: \"fan1\" is nothing that a hardware" },
		{ "[sensor room]\naddress = thermal@/sys/class\n",
		  ":2: address: thermal@/sys/class: /sys/class is no name" },
		{ "[sensor room]\naddress = iio@bme280\n[alarm room]\nchannel = room.humidity\n"
		  "profile = who-refrigerator\n",
		  "a iio has no such channel; there is room.temperature" },
	};
	struct tree *tree = *state;
	const char *path = in(tree->root, "station.ini");

	for (size_t i = 0; i < KRI_ARRAY_SIZE(files); i++) {
		struct kri_station_file *file = NULL;
		char *errors = NULL;

		kernel_file(tree->root, "station.ini", files[i].text);
		if (!files[i].errors) {
			assert_ok(kri_station_file_read(&file, tree->ctx, path, &errors));
			kri_station_file_free(file);
			continue;
		}
		assert_fails(KRYOS_ECONFIG, kri_station_file_read(&file, tree->ctx, path, &errors));
		if (!strstr(errors, files[i].errors))
			fail_msg("%zu: %s", i, errors);
		free(errors);
	}
}

/* in_temp_ambient stands first in the folder, and is the cold junction. */
static void iio_takes_no_cold_junction_for_the_thermocouple(void **state)
{
	struct tree *tree = *state;
	const char *folder = kernel_device(tree->root, "iio", "iio:device0", "spi0.0");

	kernel_file(folder, "name", "max31856\n");
	kernel_file(folder, "in_temp_ambient_raw", "1600\n");
	kernel_file(folder, "in_temp_ambient_scale", "15.625000\n");
	assert_fails(KRYOS_ECHIP, reopen(tree, "iio@max31856"));
	assert_says(KRYOS_ECHIP, "iio@max31856: measures no temperature; there is temp_ambient");
	kernel_file(folder, "in_temp_raw", "-10240\n");
	kernel_file(folder, "in_temp_scale", "7.812500\n");
	assert_ok(reopen(tree, "iio@max31856:temperature,temp_ambient"));
	check(tree, 0, -80000000, KRYOS_QUALITY_GOOD);
	check(tree, 1, 25000000, KRYOS_QUALITY_GOOD);
}

static void drivers_that_hide_faults_are_refused(void **state)
{
	struct tree *tree = *state;
	const char *folder = kernel_device(tree->root, "iio", "iio:device0", "spi0.0");

	kernel_file(folder, "name", "max31865\n");
	kernel_file(folder, "in_temp_raw", "8192\n");
	kernel_file(folder, "in_temp_scale", "31.250000\n");
	assert_fails(KRYOS_ECHIP, reopen(tree, "iio@spi0.0"));
	assert_says(KRYOS_ECHIP, "use max31865@spi-0.0");
	folder = kernel_device(tree->root, "hwmon", "hwmon0", "28-0316a2795bff");
	kernel_file(folder, "name", "w1_slave_temp\n");
	kernel_file(folder, "temp1_input", "85000\n");
	assert_fails(KRYOS_ECHIP, reopen(tree, "hwmon@w1_slave_temp"));
	assert_says(KRYOS_ECHIP, "use ds18b20@w1:any");
}

static void hwmon_calls_no_value_beside_a_fault_good(void **state)
{
	struct tree *tree = *state;
	const char *folder = kernel_device(tree->root, "hwmon", "hwmon7", "0-0018");

	kernel_file(folder, "name", "jc42\n");
	kernel_file(folder, "temp2_input", "5250\n");
	kernel_file(folder, "temp10_input", "21000\n");
	kernel_file(folder, "temp10_fault", "0\n");
	kernel_file(folder, "in0_input", "3300\n");
	kernel_file(folder, "power1_input", "1500000\n");
	assert_ok(reopen(tree, "hwmon@jc42:temperature,temp10,voltage,power"));
	check(tree, 0, 5250000, KRYOS_QUALITY_GOOD); /* the first there is */
	check(tree, 1, 21000000, KRYOS_QUALITY_GOOD);
	check(tree, 2, 3300000, KRYOS_QUALITY_GOOD);
	check(tree, 3, 1500000, KRYOS_QUALITY_GOOD);
	assert_string_equal(kryos_channel_name(tree->ctx, tree->samples[1].channel), "fridge.temp10");
	kernel_file(folder, "temp10_fault", "1\n");
	check(tree, 1, 0, KRYOS_QUALITY_OPEN);
	check(tree, 0, 5250000, KRYOS_QUALITY_GOOD);
	kernel_file(folder, "temp10_input", "");
	check(tree, 1, 0, KRYOS_QUALITY_OPEN);
	kernel_file(folder, "temp10_fault", "0\n");
	check(tree, 1, 0, KRYOS_QUALITY_BUS);
	kernel_file(folder, "temp10_input", "21500\n");
	check(tree, 1, 21500000, KRYOS_QUALITY_GOOD);
	/* What the kernel's driver counts with -128 C and more is its affair; beyond what can be is none of ours. */
	kernel_file(folder, "temp2_input", "-273000\n");
	check(tree, 0, -273000000, KRYOS_QUALITY_RANGE);
}

static void thermal_reads_the_zone_of_that_type(void **state)
{
	struct tree *tree = *state;
	const char *folder = kernel_device(tree->root, "thermal", "thermal_zone0", "");

	kernel_file(folder, "type", "cpu-thermal\n");
	kernel_file(folder, "temp", "48312\n");
	assert_ok(reopen(tree, "thermal@cpu-thermal"));
	check(tree, 0, 48312000, KRYOS_QUALITY_GOOD);
	assert_fails(KRYOS_EDEVICE, reopen(tree, "thermal@cpu-thermal:humidity"));
	assert_says(KRYOS_EDEVICE, "\"humidity\" is nothing that a thermal zone measures; a comma between, there is "
	                           "temperature");
	/* No number behind: a zone has one. */
	assert_fails(KRYOS_EDEVICE, reopen(tree, "thermal@cpu-thermal:temp1"));
}

static void power_supply_reads_batteries_and_mains(void **state)
{
	struct tree *tree = *state;
	const char *battery = kernel_device(tree->root, "power_supply", "BAT0", ""),
		   *mains = kernel_device(tree->root, "power_supply", "AC", "");

	kernel_file(battery, "type", "Battery\n");
	kernel_file(battery, "capacity", "100\n");
	kernel_file(battery, "voltage_now", "12642000\n");
	kernel_file(battery, "status", "Full\n");
	kernel_file(battery, "present", "1\n");
	kernel_file(mains, "type", "Mains\n");
	kernel_file(mains, "online", "1\n");
	assert_ok(reopen(tree, "power_supply@BAT0"));
	for (int day = 0; day < 40; day++) /* full, and it stands still */
		check(tree, 0, 100000000, KRYOS_QUALITY_GOOD);
	check(tree, 1, 12642000, KRYOS_QUALITY_GOOD);
	assert_ok(reopen(tree, "power_supply@BAT0:status"));
	check(tree, 0, 0, KRYOS_QUALITY_GOOD);
	kernel_file(battery, "status", "Discharging\n");
	check(tree, 0, 1000000, KRYOS_QUALITY_GOOD);
	kernel_file(battery, "status", "Unknown\n");
	check(tree, 0, 0, KRYOS_QUALITY_ABSENT);
	kernel_file(battery, "status", "Dischargin\n");
	check(tree, 0, 0, KRYOS_QUALITY_BUS);
	kernel_file(battery, "status", "Not charging\n");
	check(tree, 0, 0, KRYOS_QUALITY_GOOD);
	kernel_file(battery, "present", "0\n");
	check(tree, 0, 0, KRYOS_QUALITY_ABSENT);
	assert_ok(reopen(tree, "power_supply@AC:online"));
	check(tree, 0, 1000000, KRYOS_QUALITY_GOOD);
	kernel_file(mains, "online", "2\n");
	check(tree, 0, 1000000, KRYOS_QUALITY_GOOD);
	kernel_file(mains, "online", "0\n");
	check(tree, 0, 0, KRYOS_QUALITY_GOOD);
	assert_fails(KRYOS_ECHIP, reopen(tree, "power_supply@AC"));
	assert_says(KRYOS_ECHIP, "power_supply@AC: measures no capacity; there is online");
}

static void file_without_a_number_is_no_value(void **state)
{
	static const char *const wrong[] = { "",
		                             "\n",
		                             " 5250\n",
		                             "5250 \n",
		                             "5250mC\n",
		                             "5,25\n",
		                             "-\n",
		                             "+\n",
		                             ".5\n",
		                             "5.\n",
		                             "5.2.5\n",
		                             "0x10\n",
		                             "nan\n",
		                             "inf\n",
		                             "1e3\n",
		                             "5250\n5250\n",
		                             "--1\n",
		                             "99999999999999999999\n",
		                             "0.00000000000000000001\n" };
	struct tree *tree = *state;
	const char *folder = kernel_device(tree->root, "hwmon", "hwmon7", "0-0018");

	kernel_file(folder, "name", "jc42\n");
	kernel_file(folder, "temp1_input", "5250\n");
	assert_ok(reopen(tree, "hwmon@jc42"));
	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		kernel_file(folder, "temp1_input", wrong[i]);
		check(tree, 0, 0, KRYOS_QUALITY_BUS);
	}
	kernel_file(folder, "temp1_input", "-05250.0000\n");
	check(tree, 0, -5250000, KRYOS_QUALITY_GOOD);
}

/* Beside what the pattern allows, and the C library reads. */
static void number_is_what_its_text_says(void **state)
{
	static const char letters[] = "0123456789012345678900000....--+e x\n";
	uint64_t seed = seed_from_environment(12000);
	int numbers = 0;
	regex_t pattern;

	(void)state;
	assert_int_equal(regcomp(&pattern, "^[-+]?[0-9]+(\\.[0-9]+)?$", REG_EXTENDED | REG_NOSUB), 0);
	for (int n = 0; n < 200000; n++) {
		char text[16] = "";
		double value = 0;
		bool is_one;

		for (uint64_t i = next_random(&seed) % 12; i > 0; i--)
			text[strlen(text)] = letters[next_random(&seed) % (sizeof(letters) - 1)];
		is_one = regexec(&pattern, text, 0, NULL, 0) == 0;
		if ((kri_kernel_parse_number(text, &value) == 0) != is_one || (is_one && value != strtod(text, NULL)))
			fail_msg("case %d: \"%s\" is %.17g", n, text, value);
		numbers += is_one;
	}
	regfree(&pattern);
	assert_in_range(numbers, 10000, 190000);
}

static void driver_that_is_unbound_is_absent_until_it_is_back(void **state)
{
	struct tree *tree = *state;
	const char *folder = kernel_device(tree->root, "hwmon", "hwmon7", "0-0018");

	kernel_file(folder, "name", "jc42\n");
	kernel_file(folder, "temp1_input", "5250\n");
	assert_ok(reopen(tree, "hwmon@jc42"));
	check(tree, 0, 5250000, KRYOS_QUALITY_GOOD);
	kernel_remove(tree->root, "hwmon", "hwmon7", "0-0018");
	check(tree, 0, 0, KRYOS_QUALITY_ABSENT);
	/* Another chip under its number. */
	folder = kernel_device(tree->root, "hwmon", "hwmon7", "0-0044");
	kernel_file(folder, "name", "sht4x\n");
	kernel_file(folder, "temp1_input", "21000\n");
	check(tree, 0, 0, KRYOS_QUALITY_ABSENT);
	folder = kernel_device(tree->root, "hwmon", "hwmon8", "0-0018");
	kernel_file(folder, "name", "jc42\n");
	kernel_file(folder, "temp1_input", "5500\n");
	check(tree, 0, 5500000, KRYOS_QUALITY_GOOD);
	/* Gone and back between two sensors: the second is opened on what is there. */
	kryos_sensor_close(tree->sensor);
	tree->sensor = NULL;
	kernel_remove(tree->root, "hwmon", "hwmon8", "0-0018");
	folder = kernel_device(tree->root, "hwmon", "hwmon9", "0-0018");
	kernel_file(folder, "name", "jc42\n");
	kernel_file(folder, "temp1_input", "5750\n");
	assert_ok(reopen(tree, "hwmon@jc42"));
	check(tree, 0, 5750000, KRYOS_QUALITY_GOOD);
	/* A file that went is another device. */
	kernel_file(folder, "temp1_input", NULL);
	check(tree, 0, 0, KRYOS_QUALITY_CHIP);
}

static void place_that_cannot_be_is_refused_with_what_can(void **state)
{
	static const struct {
		const char *device, *says;
	} wrong[] = {
		{ "iio@bme280:temperature,temperature", "temperature is there twice" },
		{ "iio@bme280:temperature,",
		  "\"\" is nothing that an IIO device measures; a comma between, there is "
		  "temperature, humidity, pressure, voltage, current, power, and the kernel's "
		  "own words, as voltage0" },
		{ "iio@bme280:temp/../x", "\"temp/../x\" is nothing that" },
		{ "iio@bme280:temperatures", "\"temperatures\" is nothing that" },
		{ "hwmon@jc42:in", NULL },
		{ "hwmon@jc42:fan1",
		  "\"fan1\" is nothing that a hardware monitor measures; a comma between, there is "
		  "temperature, humidity, voltage, current, power, and the kernel's own words, as temp2" },
		{ "hwmon@jc42:temp1,temp2,temp3,temp4,temp5,temp6,temp7,temp8,temp9", "at most 8 quantities" },
		{ "power_supply@BAT0:charge", "\"charge\" is nothing that a power supply measures" },
	};
	struct tree *tree = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		if (!wrong[i].says) {
			assert_fails(-ENODEV, reopen(tree, wrong[i].device));
			continue;
		}
		assert_fails(KRYOS_EDEVICE, reopen(tree, wrong[i].device));
		assert_says(KRYOS_EDEVICE, wrong[i].says);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(iio_reads_a_bme280_in_the_kernels_units),
		TEST(iio_computes_with_the_channels_own_factors_or_its_kinds),
		TEST(iio_measures_again_where_the_range_was_changed_meanwhile),
		TEST(station_file_names_devices_of_the_kernel),
		TEST(iio_takes_no_cold_junction_for_the_thermocouple),
		TEST(drivers_that_hide_faults_are_refused),
		TEST(hwmon_calls_no_value_beside_a_fault_good),
		TEST(thermal_reads_the_zone_of_that_type),
		TEST(power_supply_reads_batteries_and_mains),
		TEST(file_without_a_number_is_no_value),
		cmocka_unit_test(number_is_what_its_text_says),
		TEST(driver_that_is_unbound_is_absent_until_it_is_back),
		TEST(place_that_cannot_be_is_refused_with_what_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
