/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/sensor.h"
#include "support.h"
#include <errno.h>
#include <kryos/clock.h>
#include <kryos/survey.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A board with an I2C and a 1-Wire bus of models. The machine that runs the test may have buses of its own. */
struct board {
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *i2c, *w1;
	struct kryos_model *bme280, *ds3231, *ds18b20;
	char *lines; /* "kind code where driver device text\n" */
	size_t size;
	FILE *stream;
};

static int set_up(void **state)
{
	struct board *board = calloc(1, sizeof(*board));

	assert_non_null(board);
	assert_ok(kryos_fake_clock_new(&board->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&board->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = board->clock)));
	assert_ok(kryos_fake_bus_new(&board->i2c, "i2c-1"));
	assert_ok(kryos_fake_bus_new(&board->w1, "w1"));
	assert_ok(kryos_fake_bus_attach(board->i2c, board->ctx));
	assert_ok(kryos_fake_bus_attach(board->w1, board->ctx));
	*state = board;
	return 0;
}

static int tear_down(void **state)
{
	struct board *board = *state;

	kryos_ctx_free(board->ctx);
	kryos_fake_bus_free(board->i2c);
	kryos_fake_bus_free(board->w1);
	kryos_fake_clock_free(board->clock);
	if (board->stream)
		fclose(board->stream);
	free(board->lines);
	free(board);
	return 0;
}

static void found(void *data, const struct kryos_finding *finding)
{
	struct board *board = data;

	fprintf(board->stream, "%d %d|%s|%s|%s|%s\n", (int)finding->kind, finding->code, finding->where,
	        finding->driver, finding->device, finding->text);
}

static int look(struct board *board, const struct kryos_survey_config *config)
{
	int r;

	if (board->stream)
		fclose(board->stream);
	free(board->lines);
	board->stream = open_memstream(&board->lines, &board->size);
	assert_non_null(board->stream);
	r = kryos_survey(board->ctx, config, found, board);
	fflush(board->stream);
	return r;
}

static void assert_found(const struct board *board, const char *line)
{
	if (!strstr(board->lines, line))
		fail_msg("not found: %s\nbut:\n%s", line, board->lines);
}

static void assert_not_found(const struct board *board, const char *text)
{
	if (strstr(board->lines, text))
		fail_msg("found: %s\nin:\n%s", text, board->lines);
}

static const struct kryos_survey_config measuring = { .size = sizeof(measuring), .measure = 1, .no_board = 1 };

static void what_is_connected_is_found_and_measured(void **state)
{
	struct board *board = *state;

	assert_ok(kryos_fake_bus_add_bme280(board->i2c, "0x76", &board->bme280));
	assert_ok(kryos_fake_bus_add_ds3231(board->i2c, "0x68", &board->ds3231));
	assert_ok(kryos_fake_bus_add_ds18b20(board->w1, "28-0316a2795bff", &board->ds18b20));
	assert_ok(kryos_fake_bus_add_ds18b20(board->w1, "28-0316a2790000", NULL));
	assert_ok(kryos_fake_bus_add_ds18b20(board->w1, "10-000802b4c0d1", NULL));
	assert_ok(kryos_model_set(board->bme280, "temperature", 24120000));
	assert_ok(kryos_model_set(board->bme280, "humidity", 46100000));
	assert_ok(kryos_model_set(board->bme280, "pressure", INT64_C(91230000000)));
	assert_ok(kryos_model_set(board->ds18b20, "temperature", 5250000));
	assert_true(look(board, &measuring) >= 3);
	assert_found(board, "4 0|i2c-1 0x76|bme280|bme280@i2c-1:0x76|24.1 Cel  46 %RH  912.3 hPa\n");
	assert_found(board, "4 0|w1|ds18b20|ds18b20@w1:28-0316a2795bff|28-0316a2795bff  5.2 Cel\n");
	assert_found(board, "|w1|ds18b20|ds18b20@w1:28-0316a2790000|28-0316a2790000  ");
	assert_found(board, "|w1|ds18s20||10-000802b4c0d1: no driver of this build speaks to family 0x10\n");
	assert_found(board, "|i2c-1 0x68|ds3231|ds3231@i2c-1:0x68|");
	assert_not_found(board, "|i2c-1|");
}

