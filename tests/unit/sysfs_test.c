/* SPDX-License-Identifier: Apache-2.0 */
#include "../../drivers/bus/sysfs.h"
#include "kernel_tree.h"
#include "sensor/sensor.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct kryos_bus_driver kri_bus_sysfs;

/* A folder as /sys, and a context that reads it. */
struct tree {
	char *root;
	struct kryos_ctx *ctx;
};

static int setup(void **state)
{
	struct tree *tree = test_calloc(1, sizeof(*tree));

	tree->root = scratch_new();
	assert_ok(kryos_ctx_new(&tree->ctx, NULL));
	assert_ok(kryos_register_bus(tree->ctx, &kri_bus_sysfs, tree->root));
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

static const char *put(const struct tree *tree, const char *class, const char *number, const char *parent,
                       const char *file, const char *name)
{
	const char *folder = kernel_device(tree->root, class, number, parent);

	if (file)
		kernel_file(folder, file, name);
	return folder;
}

struct question {
	const char *file;
	char text[64];
	size_t size;
};

static int ask(struct kryos_dev *dev, void *data)
{
	struct question *question = data;

	return kryos_dev_read_text(dev, question->file, question->text, question->size);
}

static int read_dev(struct kryos_dev *dev, const char *file, char text[64])
{
	struct question question = { .file = file, .size = sizeof(question.text) };
	int r = kri_dev_call(dev, false, ask, &question, sizeof(question), KRYOS_SECONDS(5));

	strcpy(text, question.text);
	return r;
}

static int read_file(const struct tree *tree, const char *device, const char *file, char text[64])
{
	struct kryos_dev *dev;
	int r;

	assert_ok(kri_dev_open(tree->ctx, device, "sysfs", &dev));
	r = read_dev(dev, file, text);
	kri_dev_close(dev);
	return r;
}

static void device_is_found_by_its_name_its_label_or_its_parent(void **state)
{
	static const char *const found[] = { "iio@bme280",        "iio@1-0076",         "iio@room",
		                             "hwmon@jc42",        "hwmon@0-0018",       "thermal@cpu-thermal",
		                             "power_supply@BAT0", "power_supply@3-000b" };
	const struct tree *tree = *state;
	const char *folder;
	char text[64];

	folder = put(tree, "iio", "iio:device0", "1-0076", "name", "bme280\n");
	kernel_file(folder, "label", "room\n");
	kernel_file(folder, "value", "one\n");
	kernel_file(put(tree, "iio", "trigger0", "virtual", "name", "bme280\n"), "value", "wrong\n");
	kernel_file(put(tree, "hwmon", "hwmon3", "0-0018", "name", "jc42\n"), "value", "one\n");
	kernel_file(put(tree, "thermal", "thermal_zone0", "", "type", "cpu-thermal\n"), "value", "one\n");
	kernel_file(put(tree, "thermal", "cooling_device0", "", "type", "cpu-thermal\n"), "value", "wrong\n");
	kernel_file(put(tree, "power_supply", "BAT0", "3-000b", "type", "Battery\n"), "value", "one\n");
	for (size_t i = 0; i < KRI_ARRAY_SIZE(found); i++) {
		int r = read_file(tree, found[i], "value", text);

		if (r != 3 || strcmp(text, "one") != 0)
			fail_msg("%s: %d: %s", found[i], r, r < 0 ? kryos_strerror(r) : text);
	}
}

static void device_that_is_not_there_is_told_from_those_that_are(void **state)
{
	const struct tree *tree = *state;
	char text[64];

	assert_fails(-ENODEV, read_file(tree, "iio@bme280", "value", text));
	assert_says(-ENODEV, "iio@bme280: the kernel has no iio devices (there is no ");
	put(tree, "iio", "iio:device0", "1-0048", "name", "ads1115\n");
	put(tree, "iio", "iio:device10", "1-0077", "name", "bmp280\n");
	put(tree, "iio", "iio:device9", "spi0.0", "name", "max31856\n");
	assert_fails(-ENODEV, read_file(tree, "iio@bme280", "value", text));
	assert_says(-ENODEV, "iio@bme280: the kernel has no iio device called bme280, but ads1115 (1-0048), max31856 "
	                     "(spi0.0), bmp280 (1-0077)");
}

/* A zone of the processor hangs on nothing. */
static void device_without_a_parent_has_none(void **state)
{
	const struct tree *tree = *state;
	char text[64];

	put(tree, "thermal", "thermal_zone0", "", "type", "acpitz\n");
	put(tree, "thermal", "thermal_zone1", "", "type", "acpitz\n");
	put(tree, "thermal", "thermal_zone2", "", "type", "x86_pkg_temp\n");
	assert_fails(-ENODEV, read_file(tree, "thermal@thermal", "value", text));
	assert_says(-ENODEV, "the kernel has no thermal device called thermal, but acpitz, acpitz, x86_pkg_temp");
	assert_fails(KRYOS_EDEVICE, read_file(tree, "thermal@acpitz", "value", text));
	assert_says(KRYOS_EDEVICE, "2 devices are called so: acpitz, acpitz; ");
}

static void device_that_is_one_of_two_is_named_by_its_parent(void **state)
{
	const struct tree *tree = *state;
	char text[64];

	kernel_file(put(tree, "hwmon", "hwmon0", "0-0018", "name", "jc42\n"), "value", "first\n");
	kernel_file(put(tree, "hwmon", "hwmon1", "0-0019", "name", "jc42\n"), "value", "second\n");
	assert_fails(KRYOS_EDEVICE, read_file(tree, "hwmon@jc42", "value", text));
	assert_says(KRYOS_EDEVICE, "hwmon@jc42: 2 devices are called so: jc42 (0-0018), jc42 (0-0019); what one has "
	                           "for itself, its name or in brackets its parent, is its name here");
	assert_int_equal(read_file(tree, "hwmon@0-0019", "value", text), 6);
	assert_string_equal(text, "second");
}

/* hwmon1 is another chip after the next start. */
static void number_names_no_device(void **state)
{
	const struct tree *tree = *state;
	struct kryos_dev *dev;
	char text[64];

	kernel_file(put(tree, "hwmon", "hwmon1", "0-0018", "name", "jc42\n"), "value", "one\n");
	assert_fails(KRYOS_EDEVICE, read_file(tree, "hwmon@hwmon1", "value", text));
	assert_says(KRYOS_EDEVICE, "the kernel gives the number in hwmon1 anew at each start; name the device, or in "
	                           "brackets its parent: jc42 (0-0018)");
	assert_fails(KRYOS_EDEVICE, kri_dev_open(tree->ctx, "hwmon@../hwmon1", "sysfs", &dev));
	assert_fails(KRYOS_EDEVICE, kri_dev_open(tree->ctx, "hwmon@/sys/class/hwmon/hwmon1", "sysfs", &dev));
	assert_says(KRYOS_EDEVICE, "is no name of a kernel's device");
}

/* Under the number that it had there may be any other by then. */
static void device_that_went_is_not_taken_for_what_came_under_its_number(void **state)
{
	const struct tree *tree = *state;
	struct kryos_dev *dev;
	char text[64];

	kernel_file(put(tree, "hwmon", "hwmon1", "0-0018", "name", "jc42\n"), "value", "one\n");
	assert_ok(kri_dev_open(tree->ctx, "hwmon@jc42", "sysfs", &dev));
	assert_int_equal(read_dev(dev, "value", text), 3);
	kernel_remove(tree->root, "hwmon", "hwmon1", "0-0018");
	kernel_file(put(tree, "hwmon", "hwmon1", "0-0044", "name", "sht4x\n"), "value", "other\n");
	assert_fails(-ENODEV, read_dev(dev, "value", text));
	assert_says(-ENODEV, "hwmon@jc42: has gone: its driver was unbound, or it was unplugged");
	assert_fails(-ENODEV, read_dev(dev, "value", text));
	assert_says(-ENODEV, "hwmon@jc42: the kernel has no hwmon device called jc42, but sht4x (0-0044)");
	kernel_file(put(tree, "hwmon", "hwmon2", "0-0018", "name", "jc42\n"), "value", "back\n");
	assert_int_equal(read_dev(dev, "value", text), 4);
	assert_string_equal(text, "back");
	kri_dev_close(dev);
}

static void file_is_read_whole_without_its_newline(void **state)
{
	const struct tree *tree = *state;
	const char *folder = put(tree, "iio", "iio:device0", "1-0076", "name", "bme280\n");
	char text[64];

	kernel_file(folder, "plain", "25.080");
	assert_int_equal(read_file(tree, "iio@bme280", "plain", text), 6);
	assert_string_equal(text, "25.080");
	kernel_file(folder, "empty", "");
	assert_int_equal(read_file(tree, "iio@bme280", "empty", text), 0);
	assert_string_equal(text, "");
	kernel_file(folder, "long", "0123456789012345678901234567890123456789012345678901234567890123456789\n");
	assert_fails(-EIO, read_file(tree, "iio@bme280", "long", text));
	assert_says(-EIO, "long: is longer than 62 bytes");
	assert_fails(-ENOENT, read_file(tree, "iio@bme280", "none", text));
	assert_says(-ENOENT, "iio@bme280: has no none");
}

static void note(void *userdata, const struct kryos_address *file)
{
	char *all = userdata;

	snprintf(all + strlen(all), 64 - strlen(all), "%s ", file->text);
}

static int ask_for_list(struct kryos_dev *dev, void *data)
{
	return kryos_dev_list(dev, note, data);
}

static void files_are_listed_in_order(void **state)
{
	const struct tree *tree = *state;
	const char *folder = put(tree, "hwmon", "hwmon0", "", "name", "many\n");
	struct kryos_dev *dev;
	char all[64] = "";

	kernel_file(folder, "temp10_input", "1");
	kernel_file(folder, "temp2_input", "1");
	assert_ok(kri_dev_open(tree->ctx, "hwmon@many", "sysfs", &dev));
	assert_ok(kri_dev_call(dev, false, ask_for_list, all, sizeof(all), KRYOS_SECONDS(5)));
	assert_string_equal(all, "name temp2_input temp10_input ");
	kri_dev_close(dev);
}

static void errors_of_the_kernel_say_what_is_wrong(void **state)
{
	static const struct {
		int errnum, result;
	} cases[] = {
		{ ENXIO, -ENODEV },        { EREMOTEIO, -ENODEV }, { ENODEV, -ENODEV },
		{ ENOENT, -ENOENT },       { EAGAIN, -EAGAIN },    { ENODATA, -ENODATA },
		{ ETIMEDOUT, -ETIMEDOUT }, { EBUSY, -EBUSY },      { EACCES, -EACCES },
		{ EPERM, -EACCES },        { EIO, -EIO },          { EINVAL, -EIO },
		{ ERANGE, -EIO },
	};

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++)
		assert_int_equal(kri_sysfs_result(cases[i].errnum), cases[i].result);
}

