/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/sensor.h"
#include "support.h"
#include <errno.h>
#include <kryos/sys/rtc.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <string.h>
#include <time.h>

#define S INT64_C(1000000000)

extern const struct kryos_rtc_driver kri_rtc_ds3231;

struct board {
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *bus;
	struct kryos_model *chip;
	struct kryos_ctx *ctx;
	struct kryos_dev *dev;
};

static int start(void **state)
{
	static struct board board;

	memset(&board, 0, sizeof(board));
	assert_ok(kryos_fake_clock_new(&board.clock, 0));
	assert_ok(kryos_fake_bus_new(&board.bus, "i2c-1"));
	assert_ok(kryos_fake_bus_add_ds3231(board.bus, "0x68", &board.chip));
	assert_ok(kryos_ctx_new(&board.ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = board.clock)));
	assert_ok(kryos_fake_bus_attach(board.bus, board.ctx));
	assert_ok(kri_dev_open(board.ctx, "ds3231@i2c-1:0x68", "i2c", &board.dev));
	*state = &board;
	return 0;
}

static int dispose(void **state)
{
	struct board *board = *state;

	kri_dev_close(board->dev);
	kryos_ctx_free(board->ctx);
	kryos_fake_bus_free(board->bus);
	kryos_fake_clock_free(board->clock);
	return 0;
}

static int run_open(struct kryos_dev *dev, void *data)
{
	(void)data;
	return kri_rtc_ds3231.open(NULL, dev, NULL);
}

static int run_read(struct kryos_dev *dev, void *data)
{
	return kri_rtc_ds3231.read(NULL, dev, data);
}

static int run_set(struct kryos_dev *dev, void *data)
{
	return kri_rtc_ds3231.set(NULL, dev, *(int64_t *)data);
}

static int open_chip(struct board *board)
{
	return kri_dev_call(board->dev, false, run_open, NULL, 0, KRYOS_SECONDS(2));
}

static int read_chip(struct board *board, struct kryos_rtc_reading *ret_reading)
{
	return kri_dev_call(board->dev, false, run_read, ret_reading, sizeof(*ret_reading), KRYOS_SECONDS(2));
}

static int set_chip(struct board *board, int64_t seconds)
{
	int64_t t_wall_ns = seconds * S;

	return kri_dev_call(board->dev, false, run_set, &t_wall_ns, sizeof(t_wall_ns), KRYOS_SECONDS(2));
}

/* Seven registers from 0x00, and the stop flag cleared. */
static void poke_date(struct board *board, const uint8_t date[7])
{
	for (unsigned int i = 0; i < 7; i++)
		assert_ok(kryos_model_poke(board->chip, i, date[i]));
	assert_ok(kryos_model_poke(board->chip, 0x0f, 0x08));
}

static void counters_are_read_in_24_and_12_hour_mode(void **state)
{
	static const struct {
		uint8_t date[7];
		int64_t seconds;
	} cases[] = {
		/* second, minute, hour, weekday, date, month, year */
		{ { 0x56, 0x34, 0x12, 2, 0x15, 0x07, 0x24 }, 1721046896 }, /* 2024-07-15T12:34:56Z */
		{ { 0x00, 0x00, 0x00, 7, 0x01, 0x01, 0x00 }, 946684800 },
		{ { 0x59, 0x59, 0x23, 5, 0x31, 0x12, 0x99 }, INT64_C(4102444799) },
		{ { 0x00, 0x00, 0x00, 5, 0x29, 0x02, 0x24 }, 1709164800 },
		{ { 0x56, 0x34, 0x72, 2, 0x15, 0x07, 0x24 }, 1721046896 }, /* 12 PM is noon */
		{ { 0x56, 0x34, 0x52, 2, 0x15, 0x07, 0x24 }, 1721003696 }, /* 12 AM is midnight */
		{ { 0x56, 0x34, 0x71, 2, 0x15, 0x07, 0x24 }, 1721086496 }, /* 11 PM */
		{ { 0x56, 0x34, 0x41, 2, 0x15, 0x07, 0x24 }, 1721007296 }, /* 1 AM */
		/* The century bit as Linux before 4.x left it: still 2024. */
		{ { 0x56, 0x34, 0x12, 2, 0x15, 0x87, 0x24 }, 1721046896 },
	};
	struct board *board = *state;

	assert_ok(open_chip(board));
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		struct kryos_rtc_reading reading = { .stopped = 9 };

		poke_date(board, cases[i].date);
		assert_ok(read_chip(board, &reading));
		assert_int_equal(reading.t_wall_ns, cases[i].seconds * S);
		assert_int_equal(reading.stopped, 0);
	}
}

