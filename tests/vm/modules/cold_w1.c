// SPDX-License-Identifier: GPL-2.0
/*
 * A 1-Wire master with DS18B20 chips on it, bit by bit (data sheet 19-7487); the kernel's own w1 core and w1_therm are
 * above.
 *
 *     insmod cold_w1.ko chips=2 [others=1]
 *
 * The last ones, as many as others says, are on a second master.
 * They are 28-010000000001, 28-010000000002, ... In /sys/module/cold_w1/parameters: sixteenths, a list of their
 * temperatures; and masks, bit 0 for the first chip: present; badcrc, its scratchpads have a wrong checksum; noconv, it
 * does not convert but starts anew, for want of power, and holds 85 C; parasite, it says that it has no supply of its
 * own.
 */
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/w1.h>

#define CHIPS 8

static int chips = 1, others;
static int sixteenths[CHIPS];
static unsigned int present = 0xff, badcrc, noconv, parasite;
module_param(chips, int, 0444);
module_param(others, int, 0444);
module_param_array(sixteenths, int, NULL, 0644);
module_param(present, uint, 0644);
module_param(badcrc, uint, 0644);
module_param(noconv, uint, 0644);
module_param(parasite, uint, 0644);

enum state { IDLE, ROM_COMMAND, SEARCH, MATCH, READ_ROM, COMMAND, SEND, RECEIVE, CONVERT, POWER };

static struct chip {
	u8 rom[8], scratchpad[9], sent[9], received[3];
	enum state state;
	unsigned int bit, step; /* which bit of what the state is about; of a search, which of its three steps */
	u8 command;
	u64 until_ns; /* the end of a conversion */
} all[CHIPS];

static u8 crc8(const u8 *bytes, int count)
{
	u8 crc = 0;
	int i;

	while (count--) {
		crc ^= *bytes++;
		for (i = 0; i < 8; i++)
			crc = crc & 1 ? (crc >> 1) ^ 0x8c : crc >> 1;
	}
	return crc;
}

static unsigned int bit_of(const u8 *bytes, unsigned int bit)
{
	return bytes[bit >> 3] >> (bit & 7) & 1;
}

static void enter(struct chip *chip, enum state state)
{
	chip->state = state;
	chip->bit = 0;
	chip->step = 0;
	chip->command = 0;
}

/* Figure 9, after power-on. */
static void power_on(struct chip *chip)
{
	static const u8 fresh[8] = { 0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10 };

	memcpy(chip->scratchpad, fresh, sizeof(fresh));
}

static unsigned int resolution(const struct chip *chip)
{
	return chip->scratchpad[4] >> 5 & 3; /* 0: 9 bits, 3: 12 bits */
}

static void convert(struct chip *chip, int i)
{
	int raw = sixteenths[i] & ~((1 << (3 - resolution(chip))) - 1);

	enter(chip, CONVERT);
	chip->until_ns = ktime_get_ns() + (93750000ULL << resolution(chip));
	if (noconv & BIT(i)) {
		power_on(chip);
		return;
	}
	chip->scratchpad[0] = raw;
	chip->scratchpad[1] = raw >> 8;
	chip->scratchpad[6] = 16 - (raw & 15); /* as genuine chips do */
}

static void rom_command(struct chip *chip)
{
	static const struct {
		u8 command;
		enum state state;
	} states[] = { { 0xf0, SEARCH }, { 0x55, MATCH }, { 0x33, READ_ROM }, { 0xcc, COMMAND } };
	u8 command = chip->command;
	int i;

	enter(chip, IDLE);
	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (states[i].command == command)
			chip->state = states[i].state;
}

static void function_command(struct chip *chip, int i)
{
	u8 command = chip->command;

	switch (command) {
	case 0x44:
		convert(chip, i);
		break;
	case 0xbe:
		enter(chip, SEND);
		chip->scratchpad[8] = crc8(chip->scratchpad, 8);
		memcpy(chip->sent, chip->scratchpad, sizeof(chip->sent));
		if (badcrc & BIT(i))
			chip->sent[8] ^= 0x5a;
		break;
	case 0x4e:
		enter(chip, RECEIVE);
		memset(chip->received, 0, sizeof(chip->received));
		break;
	case 0xb4:
		enter(chip, POWER);
		break;
	default:
		enter(chip, IDLE);
		break;
	}
}

