// SPDX-License-Identifier: GPL-2.0
/*
 * An I2C adapter that does plain I2C, with chips that behave as their data sheets say:
 *
 *     insmod cold_i2c.ko bme280=0x76,0x77 ds3231=0x68
 *
 * They come as they leave the factory. The registers of a chip are the file /sys/kernel/debug/cold_i2c/76: what is
 * written there is the chip as it was made, what is read is what it holds. Faults, in /sys/module/cold_i2c/parameters:
 * after fail_after more transfers, fail_times transfers fail with fail_errno (6: no acknowledge; 5: EIO; 110:
 * ETIMEDOUT). Each transfer takes delay_us; transfers counts them.
 */
#include "cold_i2c.h"
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/i2c.h>
#include <linux/ktime.h>
#include <linux/module.h>

#define CHIPS 8

static unsigned short bme280[CHIPS], ds3231[CHIPS];
static int bme280_count, ds3231_count;
module_param_array(bme280, ushort, &bme280_count, 0444);
module_param_array(ds3231, ushort, &ds3231_count, 0444);

static int fail_errno = ENXIO;
static unsigned int fail_after, fail_times, delay_us, transfers;
module_param(fail_errno, int, 0644);
module_param(fail_after, uint, 0644);
module_param(fail_times, uint, 0644);
module_param(delay_us, uint, 0644);
module_param(transfers, uint, 0644);

static struct cold_chip chips[2 * CHIPS];
static int chip_count;
static struct dentry *folder;

static bool must_fail(void)
{
	if (!fail_times)
		return false;
	if (fail_after) {
		fail_after--;
		return false;
	}
	fail_times--;
	return true;
}

static void message(struct cold_chip *chip, struct i2c_msg *msg)
{
	u64 now_ns = ktime_get_ns();
	int i;

	chip->kind->settle(chip, now_ns);
	if (msg->flags & I2C_M_RD) {
		for (i = 0; i < msg->len; i++) {
			msg->buf[i] = chip->reg[chip->pointer];
			chip->pointer = chip->kind->next(chip->pointer);
		}
	} else if (msg->len) {
		chip->pointer = msg->buf[0];
		if (msg->len > 1)
			chip->kind->write(chip, msg->buf + 1, msg->len - 1, now_ns);
	}
}

/* Nine bits for each byte and for the address, at 400 kHz: drivers count on a bus taking its time. */
static unsigned int duration_us(const struct i2c_msg *msgs, int count)
{
	unsigned int bytes = 0;
	int i;

	for (i = 0; i < count; i++)
		bytes += 1 + msgs[i].len;
	return bytes * 9 * 5 / 2;
}

static int transfer(struct i2c_adapter *adapter, struct i2c_msg *msgs, int count)
{
	int i, j;

	transfers++;
	fsleep(duration_us(msgs, count) + delay_us);
	if (must_fail())
		return -fail_errno;
	for (i = 0; i < count; i++) {
		for (j = 0; j < chip_count && chips[j].address != msgs[i].addr; j++)
			;
		if (j == chip_count)
			return -ENXIO;
		message(&chips[j], &msgs[i]);
	}
	return count;
}

static u32 functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm algorithm = { .master_xfer = transfer, .functionality = functionality };
static struct i2c_adapter adapter = { .owner = THIS_MODULE, .name = "cold emulated I2C", .algo = &algorithm };

static ssize_t image_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	struct cold_chip *chip = file->private_data;
	ssize_t r;

	i2c_lock_bus(&adapter, I2C_LOCK_ROOT_ADAPTER);
	chip->kind->settle(chip, ktime_get_ns());
	r = simple_read_from_buffer(to, count, at, chip->reg, sizeof(chip->reg));
	i2c_unlock_bus(&adapter, I2C_LOCK_ROOT_ADAPTER);
	return r;
}

static ssize_t image_write(struct file *file, const char __user *from, size_t count, loff_t *at)
{
	struct cold_chip *chip = file->private_data;
	loff_t first = *at;
	ssize_t r;

	i2c_lock_bus(&adapter, I2C_LOCK_ROOT_ADAPTER);
	r = simple_write_to_buffer(chip->image, sizeof(chip->image), at, from, count);
	if (r > 0)
		chip->kind->load(chip, first, first + r - 1, ktime_get_ns());
	i2c_unlock_bus(&adapter, I2C_LOCK_ROOT_ADAPTER);
	return r;
}

static const struct file_operations image_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = image_read,
	.write = image_write,
	.llseek = default_llseek,
};

static void add_chips(const struct cold_kind *kind, const unsigned short *addresses, int count)
{
	char name[8];
	int i;

	for (i = 0; i < count; i++) {
		struct cold_chip *chip = &chips[chip_count++];

		chip->kind = kind;
		chip->address = addresses[i];
		kind->make(chip->image);
		kind->load(chip, 0, sizeof(chip->image) - 1, ktime_get_ns());
		snprintf(name, sizeof(name), "%02x", chip->address);
		debugfs_create_file(name, 0600, folder, chip, &image_operations);
	}
}

static int __init cold_init(void)
{
	int r;

	folder = debugfs_create_dir("cold_i2c", NULL);
	add_chips(&cold_bme280, bme280, bme280_count);
	add_chips(&cold_ds3231, ds3231, ds3231_count);
	r = i2c_add_adapter(&adapter);
	if (r < 0)
		debugfs_remove_recursive(folder);
	return r;
}

static void __exit cold_exit(void)
{
	i2c_del_adapter(&adapter);
	debugfs_remove_recursive(folder);
}

module_init(cold_init);
module_exit(cold_exit);
MODULE_DESCRIPTION("emulated I2C adapter with BME280 and DS3231 chips");
MODULE_LICENSE("GPL");