static void registers_that_hold_no_date_are_refused(void **state)
{
	static const uint8_t bad[][7] = {
		{ 0x5a, 0x34, 0x12, 2, 0x15, 0x07, 0x24 }, { 0x60, 0x34, 0x12, 2, 0x15, 0x07, 0x24 },
		{ 0x56, 0x60, 0x12, 2, 0x15, 0x07, 0x24 }, { 0x56, 0x34, 0x24, 2, 0x15, 0x07, 0x24 },
		{ 0x56, 0x34, 0x2a, 2, 0x15, 0x07, 0x24 }, { 0x56, 0x34, 0x53, 2, 0x15, 0x07, 0x24 },
		{ 0x56, 0x34, 0x40, 2, 0x15, 0x07, 0x24 }, { 0x56, 0x34, 0x12, 2, 0x00, 0x07, 0x24 },
		{ 0x56, 0x34, 0x12, 2, 0x32, 0x07, 0x24 }, { 0x56, 0x34, 0x12, 2, 0x31, 0x06, 0x24 },
		{ 0x56, 0x34, 0x12, 2, 0x29, 0x02, 0x25 }, { 0x56, 0x34, 0x12, 2, 0x15, 0x00, 0x24 },
		{ 0x56, 0x34, 0x12, 2, 0x15, 0x13, 0x24 }, { 0x56, 0x34, 0x12, 2, 0x15, 0x1a, 0x24 },
		{ 0x56, 0x34, 0x12, 2, 0x15, 0x07, 0xa4 }, { 0x56, 0x34, 0x12, 2, 0x15, 0x07, 0x2f },
	};
	struct board *board = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(bad); i++) {
		struct kryos_rtc_reading reading = { .t_wall_ns = -7 };

		poke_date(board, bad[i]);
		assert_fails(KRYOS_ECRC, read_chip(board, &reading));
		assert_says(KRYOS_ECRC, "ds3231@i2c-1:0x68");
		assert_int_equal(reading.t_wall_ns, -7);
		/* With the stop flag there is nothing to decide: the date is not believed anyway. */
		assert_ok(kryos_model_poke(board->chip, 0x0f, 0x80));
		assert_ok(read_chip(board, &reading));
		assert_int_equal(reading.stopped, 1);
	}
}

static void a_chip_fresh_from_the_factory_says_that_it_was_stopped(void **state)
{
	struct kryos_rtc_reading reading = { .stopped = 0 };
	struct board *board = *state;

	assert_ok(open_chip(board));
	assert_ok(read_chip(board, &reading));
	assert_int_equal(reading.stopped, 1);
	assert_ok(set_chip(board, 1763632800));
	assert_ok(read_chip(board, &reading));
	assert_int_equal(reading.stopped, 0);
	kryos_model_reset(board->chip);
	assert_ok(read_chip(board, &reading));
	assert_int_equal(reading.stopped, 1);
}

static void temperature_has_ten_bits_and_a_sign(void **state)
{
	static const int64_t values[] = { 25250000, 0, -250000, -40000000, 85000000, -750000, 127750000, -128000000 };
	struct kryos_rtc_reading reading = { .has_temperature = 0 };
	struct board *board = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(values); i++) {
		assert_ok(kryos_model_set(board->chip, "temperature", values[i]));
		assert_ok(read_chip(board, &reading));
		assert_int_equal(reading.has_temperature, 1);
		assert_int_equal(reading.temperature_micro, values[i]);
	}
	/* The data sheet's example: 00011001 01b is +25.25 C. */
	assert_ok(kryos_model_poke(board->chip, 0x11, 0x19));
	assert_ok(kryos_model_poke(board->chip, 0x12, 0x40));
	assert_ok(kryos_model_poke(board->chip, 0x10, 0x80));
	assert_ok(read_chip(board, &reading));
	assert_int_equal(reading.temperature_micro, 25250000);
	assert_int_equal(reading.aging, -128);
}