/* A conversion that one device waits for must not hold up another. */
static void each_device_has_a_worker_of_its_own(void **state)
{
	const struct tree *tree = *state;
	struct kryos_dev *one, *same, *other;

	assert_ok(kri_dev_open(tree->ctx, "iio@bme280:temperature", "sysfs", &one));
	assert_ok(kri_dev_open(tree->ctx, "iio@bme280:humidity", "sysfs", &same));
	assert_ok(kri_dev_open(tree->ctx, "hwmon@bme280", "sysfs", &other));
	assert_ptr_equal(kri_dev_worker(one), kri_dev_worker(same));
	assert_ptr_not_equal(kri_dev_worker(one), kri_dev_worker(other));
	assert_string_equal(kri_bus_name(kri_dev_bus(one)), "sysfs-iio@bme280");
	assert_string_equal(kryos_dev_bus_kind(one), "sysfs");
	kri_dev_close(one);
	kri_dev_close(same);
	kri_dev_close(other);
}

/* A pipe that nobody writes to: reading it does not end, as with a driver that hangs in the kernel. */
static void device_that_hangs_holds_up_no_other(void **state)
{
	const struct tree *tree = *state;
	const char *folder = put(tree, "hwmon", "hwmon0", "0-0018", "name", "jc42\n");
	struct question question = { .file = "value", .size = sizeof(question.text) };
	struct kryos_dev *hanging;
	char text[64];
	int fd;

	assert_int_equal(mkfifo(in(folder, "value"), 0600), 0);
	kernel_file(put(tree, "hwmon", "hwmon1", "0-0044", "name", "sht4x\n"), "value", "one\n");
	assert_ok(kri_dev_open(tree->ctx, "hwmon@jc42", "sysfs", &hanging));
	assert_fails(-ETIMEDOUT,
	             kri_dev_call(hanging, false, ask, &question, sizeof(question), KRYOS_MILLISECONDS(50)));
	assert_true(kri_bus_hangs(kri_dev_bus(hanging)));
	assert_int_equal(read_file(tree, "hwmon@sht4x", "value", text), 3);
	assert_string_equal(text, "one");
	fd = open(in(folder, "value"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "back\n", 5), 5);
	close(fd);
	assert_int_equal(unlink(in(folder, "value")), 0);
	kernel_file(folder, "value", "two\n");
	assert_int_equal(read_dev(hanging, "value", text), 3);
	assert_string_equal(text, "two");
	kri_dev_close(hanging);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(device_is_found_by_its_name_its_label_or_its_parent),
		TEST(device_that_is_not_there_is_told_from_those_that_are),
		TEST(device_that_is_one_of_two_is_named_by_its_parent),
		TEST(device_without_a_parent_has_none),
		TEST(number_names_no_device),
		TEST(device_that_went_is_not_taken_for_what_came_under_its_number),
		TEST(file_is_read_whole_without_its_newline),
		TEST(files_are_listed_in_order),
		cmocka_unit_test(errors_of_the_kernel_say_what_is_wrong),
		TEST(device_that_hangs_holds_up_no_other),
		TEST(each_device_has_a_worker_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
