/* SPDX-License-Identifier: Apache-2.0 */
#include "../../drivers/bus/w1_sysfs.h"
#include "core/core.h"
#include "support.h"
#include <fcntl.h>
#include <sensor/sensor.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct kryos_bus_driver kri_bus_w1_sysfs;

#define CHIP "28-0316a2795bff"
#define GOOD "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n"

/* A folder as the kernel's /sys/bus/w1/devices, and a context that reads it. */
struct tree {
	char *root;
	struct kryos_ctx *ctx;
};

static int setup(void **state)
{
	struct tree *tree = test_calloc(1, sizeof(*tree));

	tree->root = scratch_new();
	assert_ok(kryos_ctx_new(&tree->ctx, NULL));
	assert_ok(kryos_register_bus(tree->ctx, &kri_bus_w1_sysfs, tree->root));
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	struct tree *tree = *state;

	kryos_ctx_free(tree->ctx);
	scratch_free(tree->root);
	test_free(tree);
	return 0;
}

static void put(const struct tree *tree, const char *chip, const char *text)
{
	FILE *file;

	(void)mkdir(in(tree->root, chip), 0700);
	file = fopen(in(in(tree->root, chip), "w1_slave"), "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void take_away(const struct tree *tree, const char *chip)
{
	assert_int_equal(unlink(in(in(tree->root, chip), "w1_slave")), 0);
	assert_int_equal(rmdir(in(tree->root, chip)), 0);
}

static int parse(const char *text)
{
	uint8_t scratchpad[9];

	return kri_w1_parse_slave(text, CHIP, scratchpad);
}

static void w1_sysfs_reads_the_nine_bytes_of_the_first_line(void **state)
{
	static const uint8_t expected[] = { 0x72, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0e, 0x10, 0x57 };
	uint8_t scratchpad[9];

	(void)state;
	assert_ok(parse(GOOD));
	assert_ok(kri_w1_parse_slave("72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n00 00 00 00 00 00 00 00 00 t=0\n", CHIP,
	                             scratchpad));
	assert_memory_equal(scratchpad, expected, 9);
}

static void w1_sysfs_tells_bad_checksums_from_unreadable_files(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *says;
	} cases[] = {
		{ "", -EIO, "read empty: bad checksum or unplugged" },
		{ "50 05 4b 46 7f ff 0c 10 1c : crc=1c NO\n50 05 4b 46 7f ff 0c 10 1c t=85000\n", KRYOS_ECRC,
		  "the kernel found a bad checksum" },
		{ "ff ff ff ff ff ff ff ff ff : crc=c9 NO\n50 05 4b 46 7f ff 0c 10 1c t=85000\n", KRYOS_ECRC,
		  "the kernel found a bad checksum" },
		{ "51 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n", KRYOS_ECRC, "checksum 0x1c, but the bytes give" },
		{ "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES", -EIO, "ends within its first line" },
		{ "50 05 4b 46 7f ff 0c 10\n", -EIO, "does not begin with nine bytes" },
		{ "\n", -EIO, "does not begin with nine bytes" },
		{ "50 05 4B 46 7f ff 0c 10 1c : crc=1c YES\n", -EIO, "does not begin with nine bytes" },
		{ "50 05 4b 46 7f ff 0c 10 1c crc=1c YES\n", -EIO, "has no \": crc=\"" },
		{ "50 05 4b 46 7f ff 0c 10 1c : crc=1c MAYBE\n", -EIO, "neither YES nor NO" },
		{ "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES NO\n", -EIO, "neither YES nor NO" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		assert_fails(cases[i].result, parse(cases[i].text));
		assert_says(cases[i].result, cases[i].says);
		assert_says(cases[i].result, CHIP);
	}
}

/* Each text is its own allocation, so that the sanitizer sees a read beyond its end. */
static void w1_sysfs_takes_no_damaged_text_for_a_reading(void **state)
{
	uint64_t seed = seed_from_environment(1);
	static const uint8_t expected[] = { 0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10, 0x1c };
	size_t length = strlen(GOOD), cut, at;
	uint8_t scratchpad[9];
	char *text;
	int n, r;

	(void)state;
	for (cut = 0; cut <= length; cut++) {
		text = test_calloc(1, cut + 1);
		memcpy(text, GOOD, cut);
		assert_int_equal(parse(text), cut < 40 ? -EIO : 0);
		test_free(text);
	}
	for (n = 0; n < 20000; n++) {
		text = test_calloc(1, length + 1);
		memcpy(text, GOOD, length);
		at = next_random(&seed) % 40;
		text[at] = (char)(next_random(&seed) % 255 + 1);
		r = kri_w1_parse_slave(text, CHIP, scratchpad);
		if (r >= 0)
			assert_memory_equal(scratchpad, expected, 9);
		test_free(text);
	}
}

static void w1_sysfs_measures_through_a_sensor(void **state)
{
	struct tree *tree = *state;
	struct kryos_sensor *fridge;
	struct kryos_sample sample;

	put(tree, CHIP, "52 00 4b 46 7f ff 0e 10 c2 : crc=c2 YES\n52 00 4b 46 7f ff 0e 10 c2 t=5125\n");
	put(tree, "w1_bus_master1", "");
	assert_ok(kryos_sensor_open(&fridge, tree->ctx, "fridge", "ds18b20@w1:any"));
	assert_ok(kryos_sensor_read(fridge, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(sample.value_micro, 5125000);
	put(tree, CHIP, GOOD);
	assert_ok(kryos_sensor_read(fridge, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_POWER_ON);
	put(tree, CHIP, "");
	assert_ok(kryos_sensor_read(fridge, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_BUS);
	put(tree, CHIP, "52 00 4b 46 7f ff 0e 10 c3 : crc=c2 NO\n52 00 4b 46 7f ff 0e 10 c2 t=5125\n");
	assert_ok(kryos_sensor_read(fridge, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_CRC);
	take_away(tree, CHIP);
	assert_ok(kryos_sensor_read(fridge, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_ABSENT);
	put(tree, CHIP, "52 00 4b 46 7f ff 0e 10 c2 : crc=c2 YES\n52 00 4b 46 7f ff 0e 10 c2 t=5125\n");
	assert_ok(kryos_sensor_read(fridge, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
}

static void w1_sysfs_finds_any_one_probe_and_lists_several(void **state)
{
	struct tree *tree = *state;
	struct kryos_sensor *fridge;

	assert_fails(-ENODEV, kryos_sensor_open(&fridge, tree->ctx, "fridge", "ds18b20@w1:any"));
	assert_string_equal(kryos_strerror(-ENODEV), "fridge: no DS18B20 on any 1-Wire bus; is \"dtoverlay=w1-gpio\" "
	                                             "in /boot/firmware/config.txt?");
	put(tree, "28-000000000002", GOOD);
	put(tree, "28-000000000001", GOOD);
	put(tree, "10-000000000003", GOOD);
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&fridge, tree->ctx, "fridge", "ds18b20@w1:any"));
	assert_says(KRYOS_EDEVICE, "28-000000000001, 28-000000000002");
	take_away(tree, "28-000000000002");
	assert_ok(kryos_sensor_open(&fridge, tree->ctx, "fridge", "ds18b20@w1:any"));
}

static void w1_sysfs_opens_only_w1_in_an_existing_folder(void **state)
{
	struct tree *tree = *state;
	_Alignas(max_align_t) char priv[4096] = { 0 }, huge[1024];
	struct kryos_address address;

	assert_true(kri_bus_w1_sysfs.private_size <= sizeof(priv));
	assert_fails(-ENODEV, kri_bus_w1_sysfs.open(priv, "w1", (void *)in(tree->root, "absent")));
	assert_says(-ENODEV, "the kernel has no 1-Wire bus");
	assert_fails(KRYOS_EDEVICE, kri_bus_w1_sysfs.open(priv, "w1-2", tree->root));
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_fails(-ENAMETOOLONG, kri_bus_w1_sysfs.open(priv, "w1", huge));
	assert_ok(kri_bus_w1_sysfs.open(priv, "w1", tree->root));
	assert_fails(KRYOS_EDEVICE, kri_bus_w1_sysfs.parse(priv, "../../etc/passw", &address));
	assert_fails(KRYOS_EDEVICE, kri_bus_w1_sysfs.parse(priv, "28-0316a2795bf", &address));
	assert_says(KRYOS_EDEVICE, "28-0316a2795bff");
	assert_ok(kri_bus_w1_sysfs.parse(priv, "28-0316A2795BFF", &address));
	assert_string_equal(address.text, CHIP);
	kri_bus_w1_sysfs.close(priv);
}

static void w1_sysfs_says_what_is_wrong_with_a_chips_folder(void **state)
{
	struct tree *tree = *state;
	_Alignas(max_align_t) char priv[4096] = { 0 };
	struct kryos_address address;
	uint8_t scratchpad[9];

	assert_ok(kri_bus_w1_sysfs.open(priv, "w1", tree->root));
	assert_ok(kri_bus_w1_sysfs.parse(priv, CHIP, &address));
	assert_fails(-ENODEV, kri_bus_w1_sysfs.read_scratchpad(priv, &address, scratchpad));
	assert_says(-ENODEV, "is not on any 1-Wire bus");
	assert_int_equal(mkdir(in(tree->root, CHIP), 0700), 0);
	assert_fails(-EIO, kri_bus_w1_sysfs.read_scratchpad(priv, &address, scratchpad));
	assert_says(-EIO, "is the kernel module w1_therm loaded?");
	assert_int_equal(mkdir(in(in(tree->root, CHIP), "w1_slave"), 0700), 0); /* opens, cannot be read */
	assert_fails(-EIO, kri_bus_w1_sysfs.read_scratchpad(priv, &address, scratchpad));
	kri_bus_w1_sysfs.close(priv);
}

static void put_file(const char *folder, const char *name, const char *text)
{
	FILE *file = fopen(in(folder, name), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* As the kernel has it: chips are folders of their master, and links to them. */
static void put_on_master(const struct tree *tree, const char *chip)
{
	char path[64];

	(void)mkdir(in(tree->root, "w1_bus_master1"), 0700);
	snprintf(path, sizeof(path), "w1_bus_master1/%s", chip);
	put(tree, path, GOOD);
	put_file(in(tree->root, path), "ext_power", "1\n");
	put_file(in(tree->root, path), "conv_time", "0\n");
	assert_int_equal(symlink(path, in(tree->root, chip)), 0);
}

/* Reads a chip; whether all were told to convert for it. */
static bool read_triggers(const struct tree *tree, void *priv, const char *chip)
{
	const char *master = in(tree->root, "w1_bus_master1");
	struct kryos_address address;
	uint8_t scratchpad[9];
	char text[32] = "";
	FILE *file;

	put_file(master, "therm_bulk_read", "0\n");
	assert_ok(kri_bus_w1_sysfs.parse(priv, chip, &address));
	assert_ok(kri_bus_w1_sysfs.read_scratchpad(priv, &address, scratchpad));
	file = fopen(in(master, "therm_bulk_read"), "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return strcmp(text, "trigger\n") == 0;
}

static void w1_sysfs_converts_all_chips_of_a_master_together(void **state)
{
	static const char a[] = "28-000000000001", b[] = "28-000000000002";
	struct tree *tree = *state;
	_Alignas(max_align_t) char priv[4096] = { 0 };

	assert_ok(kri_bus_w1_sysfs.open(priv, "w1", tree->root));
	put_on_master(tree, a);
	assert_false(read_triggers(tree, priv, a)); /* alone */
	put_on_master(tree, b);
	assert_true(read_triggers(tree, priv, a));
	assert_false(read_triggers(tree, priv, b));
	assert_true(read_triggers(tree, priv, b)); /* anew: each conversion is read once */
	usleep(1100000);
	assert_true(read_triggers(tree, priv, a)); /* it was converted with b, too long ago */
	/* The kernel does not say that no chip took the command; that it did not wait does. */
	put_file(in(tree->root, a), "conv_time", "750\n");
	put_file(in(tree->root, b), "conv_time", "750\n");
	assert_true(read_triggers(tree, priv, a));
	assert_true(read_triggers(tree, priv, b));
	put_file(in(tree->root, a), "ext_power", "0\n");
	assert_false(read_triggers(tree, priv, a));
	assert_false(read_triggers(tree, priv, b));
	kri_bus_w1_sysfs.close(priv);
}

/* A chip whose file is a pipe: who reads it waits until the test writes, as for a conversion. */
static void put_pipe(const struct tree *tree, const char *chip, const char *ext_power)
{
	const char *folder = in(tree->root, chip);

	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(mkfifo(in(folder, "w1_slave"), 0600), 0);
	put_file(folder, "ext_power", ext_power);
}

/* Who reads it now has it open; -1: nobody. */
static int open_pipe(const struct tree *tree, const char *chip)
{
	const char *path = in(in(tree->root, chip), "w1_slave");
	int fd = -1;

	for (int i = 0; i < 2000 && fd < 0; i++) {
		fd = open(path, O_WRONLY | O_NONBLOCK);
		if (fd < 0)
			usleep(1000);
	}
	return fd;
}

static void convert(int fd, int sixteenths)
{
	uint8_t bytes[9] = { (uint8_t)sixteenths, (uint8_t)(sixteenths >> 8), 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10 };
	char text[64] = "";

	bytes[8] = kryos_crc8_maxim(bytes, 8);
	for (int i = 0; i < 9; i++)
		sprintf(text + strlen(text), "%02x ", bytes[i]);
	sprintf(text + strlen(text), ": crc=%02x YES\n", bytes[8]);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

struct answers {
	size_t count;
	struct kri_measured results[3];
};

static void measured(void *data, const struct kri_measured *results, size_t count)
{
	struct answers *answers = data;

	answers->count = count;
	memcpy(answers->results, results, count * sizeof(results[0]));
}

static bool has_answers(void *data)
{
	return ((struct answers *)data)->count > 0;
}

/* Probed one after the other; in a round all of them convert before the first one is done. */
static void w1_sysfs_reads_chips_with_a_supply_at_the_same_time(void **state)
{
	static const char *const chips[] = { "28-000000000001", "28-000000000002", "28-000000000003" };
	struct tree *tree = *state;
	struct kryos_sensor *sensors[3];
	struct answers answers = { 0 };
	struct kri_batch *batch;
	char name[8], device[32];
	int fds[3];

	for (int i = 0; i < 3; i++) {
		put_pipe(tree, chips[i], "1\n");
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(device, sizeof(device), "ds18b20@w1:%s", chips[i]);
		assert_ok(kri_sensor_new_lazy(&sensors[i], tree->ctx, name, device, NULL));
		assert_ok(kri_sensor_look(sensors[i]));
		fds[0] = open_pipe(tree, chips[i]);
		assert_true(fds[0] >= 0);
		convert(fds[0], 80);
	}
	for (int round = 0; round < 3; round++) {
		answers.count = 0;
		assert_ok(kri_batch_start(&batch, sensors, 3, 0, KRYOS_SECONDS(5), measured, &answers));
		for (int i = 0; i < 3; i++) {
			fds[i] = open_pipe(tree, chips[i]);
			assert_true(fds[i] >= 0);
		}
		/* In the other order than they were begun. */
		for (int i = 2; i >= 0; i--)
			convert(fds[i], 80 + 10 * round + i);
		assert_true(process_until(tree->ctx, has_answers, &answers, 5000));
		for (int i = 0; i < 3; i++) {
			assert_int_equal(answers.results[i].code, 0);
			assert_int_equal(answers.results[i].samples[0].value_micro, (80 + 10 * round + i) * 62500);
		}
	}
	for (int i = 0; i < 3; i++)
		kryos_sensor_close(sensors[i]);
}

/* Begun, and never asked for; then one that hangs: the bus is closed all the same. */
static void w1_sysfs_takes_no_reading_of_another_time(void **state)
{
	static const char chip[] = "28-000000000001", parasite[] = "28-000000000002";
	_Alignas(max_align_t) char priv[4096] = { 0 };
	struct kryos_address address, other;
	struct tree *tree = *state;
	uint8_t scratchpad[9];
	int fd;

	assert_true(kri_bus_w1_sysfs.private_size <= sizeof(priv));
	assert_ok(kri_bus_w1_sysfs.open(priv, "w1", tree->root));
	put_pipe(tree, chip, "1\n");
	put_pipe(tree, parasite, "0\n");
	assert_ok(kri_bus_w1_sysfs.parse(priv, chip, &address));
	assert_ok(kri_bus_w1_sysfs.parse(priv, parasite, &other));
	kri_bus_w1_sysfs.begin(priv, &address);
	fd = open_pipe(tree, chip);
	assert_true(fd >= 0);
	/* It still converts: begun once. */
	kri_bus_w1_sysfs.begin(priv, &address);
	convert(fd, 16);
	assert_ok(kri_bus_w1_sysfs.read_scratchpad(priv, &address, scratchpad));
	assert_int_equal(scratchpad[0], 16);
	/* One that lives on its data line is not begun: the kernel would let the others wait. */
	kri_bus_w1_sysfs.begin(priv, &other);
	usleep(20000);
	assert_int_equal(open(in(in(tree->root, parasite), "w1_slave"), O_WRONLY | O_NONBLOCK), -1);
	kri_bus_w1_sysfs.begin(priv, &address);
	fd = open_pipe(tree, chip);
	assert_true(fd >= 0);
	convert(fd, 32);
	usleep(20000); /* it ends, and nobody asks */
	fd = -1;
	for (int i = 0; i < 2000 && fd < 0; i++) {
		usleep(1000);
		kri_bus_w1_sysfs.begin(priv, &address); /* nothing, as long as it has not ended */
		fd = open(in(in(tree->root, chip), "w1_slave"), O_WRONLY | O_NONBLOCK);
	}
	assert_true(fd >= 0);
	convert(fd, 48);
	assert_ok(kri_bus_w1_sysfs.read_scratchpad(priv, &address, scratchpad));
	assert_int_equal(scratchpad[0], 48);
	kri_bus_w1_sysfs.begin(priv, &address);
	fd = open_pipe(tree, chip);
	kri_bus_w1_sysfs.close(priv);
	convert(fd, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(w1_sysfs_reads_the_nine_bytes_of_the_first_line),
		cmocka_unit_test(w1_sysfs_tells_bad_checksums_from_unreadable_files),
		cmocka_unit_test(w1_sysfs_takes_no_damaged_text_for_a_reading),
		cmocka_unit_test_setup_teardown(w1_sysfs_measures_through_a_sensor, setup, teardown),
		cmocka_unit_test_setup_teardown(w1_sysfs_finds_any_one_probe_and_lists_several, setup, teardown),
		cmocka_unit_test_setup_teardown(w1_sysfs_opens_only_w1_in_an_existing_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(w1_sysfs_says_what_is_wrong_with_a_chips_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(w1_sysfs_reads_chips_with_a_supply_at_the_same_time, setup, teardown),
		cmocka_unit_test_setup_teardown(w1_sysfs_takes_no_reading_of_another_time, setup, teardown),
		cmocka_unit_test_setup_teardown(w1_sysfs_converts_all_chips_of_a_master_together, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