/* Chips that share an address are asked in turn. */
static void each_chip_at_a_shared_address_is_found_as_what_it_is(void **state)
{
	struct board *board = *state;

	assert_ok(kryos_fake_bus_add_mcp9808(board->i2c, "0x18", NULL));
	assert_ok(kryos_fake_bus_add_sht4x(board->i2c, "0x44", NULL));
	assert_ok(kryos_fake_bus_add_sht3x(board->i2c, "0x45", NULL));
	assert_ok(kryos_fake_bus_add_tmp117(board->i2c, "0x48", NULL));
	assert_ok(kryos_fake_bus_add_adt7420(board->i2c, "0x49", NULL));
	assert_ok(kryos_fake_bus_add_bme280(board->i2c, "0x76", NULL));
	assert_ok(kryos_fake_bus_add_bmp280(board->i2c, "0x77", NULL));
	assert_ok(kryos_fake_bus_add_ina226(board->i2c, "0x40", NULL));
	assert_true(look(board, &measuring) >= 8);
	assert_found(board, "4 0|i2c-1 0x40|ina226|ina226@i2c-1:0x40|");
	assert_found(board, "4 0|i2c-1 0x18|mcp9808|mcp9808@i2c-1:0x18|20.0 Cel\n");
	assert_found(board, "4 0|i2c-1 0x44|sht4x|sht4x@i2c-1:0x44|20.0 Cel  50 %RH\n");
	assert_found(board, "4 0|i2c-1 0x48|tmp117|tmp117@i2c-1:0x48|20.0 Cel\n");
	assert_found(board, "4 0|i2c-1 0x49|adt7420|adt7420@i2c-1:0x49|20.0 Cel\n");
	assert_found(board, "4 0|i2c-1 0x76|bme280|bme280@i2c-1:0x76|");
	assert_found(board, "4 0|i2c-1 0x77|bmp280|bmp280@i2c-1:0x77|");
	assert_found(board, "4 0|i2c-1 0x45|sht3x|sht3x@i2c-1:0x45|20.0 Cel  50 %RH\n");
}

/* The byte that asks a BME280 who it is, is a command to other chips. */
static void chips_on_spi_are_found_where_they_can_be_told(void **state)
{
	struct board *board = *state;
	struct kryos_fake_bus *spi[3];

	for (unsigned int i = 0; i < KRI_ARRAY_SIZE(spi); i++) {
		char name[] = "spi-0.0";

		name[6] = (char)('0' + i);
		assert_ok(kryos_fake_bus_new(&spi[i], name));
		assert_ok(kryos_fake_bus_attach(spi[i], board->ctx));
	}
	assert_ok(kryos_fake_bus_add_max31865(spi[0], "", NULL));
	assert_ok(kryos_fake_bus_add_bme280(spi[1], "", NULL));
	assert_true(look(board, &measuring) >= 1);
	assert_found(board, "4 0|spi-0.0|max31865|max31865@spi-0.0|20.0 Cel\n");
	assert_not_found(board, "|spi-0.1|");
	assert_not_found(board, "|spi-0.2|");
	kryos_ctx_free(board->ctx);
	board->ctx = NULL;
	for (unsigned int i = 0; i < KRI_ARRAY_SIZE(spi); i++)
		kryos_fake_bus_free(spi[i]);
}

/* Only what identifies is read; a chip that nobody knows keeps every register as it was. */
static void chip_that_is_not_known_is_not_written_to(void **state)
{
	struct board *board = *state;
	uint8_t before[256];

	assert_ok(kryos_fake_bus_add_bme280(board->i2c, "0x76", &board->bme280));
	assert_ok(kryos_model_poke(board->bme280, 0xd0, 0x33));
	assert_ok(kryos_model_poke(board->bme280, 0xf5, 0xa4));
	for (unsigned int reg = 0; reg < 256; reg++)
		before[reg] = (uint8_t)kryos_model_peek(board->bme280, reg);
	assert_ok(look(board, &measuring));
	for (unsigned int reg = 0; reg < 256; reg++)
		if (kryos_model_peek(board->bme280, reg) != before[reg])
			fail_msg("register 0x%02x was 0x%02x and is 0x%02x", reg, before[reg],
			         (unsigned int)kryos_model_peek(board->bme280, reg));
	assert_not_found(board, "|i2c-1 0x76|bme280");
}

