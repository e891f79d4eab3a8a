// SPDX-License-Identifier: GPL-2.0
/*
 * An SPI controller with a MAX31865 at chip select 0 and a MAX31856 at 1, as their data sheets (19-6478, 19-7534) have
 * them; the kernel's own SPI core is above.
 *
 *     insmod cold_spi.ko
 *
 * Nobody has them at first: a driver of the kernel's that knows their names takes them when it is loaded, and spidev
 * when it is told to (driver_override). In /sys/module/cold_spi/parameters: rtd, the MAX31865's ratio in 2^-15, and
 * thermocouple and junction, the MAX31856's in 2^-7 and 2^-6 C, as they would be converted; closed, open, faults that
 * the MAX31865 finds in that half of a fault detection cycle; status, faults of the MAX31856; present, a mask of the
 * chips, without which all that is read is 0xff. After fail_after more messages, fail_times messages fail with
 * fail_errno; messages counts them, and hz is the clock of the last one.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/spi/spi.h>
#include <linux/version.h>

static unsigned int rtd = 8192, closed, open, status, present = 3;
static int thermocouple, junction;
static int fail_errno = EIO;
static unsigned int fail_after, fail_times, messages, hz;
module_param(rtd, uint, 0644);
module_param(closed, uint, 0644);
module_param(open, uint, 0644);
module_param(status, uint, 0644);
module_param(present, uint, 0644);
module_param(thermocouple, int, 0644);
module_param(junction, int, 0644);
module_param(fail_errno, int, 0644);
module_param(fail_after, uint, 0644);
module_param(fail_times, uint, 0644);
module_param(messages, uint, 0644);
module_param(hz, uint, 0644);

struct chip {
	u8 reg[16];
	u8 count;      /* of registers */
	u64 until_ns;  /* end of a conversion under way */
	u64 asked_ns;  /* its begin */
	u64 biased_ns; /* MAX31865: since when the bias is on */
	void (*settle)(struct chip *chip, u64 now_ns);
	void (*write)(struct chip *chip, u8 reg, u8 value, u64 now_ns);
};

/* --- MAX31865 --- */

#define MS 1000000ULL

static void rtd_flag(struct chip *chip)
{
	chip->reg[2] = (chip->reg[2] & 0xfe) | !!chip->reg[7];
}

/* Time has passed: a conversion may have ended. What was sampled before the input had settled is wrong. */
static void rtd_settle(struct chip *chip, u64 now_ns)
{
	bool settled = chip->asked_ns - chip->biased_ns >= 10 * MS;
	unsigned int code = settled ? rtd : rtd / 2;

	if (!(chip->reg[0] & 0x20) || now_ns < chip->until_ns)
		return;
	chip->reg[0] &= ~0x20;
	chip->reg[1] = code >> 7;
	chip->reg[2] = code << 1;
	if (code >= (chip->reg[3] << 8 | chip->reg[4]) >> 1)
		chip->reg[7] |= 0x80;
	if (code <= (chip->reg[5] << 8 | chip->reg[6]) >> 1)
		chip->reg[7] |= 0x40;
	rtd_flag(chip);
}

static void rtd_configure(struct chip *chip, u8 value, u64 now_ns)
{
	u8 before = chip->reg[0];

	if (!(value & before & 0x80))
		chip->biased_ns = now_ns;
	if ((value & 0x2e) == 0x02)
		chip->reg[7] = 0;
	chip->reg[0] = value & ~0x02;
	if ((value & 0x60) == 0x20) { /* 62.5 ms at 50 Hz, else 52 */
		chip->asked_ns = now_ns;
		chip->until_ns = now_ns + (value & 1 ? 62500000ULL : 52000000ULL);
	}
	/* A fault detection cycle: by itself, or its halves one after the other. */
	switch (value & 0xec) {
	case 0x84:
		chip->reg[7] |= closed | open;
		chip->reg[0] &= ~0x0c;
		break;
	case 0x88:
		chip->reg[7] |= closed;
		break;
	case 0x8c:
		if ((before & 0x0c) == 0x08) {
			chip->reg[7] |= open;
			chip->reg[0] &= ~0x0c;
		}
	}
	rtd_flag(chip);
}

static void rtd_write(struct chip *chip, u8 reg, u8 value, u64 now_ns)
{
	if (reg == 0)
		rtd_configure(chip, value, now_ns);
	else if (reg >= 3 && reg <= 6)
		chip->reg[reg] = value;
}

/* --- MAX31856 --- */

static void tc_settle(struct chip *chip, u64 now_ns)
{
	u32 code = (u32)thermocouple << 5;
	u16 cold = junction << 2;

	if (!(chip->reg[0] & 0xc0) || now_ns < chip->until_ns)
		return;
	chip->reg[0] &= ~0x40;
	chip->reg[10] = cold >> 8;
	chip->reg[11] = cold;
	chip->reg[12] = code >> 16;
	chip->reg[13] = code >> 8;
	chip->reg[14] = code;
	chip->reg[15] = status;
}