static void what_is_set_is_read_back_for_every_day_of_the_century(void **state)
{
	struct kryos_rtc_reading reading = { .stopped = 0 };
	struct board *board = *state;

	for (int64_t day = 10957; day < 47482; day++) { /* 2000-01-01 to 2099-12-31 */
		int64_t seconds = day * 86400 + day * 7919 % 86400;
		time_t time = (time_t)seconds;
		struct tm tm;

		assert_ok(set_chip(board, seconds));
		assert_ok(read_chip(board, &reading));
		assert_true(reading.t_wall_ns == seconds * S || reading.t_wall_ns == (seconds + 1) * S);
		gmtime_r(&time, &tm);
		assert_int_equal(kryos_model_peek(board->chip, 3), tm.tm_wday + 1);
		assert_int_equal(kryos_model_peek(board->chip, 5) & 0x80, 0);
	}
	assert_fails(-ERANGE, set_chip(board, 946684799));
	assert_says(-ERANGE, "2000 to 2099");
	assert_fails(-ERANGE, set_chip(board, INT64_C(4102444800)));
	assert_fails(-ERANGE, set_chip(board, -1));
}

static void setting_starts_an_oscillator_that_was_off_on_battery_and_leaves_the_rest(void **state)
{
	struct board *board = *state;

	assert_ok(kryos_model_poke(board->chip, 0x0e, 0x9c));
	assert_ok(kryos_model_poke(board->chip, 0x0f, 0x8b));
	assert_ok(set_chip(board, 1763632800));
	assert_int_equal(kryos_model_peek(board->chip, 0x0e), 0x1c);
	assert_int_equal(kryos_model_peek(board->chip, 0x0f), 0x0b);
}

static void a_setting_that_fails_half_way_leaves_the_stop_flag(void **state)
{
	struct kryos_rtc_reading reading = { .stopped = 0 };
	struct board *board = *state;

	assert_ok(open_chip(board));
	for (int after = 0; after < 3; after++) {
		kryos_model_reset(board->chip);
		kryos_fake_bus_plan(board->bus, KRYOS_FAULT_EIO, after, 1);
		assert_fails(-EIO, set_chip(board, 1763632800));
		kryos_fake_bus_plan(board->bus, KRYOS_FAULT_NONE, 0, 0);
		assert_ok(read_chip(board, &reading));
		assert_int_equal(reading.stopped, 1);
	}
	assert_ok(set_chip(board, 1763632800));
	assert_ok(read_chip(board, &reading));
	assert_int_equal(reading.stopped, 0);
}

static void another_chip_at_the_address_and_nobody_there_are_told_apart(void **state)
{
	static const struct {
		unsigned int reg;
		uint8_t value;
	} wrong[] = { { 0x00, 0x80 }, { 0x01, 0x80 }, { 0x02, 0x80 }, { 0x03, 0x08 },
		      { 0x04, 0x40 }, { 0x05, 0x20 }, { 0x0f, 0x10 }, { 0x12, 0x01 } };
	struct board *board = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		char text[32];

		kryos_model_reset(board->chip);
		assert_ok(open_chip(board));
		assert_ok(kryos_model_poke(board->chip, wrong[i].reg, wrong[i].value));
		assert_fails(KRYOS_ECHIP, open_chip(board));
		snprintf(text, sizeof(text), "register 0x%02x holds", wrong[i].reg);
		assert_says(KRYOS_ECHIP, text);
	}
	kryos_model_set_present(board->chip, 0);
	assert_fails(-ENODEV, open_chip(board));
	assert_says(-ENODEV, "ds3231@i2c-1:0x68");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counters_are_read_in_24_and_12_hour_mode, start, dispose),
		cmocka_unit_test_setup_teardown(registers_that_hold_no_date_are_refused, start, dispose),
		cmocka_unit_test_setup_teardown(a_chip_fresh_from_the_factory_says_that_it_was_stopped, start, dispose),
		cmocka_unit_test_setup_teardown(temperature_has_ten_bits_and_a_sign, start, dispose),
		cmocka_unit_test_setup_teardown(what_is_set_is_read_back_for_every_day_of_the_century, start, dispose),
		cmocka_unit_test_setup_teardown(
			setting_starts_an_oscillator_that_was_off_on_battery_and_leaves_the_rest, start, dispose),
		cmocka_unit_test_setup_teardown(a_setting_that_fails_half_way_leaves_the_stop_flag, start, dispose),
		cmocka_unit_test_setup_teardown(another_chip_at_the_address_and_nobody_there_are_told_apart, start,
		                                dispose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