static void clock_is_found_and_its_stop_flag_said(void **state)
{
	struct board *board = *state;

	assert_ok(kryos_fake_bus_add_ds3231(board->i2c, "0x68", &board->ds3231));
	assert_ok(kryos_model_poke(board->ds3231, 0x0f, 0x80));
	assert_ok(look(board, &measuring));
	assert_found(board, "3 0|i2c-1 0x68|ds3231|ds3231@i2c-1:0x68|");
	assert_found(board, "stopped");
}

static void bus_without_chips_says_what_to_look_at(void **state)
{
	struct board *board = *state;

	assert_ok(look(board, &measuring));
	assert_found(board, "|w1|||no probe answers (data wire on GPIO4, 4.7 kOhm to 3.3 V?");
}

static void stuck_bus_is_named_once_and_does_not_hold_the_rest(void **state)
{
	struct board *board = *state;
	const char *first;

	assert_ok(kryos_fake_bus_add_bme280(board->i2c, "0x76", &board->bme280));
	assert_ok(kryos_fake_bus_add_ds18b20(board->w1, "28-0316a2795bff", &board->ds18b20));
	kryos_fake_bus_plan(board->i2c, KRYOS_FAULT_STUCK, 0, -1);
	assert_ok(look(board, &measuring));
	first = strstr(board->lines, "|i2c-1|");
	assert_non_null(first);
	assert_null(strstr(first + 1, "|i2c-1|"));
	assert_found(board, "|w1|ds18b20|");
}

static void without_measuring_nothing_is_set_up(void **state)
{
	struct board *board = *state;

	assert_ok(kryos_fake_bus_add_bme280(board->i2c, "0x76", &board->bme280));
	assert_ok(kryos_model_poke(board->bme280, 0xf5, 0xa4));
	assert_ok(look(board, KRYOS_SURVEY_CONFIG(.no_board = 1)));
	assert_found(board, "4 0|i2c-1 0x76|bme280|bme280@i2c-1:0x76|\n");
	assert_int_equal(kryos_model_peek(board->bme280, 0xf5), 0xa4);
}

static void disk_is_measured_and_left_as_it_was(void **state)
{
	struct board *board = *state;
	char *folder = scratch_new(), path[512], line[600];

	assert_ok(look(board, KRYOS_SURVEY_CONFIG(.folder = folder, .channels = 4)));
	snprintf(line, sizeof(line), "|disk|||%s, sync ", folder);
	assert_found(board, line);
	assert_found(board, "(worst of 50: ");
	assert_found(board, ", room for ");
	assert_int_equal(rmdir(folder), 0); /* empty again */
	snprintf(path, sizeof(path), "%s/none", folder);
	assert_ok(look(board, KRYOS_SURVEY_CONFIG(.folder = path)));
	snprintf(line, sizeof(line), "6 %d|disk|||%s can't be written: No such file or directory\n", -ENOENT, path);
	assert_found(board, line);
	free(folder);
}

static void wrong_arguments_are_refused(void **state)
{
	struct board *board = *state;

	assert_fails(-EINVAL, kryos_survey(NULL, NULL, found, board));
	assert_fails(-EINVAL, kryos_survey(board->ctx, NULL, NULL, NULL));
	assert_fails(-EINVAL, kryos_survey(board->ctx, &(struct kryos_survey_config){ .measure = 1 }, found, board));
}

int main(void)
{
#define BOARD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		BOARD_TEST(what_is_connected_is_found_and_measured),
		BOARD_TEST(each_chip_at_a_shared_address_is_found_as_what_it_is),
		BOARD_TEST(chip_that_is_not_known_is_not_written_to),
		BOARD_TEST(chips_on_spi_are_found_where_they_can_be_told),
		BOARD_TEST(clock_is_found_and_its_stop_flag_said),
		BOARD_TEST(bus_without_chips_says_what_to_look_at),
		BOARD_TEST(stuck_bus_is_named_once_and_does_not_hold_the_rest),
		BOARD_TEST(without_measuring_nothing_is_set_up),
		BOARD_TEST(disk_is_measured_and_left_as_it_was),
		BOARD_TEST(wrong_arguments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