static void tc_write(struct chip *chip, u8 reg, u8 value, u64 now_ns)
{
	if (reg > 9)
		return;
	chip->reg[reg] = reg ? value : value & ~0x02;
	/* 143 ms at 60 Hz, 169 at 50, and 13 for the test of an open circuit. */
	if (!reg && value & 0xc0)
		chip->until_ns = now_ns + (value & 1 ? 182 * MS : 156 * MS);
}

static struct chip chips[] = {
	{ .count = 8, .settle = rtd_settle, .write = rtd_write, .reg = { [3] = 0xff, 0xff } },
	{ .count = 16,
	  .settle = tc_settle,
	  .write = tc_write,
	  .reg = { 0x00, 0x03, 0xff, 0x7f, 0xc0, 0x7f, 0xff, 0x80 } },
};

/* --- The controller --- */

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

/* Later kernels let a device have several chip selects, and 6.1 has the function only since one of its updates. */
static unsigned int select_of(const struct spi_message *message)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return spi_get_chipselect(message->spi, 0);
#else
	return message->spi->chip_select;
#endif
}

/* Both chips take modes 1 and 3 up to 5 MHz; of anything else they understand nothing. */
static bool is_heard(const struct spi_message *message, const struct spi_transfer *transfer)
{
	u32 mode = message->spi->mode & SPI_MODE_X_MASK;

	return present & BIT(select_of(message)) && (mode == SPI_MODE_1 || mode == SPI_MODE_3) &&
	       transfer->speed_hz <= 5000000 && transfer->bits_per_word == 8;
}

/* The chip is selected all the time: the first byte is the register, bit 7 for a write; then it counts up. */
static int one_message(struct spi_controller *controller, struct spi_message *message)
{
	struct chip *chip = &chips[select_of(message)];
	struct spi_transfer *transfer;
	u64 now_ns = ktime_get_ns();
	unsigned int heard = 0, i;
	u8 first = 0, at = 0;

	messages++;
	message->status = must_fail() ? -fail_errno : 0;
	chip->settle(chip, now_ns);
	list_for_each_entry(transfer, &message->transfers, transfer_list)
	{
		const u8 *out = transfer->tx_buf;
		u8 *in = transfer->rx_buf;

		hz = transfer->speed_hz;
		fsleep(transfer->len * 8000 / (hz / 1000 ? hz / 1000 : 1));
		for (i = 0; !message->status && i < transfer->len; i++, heard++) {
			u8 byte = out ? out[i] : 0, answer = 0xff;

			if (!heard)
				first = at = byte;
			else if (is_heard(message, transfer) && first & 0x80)
				chip->write(chip, at++ & 0x7f, byte, now_ns);
			else if (is_heard(message, transfer))
				answer = at < chip->count ? chip->reg[at++] : 0;
			if (in)
				in[i] = answer;
		}
		message->actual_length += transfer->len;
	}
	spi_finalize_current_message(controller);
	return 0;
}

static struct device *parent;
static struct spi_controller *controller;

static int __init cold_init(void)
{
	static struct spi_board_info boards[] = {
		{ .modalias = "max31865", .max_speed_hz = 500000, .chip_select = 0, .mode = SPI_MODE_1 },
		{ .modalias = "max31856", .max_speed_hz = 500000, .chip_select = 1, .mode = SPI_MODE_1 },
	};
	int r;

	parent = root_device_register("cold_spi");
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	controller = __spi_alloc_controller(parent, 0, false);
	if (!controller) {
		root_device_unregister(parent);
		return -ENOMEM;
	}
	controller->bus_num = -1;
	controller->num_chipselect = ARRAY_SIZE(chips);
	controller->mode_bits = SPI_MODE_X_MASK;
	controller->bits_per_word_mask = SPI_BPW_MASK(8);
	controller->max_speed_hz = 20000000;
	controller->transfer_one_message = one_message;
	r = spi_register_controller(controller);
	if (r < 0) {
		spi_controller_put(controller);
		root_device_unregister(parent);
		return r;
	}
	for (r = 0; r < ARRAY_SIZE(boards); r++)
		if (!spi_new_device(controller, &boards[r]))
			pr_warn("cold_spi: no device for %s\n", boards[r].modalias);
	return 0;
}

static void __exit cold_exit(void)
{
	spi_unregister_controller(controller);
	root_device_unregister(parent);
}

module_init(cold_init);
module_exit(cold_exit);
MODULE_DESCRIPTION("emulated SPI controller with MAX31865 and MAX31856 chips");
MODULE_LICENSE("GPL");