/* What a chip does to the line in this slot: 0 pulls it down. */
static u8 output(const struct chip *chip, int i)
{
	switch (chip->state) {
	case SEARCH:
		return chip->step == 2 ? 1 : bit_of(chip->rom, chip->bit) ^ chip->step;
	case READ_ROM:
		return bit_of(chip->rom, chip->bit);
	case SEND:
		return chip->bit < 72 ? bit_of(chip->sent, chip->bit) : 1;
	case CONVERT: /* with parasitic power nothing can be said meanwhile */
		return parasite & BIT(i) || ktime_get_ns() >= chip->until_ns;
	case POWER:
		return !(parasite & BIT(i));
	default:
		return 1;
	}
}

/* What a chip makes of the slot, after the master wrote bit. */
static void input(struct chip *chip, int i, u8 bit)
{
	switch (chip->state) {
	case ROM_COMMAND:
	case COMMAND:
		chip->command |= bit << chip->bit;
		if (++chip->bit < 8)
			break;
		if (chip->state == ROM_COMMAND)
			rom_command(chip);
		else
			function_command(chip, i);
		break;
	case SEARCH: /* its bit, the complement, the master's choice */
		if (++chip->step < 3)
			break;
		chip->step = 0;
		if (bit != bit_of(chip->rom, chip->bit) || ++chip->bit == 64)
			enter(chip, IDLE);
		break;
	case MATCH:
		if (bit != bit_of(chip->rom, chip->bit))
			enter(chip, IDLE);
		else if (++chip->bit == 64)
			enter(chip, COMMAND);
		break;
	case READ_ROM:
		if (++chip->bit == 64)
			enter(chip, COMMAND);
		break;
	case SEND:
		chip->bit++;
		break;
	case RECEIVE: /* T_H, T_L, configuration */
		chip->received[chip->bit >> 3] |= bit << (chip->bit & 7);
		if (++chip->bit < 24)
			break;
		memcpy(chip->scratchpad + 2, chip->received, 3);
		chip->scratchpad[4] = (chip->scratchpad[4] & 0x60) | 0x1f;
		enter(chip, IDLE);
		break;
	default:
		break;
	}
}

static struct w1_bus_master masters[2];

static bool is_on(int i, const struct w1_bus_master *master)
{
	return present & BIT(i) && master == &masters[i >= chips - others];
}

static u8 touch_bit(void *data, u8 bit)
{
	u8 line = bit & 1;
	int i;

	for (i = 0; i < chips; i++)
		if (is_on(i, data))
			line &= output(&all[i], i);
	for (i = 0; i < chips; i++)
		if (is_on(i, data))
			input(&all[i], i, bit & 1);
	return line;
}

/* 0: somebody is there. */
static u8 reset_bus(void *data)
{
	u8 nobody = 1;
	int i;

	for (i = 0; i < chips; i++) {
		if (!(present & BIT(i))) {
			power_on(&all[i]);
			continue;
		}
		if (!is_on(i, data))
			continue;
		nobody = 0;
		enter(&all[i], ROM_COMMAND);
	}
	return nobody;
}

static struct w1_bus_master masters[2] = {
	{ .data = &masters[0], .touch_bit = touch_bit, .reset_bus = reset_bus },
	{ .data = &masters[1], .touch_bit = touch_bit, .reset_bus = reset_bus },
};

static int __init cold_init(void)
{
	int i;

	if (chips < 0 || chips > CHIPS || others < 0 || others > chips)
		return -EINVAL;
	for (i = 0; i < chips; i++) {
		static const u8 rom[8] = { 0x28, 0, 0, 0, 0, 0, 0x01 };

		memcpy(all[i].rom, rom, sizeof(rom));
		all[i].rom[1] = i + 1;
		all[i].rom[7] = crc8(all[i].rom, 7);
		power_on(&all[i]);
	}
	i = w1_add_master_device(&masters[0]);
	if (i < 0 || !others)
		return i;
	i = w1_add_master_device(&masters[1]);
	if (i < 0)
		w1_remove_master_device(&masters[0]);
	return i;
}

static void __exit cold_exit(void)
{
	if (others)
		w1_remove_master_device(&masters[1]);
	w1_remove_master_device(&masters[0]);
}

module_init(cold_init);
module_exit(cold_exit);
MODULE_DESCRIPTION("emulated 1-Wire master with DS18B20 chips");
MODULE_LICENSE("GPL");
