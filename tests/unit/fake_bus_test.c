/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A fake bus opened as the core opens it, without the core between. */
struct raw_bus {
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	const struct kryos_bus_driver *driver;
	void *userdata;
	_Alignas(max_align_t) unsigned char priv[64];
};

static int take_first(void *data, const void *driver, void *userdata)
{
	struct raw_bus *raw = data;

	raw->driver = driver;
	raw->userdata = userdata;
	return 1;
}

static void raw_open(struct raw_bus *raw, const char *name)
{
	memset(raw, 0, sizeof(*raw));
	assert_ok(kryos_ctx_new(&raw->ctx, NULL));
	assert_ok(kryos_fake_bus_new(&raw->bus, name));
	assert_ok(kryos_fake_bus_attach(raw->bus, raw->ctx));
	assert_int_equal(kri_registry_each(raw->ctx, KRI_BUS, take_first, raw), 1);
	assert_true(raw->driver->private_size <= sizeof(raw->priv));
	assert_ok(raw->driver->open(raw->priv, name, raw->userdata));
}

static void raw_close(struct raw_bus *raw)
{
	raw->driver->close(raw->priv);
	kryos_ctx_free(raw->ctx);
	kryos_fake_bus_free(raw->bus);
}

static int transfer(struct raw_bus *raw, uint32_t address, const void *out, size_t out_count, void *in, size_t in_count)
{
	struct kryos_address at = { .number = address, .text = "0x76" };

	return raw->driver->transfer(raw->priv, &at, out, out_count, in, in_count);
}

static int read_from(struct raw_bus *raw, uint32_t address, uint8_t reg, void *in, size_t count)
{
	return transfer(raw, address, &reg, 1, in, count);
}

static int write_to(struct raw_bus *raw, uint32_t address, uint8_t reg, uint8_t value)
{
	return transfer(raw, address, (uint8_t[]){ reg, value }, 2, NULL, 0);
}

static int scratchpad_of(struct raw_bus *raw, const char *place, uint8_t scratchpad[9])
{
	struct kryos_address at;
	int r = raw->driver->parse(raw->priv, place, &at);

	return r < 0 ? r : raw->driver->read_scratchpad(raw->priv, &at, scratchpad);
}

static void fake_bus_refuses_places_that_its_kind_of_bus_cannot_have(void **state)
{
	static const char *const wrong_i2c[] = { "0x02", "0x78", "118x", "", "28-0316a2795bff", "-1", "0x" };
	static const char *const wrong_w1[] = { "0x76", "28-0316A2795BFF", "28-0316a2795bf", "28_0316a2795bff", "" };
	struct kryos_fake_bus *bus;
	struct kryos_model *model = NULL;
	size_t i;

	(void)state;
	assert_ok(kryos_fake_bus_new(&bus, "i2c-1"));
	for (i = 0; i < KRI_ARRAY_SIZE(wrong_i2c); i++) {
		assert_fails(KRYOS_EDEVICE, kryos_fake_bus_add_bme280(bus, wrong_i2c[i], &model));
		assert_says(KRYOS_EDEVICE, "0x03 to 0x77");
	}
	assert_fails(-EINVAL, kryos_fake_bus_add_ds18b20(bus, "28-0316a2795bff", &model));
	assert_ok(kryos_fake_bus_add_bme280(bus, "0x76", &model));
	assert_fails(-EEXIST, kryos_fake_bus_add_ds3231(bus, "118", NULL));
	kryos_fake_bus_free(bus);

	assert_ok(kryos_fake_bus_new(&bus, "w1"));
	for (i = 0; i < KRI_ARRAY_SIZE(wrong_w1); i++)
		assert_fails(KRYOS_EDEVICE, kryos_fake_bus_add_ds18b20(bus, wrong_w1[i], NULL));
	assert_fails(-EINVAL, kryos_fake_bus_add_bme280(bus, "0x76", NULL));
	kryos_fake_bus_free(bus);
	assert_fails(-EINVAL, kryos_fake_bus_new(&bus, ""));
	assert_fails(-EINVAL, kryos_fake_bus_new(NULL, "w1"));
	kryos_fake_bus_free(NULL);
}

static void fake_bus_fails_as_planned_and_only_then(void **state)
{
	static const struct {
		enum kryos_fault fault;
		int result;
	} faults[] = { { KRYOS_FAULT_NACK, -ENXIO }, { KRYOS_FAULT_EIO, -EIO }, { KRYOS_FAULT_TIMEOUT, -ETIMEDOUT } };
	struct raw_bus raw;
	uint8_t id;
	size_t i;
	int n;

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_bme280(raw.bus, "0x76", NULL));
	for (i = 0; i < KRI_ARRAY_SIZE(faults); i++) {
		kryos_fake_bus_plan(raw.bus, faults[i].fault, 2, 3);
		for (n = 0; n < 8; n++) {
			id = 0;
			assert_fails(n >= 2 && n < 5 ? faults[i].result : 0, read_from(&raw, 0x76, 0xd0, &id, 1));
			assert_int_equal(id, n >= 2 && n < 5 ? 0 : 0x60);
		}
		kryos_fake_bus_plan(raw.bus, faults[i].fault, 0, -1);
		for (n = 0; n < 8; n++)
			assert_fails(faults[i].result, read_from(&raw, 0x76, 0xd0, &id, 1));
	}
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_NONE, 0, 0);
	assert_ok(read_from(&raw, 0x76, 0xd0, &id, 1));
	assert_int_equal(kryos_fake_bus_transfers(raw.bus), 3 * 16 + 1);
	assert_fails(-ENXIO, read_from(&raw, 0x77, 0xd0, &id, 1));
	assert_fails(-ENODEV, raw.driver->open(raw.priv, "i2c-2", raw.userdata));
	raw_close(&raw);
}

static void fake_bus_stays_stuck_until_it_is_recovered(void **state)
{
	struct raw_bus raw;
	uint8_t id;

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_bme280(raw.bus, "0x76", NULL));
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_STUCK, 1, 1);
	assert_ok(read_from(&raw, 0x76, 0xd0, &id, 1));
	assert_fails(KRYOS_ESTUCK, read_from(&raw, 0x76, 0xd0, &id, 1));
	assert_fails(KRYOS_ESTUCK, read_from(&raw, 0x76, 0xd0, &id, 1));
	assert_ok(raw.driver->recover(raw.priv));
	assert_ok(read_from(&raw, 0x76, 0xd0, &id, 1));
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_STUCK, 0, -1);
	assert_fails(KRYOS_ESTUCK, read_from(&raw, 0x76, 0xd0, &id, 1));
	assert_fails(KRYOS_ESTUCK, raw.driver->recover(raw.priv));
	assert_int_equal(kryos_fake_bus_recoveries(raw.bus), 2);
	raw_close(&raw);
}

static void fake_bus_flips_one_bit_or_zeroes_the_answer(void **state)
{
	uint8_t good[26], bad[26];
	unsigned int flipped, different_bits = 0, last = 999;
	struct raw_bus raw;
	size_t i, n;

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_bme280(raw.bus, "0x76", NULL));
	assert_ok(read_from(&raw, 0x76, 0x88, good, sizeof(good)));
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_FLIP, 0, -1);
	for (n = 0; n < 50; n++) {
		assert_ok(read_from(&raw, 0x76, 0x88, bad, sizeof(bad)));
		for (flipped = 0, i = 0; i < sizeof(bad) * 8; i++) {
			if (!((good[i / 8] ^ bad[i / 8]) >> i % 8 & 1))
				continue;
			flipped++;
			different_bits += i != last;
			last = (unsigned int)i;
		}
		assert_int_equal(flipped, 1);
	}
	assert_true(different_bits > 40);
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_ZERO, 0, 1);
	assert_ok(read_from(&raw, 0x76, 0x88, bad, sizeof(bad)));
	for (i = 0; i < sizeof(bad); i++)
		assert_int_equal(bad[i], 0);
	raw_close(&raw);
}

/* What is written is acknowledged whatever arrives: each plan flips another bit of it, never of the register's number.
 */
static void fake_bus_flips_one_bit_of_what_is_written(void **state)
{
	struct raw_bus raw;
	uint8_t seen = 0, value;

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_bme280(raw.bus, "0x76", NULL));
	for (int i = 0; i < 8; i++) {
		kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_FLIP_OUT, 0, 1);
		assert_ok(write_to(&raw, 0x76, 0xf4, 0x54));
		assert_ok(read_from(&raw, 0x76, 0xf4, &value, 1));
		seen |= value ^ 0x54;
		assert_int_equal((value ^ 0x54) & ((value ^ 0x54) - 1), 0);
		assert_ok(write_to(&raw, 0x76, 0xf4, 0x54));
		assert_ok(read_from(&raw, 0x76, 0xf4, &value, 1));
		assert_int_equal(value, 0x54);
	}
	assert_int_equal(seen, 0xff);
	raw_close(&raw);
}

struct hanging {
	struct raw_bus *raw;
	int result;
};

static void *hang(void *data)
{
	struct hanging *hanging = data;
	uint8_t id;

	hanging->result = read_from(hanging->raw, 0x76, 0xd0, &id, 1);
	return NULL;
}

static void wait_for_transfers(struct kryos_fake_bus *bus, unsigned int count)
{
	int i;

	for (i = 0; i < 5000 && kryos_fake_bus_transfers(bus) < count; i++)
		usleep(1000);
	assert_int_equal(kryos_fake_bus_transfers(bus), count);
}

static void fake_bus_lets_go_of_a_hanging_call_when_the_plan_changes(void **state)
{
	struct raw_bus raw;
	struct hanging hanging = { .raw = &raw, .result = 1 };
	pthread_t thread;
	struct timespec limit;

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_bme280(raw.bus, "0x76", NULL));
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_HANG, 0, 1);
	assert_int_equal(pthread_create(&thread, NULL, hang, &hanging), 0);
	wait_for_transfers(raw.bus, 1);
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_nsec += 50000000;
	limit.tv_sec += limit.tv_nsec / 1000000000;
	limit.tv_nsec %= 1000000000;
	assert_int_equal(pthread_timedjoin_np(thread, NULL, &limit), ETIMEDOUT);
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_NONE, 0, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(hanging.result, -ETIMEDOUT);
	raw_close(&raw);
}

static void fake_bus_may_be_freed_while_a_call_hangs_in_it(void **state)
{
	struct raw_bus raw;
	struct hanging hanging = { .raw = &raw, .result = 1 };
	pthread_t thread;
	uint8_t id;

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_bme280(raw.bus, "0x76", NULL));
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_HANG, 0, 1);
	assert_int_equal(pthread_create(&thread, NULL, hang, &hanging), 0);
	wait_for_transfers(raw.bus, 1);
	kryos_ctx_free(raw.ctx);
	kryos_fake_bus_free(raw.bus);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(hanging.result, -ETIMEDOUT);
	assert_fails(-ENXIO, read_from(&raw, 0x76, 0xd0, &id, 1));
	raw.driver->close(raw.priv);
}

/* In forced mode, until its status says that it has ended. */
static void bme280_measures(struct raw_bus *raw, uint8_t ctrl_meas)
{
	uint8_t status[2];

	assert_ok(write_to(raw, 0x76, 0xf4, ctrl_meas));
	assert_ok(read_from(raw, 0x76, 0xf3, &status[0], 1));
	assert_int_equal(status[0] & 0x08, 0x08);
	assert_ok(read_from(raw, 0x76, 0xf3, &status[1], 1));
	assert_int_equal(status[1] & 0x08, 0);
}

static void bme280_model_starts_with_reset_values_and_copies_its_calibration(void **state)
{
	static const uint8_t reset_values[] = { 0, 0x01, 0, 0, 0, 0x80, 0, 0, 0x80, 0, 0, 0x80, 0 };
	struct kryos_model *model;
	struct raw_bus raw;
	uint8_t bytes[13];

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_bme280(raw.bus, "0x76", &model));
	assert_ok(read_from(&raw, 0x76, 0xf2, bytes, sizeof(bytes)));
	assert_memory_equal(bytes, reset_values, sizeof(bytes));
	assert_ok(read_from(&raw, 0x76, 0xf3, bytes, 1));
	assert_ok(read_from(&raw, 0x76, 0xf3, bytes, 1));
	assert_int_equal(bytes[0], 0);
	assert_ok(write_to(&raw, 0x76, 0xf2, 1));
	bme280_measures(&raw, 0x25);
	assert_int_not_equal(kryos_model_peek(model, 0xfd), 0x80);
	assert_ok(write_to(&raw, 0x76, 0xe0, 0xb5)); /* not the word */
	assert_int_equal(kryos_model_peek(model, 0xf2), 1);
	assert_ok(write_to(&raw, 0x76, 0xe0, 0xb6));
	assert_fails(-ENXIO, read_from(&raw, 0x76, 0xd0, bytes, 1));
	assert_ok(read_from(&raw, 0x76, 0xf2, bytes, sizeof(bytes)));
	assert_memory_equal(bytes, reset_values, sizeof(bytes));
	assert_ok(write_to(&raw, 0x76, 0xd0, 0x55)); /* read only */
	assert_int_equal(kryos_model_peek(model, 0xd0), 0x60);
	assert_int_equal(kryos_model_peek(model, 256), -ERANGE);
	assert_fails(-ERANGE, kryos_model_poke(model, 256, 0));
	assert_fails(-ENOENT, kryos_model_set(model, "brightness", 0));
	raw_close(&raw);
}

/* The data sheet's example backwards: 25.0825 C and 100653.258 Pa are the codes 519888 and 415148. */
static void bme280_model_gives_the_codes_of_the_data_sheets_example(void **state)
{
	struct kryos_model *model;
	struct raw_bus raw;
	uint8_t d[8];

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_bme280(raw.bus, "0x76", &model));
	assert_ok(kryos_model_set(model, "temperature", 25082478));
	assert_ok(kryos_model_set(model, "pressure", 100653258000));
	bme280_measures(&raw, 5 << 5 | 5 << 2 | 1); /* x16 both: 20 bits */
	assert_ok(read_from(&raw, 0x76, 0xf7, d, sizeof(d)));
	assert_in_range(d[3] << 12 | d[4] << 4 | d[5] >> 4, 519887, 519889);
	assert_in_range(d[0] << 12 | d[1] << 4 | d[2] >> 4, 415147, 415149);
	bme280_measures(&raw, 1 << 5 | 2 << 2 | 1); /* x1: 16 bits, x2: 17 bits */
	assert_ok(read_from(&raw, 0x76, 0xf7, d, sizeof(d)));
	assert_int_equal(d[3] << 12 | d[4] << 4 | d[5] >> 4, 519888 / 16 * 16);
	assert_int_equal(d[0] << 12 | d[1] << 4 | d[2] >> 4, (415148 + 4) / 8 * 8);
	bme280_measures(&raw, 1); /* both skipped */
	assert_ok(read_from(&raw, 0x76, 0xf7, d, sizeof(d)));
	assert_memory_equal(d, ((const uint8_t[]){ 0x80, 0, 0, 0x80, 0, 0 }), 6);
	raw_close(&raw);
}

static void bme280_model_takes_ctrl_hum_only_with_ctrl_meas_and_falls_asleep(void **state)
{
	struct kryos_model *model;
	struct raw_bus raw;
	uint8_t bytes[2];

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_bme280(raw.bus, "0x76", &model));
	assert_ok(kryos_model_set(model, "humidity", 30000000));
	bme280_measures(&raw, 0x25);
	assert_int_equal(kryos_model_peek(model, 0xf4), 0x24);
	assert_int_equal(kryos_model_peek(model, 0xfd), 0x80);
	assert_ok(write_to(&raw, 0x76, 0xf2, 1));
	assert_int_equal(kryos_model_peek(model, 0xfd), 0x80);
	kryos_model_set_busy(model, 2);
	assert_ok(write_to(&raw, 0x76, 0xf4, 0x25));
	assert_ok(read_from(&raw, 0x76, 0xf3, bytes, 2));
	assert_int_equal(bytes[0] & 0x08, 0x08);
	assert_int_equal(bytes[1], 0x25);
	assert_int_equal(kryos_model_peek(model, 0xfd), 0x80);
	assert_ok(read_from(&raw, 0x76, 0xf3, bytes, 2));
	assert_int_equal(bytes[0] & 0x08, 0x08);
	assert_ok(read_from(&raw, 0x76, 0xf3, bytes, 2));
	assert_int_equal(bytes[0] & 0x08, 0);
	assert_int_equal(bytes[1], 0x24);
	assert_int_not_equal(kryos_model_peek(model, 0xfd), 0x80);
	raw_close(&raw);
}

static void ds18b20_model_answers_with_the_published_scratchpads(void **state)
{
	static const uint8_t power_on[] = { 0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10, 0x1c };
	static const uint8_t at_23_125[] = { 0x72, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0e, 0x10, 0x57 };
	static const struct {
		int64_t micro;
		uint16_t raw;
	} table[] = { { 125000000, 0x07d0 },
		      { 85000000, 0x0550 },
		      { 25062500, 0x0191 },
		      { 10125000, 0x00a2 },
		      { 500000, 0x0008 },
		      { -500000, 0xfff8 },
		      { 0, 0 },
		      { -10125000, 0xff5e },
		      { -25062500, 0xfe6f },
		      { -55000000, 0xfc90 },
		      { 5260000, 0x0054 },
		      { 200000000, 0x07d0 },
		      { -90000000, 0xfc90 } };
	const char *place = "28-0316a2795bff";
	struct kryos_model *model;
	uint8_t scratchpad[9];
	struct raw_bus raw;
	size_t i;

	(void)state;
	raw_open(&raw, "w1");
	assert_ok(kryos_fake_bus_add_ds18b20(raw.bus, place, &model));
	for (i = 0; i < 9; i++)
		assert_int_equal(kryos_model_peek(model, (unsigned int)i), power_on[i]);
	assert_ok(kryos_model_set(model, "temperature", 23125000));
	assert_ok(scratchpad_of(&raw, place, scratchpad));
	assert_memory_equal(scratchpad, at_23_125, 9);
	kryos_model_reset(model);
	assert_ok(scratchpad_of(&raw, place, scratchpad));
	assert_memory_equal(scratchpad, power_on, 9);
	for (i = 0; i < KRI_ARRAY_SIZE(table); i++) {
		assert_ok(kryos_model_set(model, "temperature", table[i].micro));
		assert_ok(scratchpad_of(&raw, place, scratchpad));
		assert_int_equal(scratchpad[0] | scratchpad[1] << 8, table[i].raw);
		assert_int_equal(scratchpad[8], kryos_crc8_maxim(scratchpad, 8));
	}
	assert_ok(kryos_model_poke(model, 4, 0x1f)); /* 9 bits: the low three are undefined */
	assert_ok(kryos_model_set(model, "temperature", 4500000));
	assert_ok(scratchpad_of(&raw, place, scratchpad));
	assert_int_equal(scratchpad[0] | scratchpad[1] << 8, 0x004f);
	kryos_model_set_present(model, 0);
	assert_fails(-ENODEV, scratchpad_of(&raw, place, scratchpad));
	kryos_model_set_present(model, 1);
	assert_int_equal(kryos_model_peek(model, 4), 0x1f); /* in its EEPROM */
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_EMPTY, 0, 1);
	assert_fails(-EIO, scratchpad_of(&raw, place, scratchpad));
	assert_says(-EIO, "read empty: bad checksum or unplugged");
	kryos_fake_bus_plan(raw.bus, KRYOS_FAULT_NACK, 0, 1);
	assert_fails(-ENODEV, scratchpad_of(&raw, place, scratchpad));
	raw_close(&raw);
}

static void count_found(void *userdata, const struct kryos_address *address)
{
	unsigned int *count = userdata;

	assert_true(strncmp(address->text, "28-", 3) == 0);
	(*count)++;
}

static void fake_w1_bus_lists_what_is_plugged_in(void **state)
{
	struct kryos_model *model;
	unsigned int count = 0;
	struct raw_bus raw;

	(void)state;
	raw_open(&raw, "w1");
	assert_ok(kryos_fake_bus_add_ds18b20(raw.bus, "28-000000000001", &model));
	assert_ok(kryos_fake_bus_add_ds18b20(raw.bus, "28-000000000002", NULL));
	assert_ok(raw.driver->list(raw.priv, count_found, &count));
	assert_int_equal(count, 2);
	kryos_model_set_present(model, 0);
	assert_ok(raw.driver->list(raw.priv, count_found, &count));
	assert_int_equal(count, 3);
	raw_close(&raw);
}

static int64_t now_of(void *userdata)
{
	return *(int64_t *)userdata;
}

static void assert_time(struct raw_bus *raw, const uint8_t expected[7])
{
	uint8_t bytes[7];

	assert_ok(read_from(raw, 0x68, 0, bytes, 7));
	assert_memory_equal(bytes, expected, 7);
}

static void ds3231_model_counts_in_bcd_through_leap_years_and_the_century(void **state)
{
	int64_t now = INT64_C(1721046896) * 1000000000; /* Monday 2024-07-15 12:34:56 */
	struct kryos_model *model;
	struct raw_bus raw;
	uint8_t twelve[] = { 0, 0x59, 0x59, 0x71 }; /* 11:59:59 PM in the 12 h mode */

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_ds3231(raw.bus, "0x68", &model));
	assert_time(&raw, (const uint8_t[]){ 0, 0, 0, 1, 1, 1, 0 });
	kryos_model_set_clock(model, now_of, &now);
	assert_time(&raw, (const uint8_t[]){ 0x56, 0x34, 0x12, 2, 0x15, 0x07, 0x24 });
	now += KRYOS_SECONDS(4) + 999999999;
	assert_time(&raw, (const uint8_t[]){ 0x00, 0x35, 0x12, 2, 0x15, 0x07, 0x24 });
	now += 1;
	assert_time(&raw, (const uint8_t[]){ 0x01, 0x35, 0x12, 2, 0x15, 0x07, 0x24 });
	now += KRYOS_DAYS(365 * 4);
	assert_time(&raw, (const uint8_t[]){ 0x01, 0x35, 0x12, 6, 0x14, 0x07, 0x28 }); /* 29 February 2028 between */
	now -= KRYOS_DAYS(30); /* a source set back: the chip stands, then goes on */
	assert_time(&raw, (const uint8_t[]){ 0x01, 0x35, 0x12, 6, 0x14, 0x07, 0x28 });

	assert_ok(transfer(&raw, 0x68, twelve, sizeof(twelve), NULL, 0));
	assert_ok(transfer(&raw, 0x68, (const uint8_t[]){ 4, 0x31, 0x12, 0x99 }, 4, NULL, 0));
	now += KRYOS_SECONDS(1);
	assert_time(&raw, (const uint8_t[]){ 0x00, 0x00, 0x52, 7, 0x01, 0x81, 0x00 }); /* 12 AM, century bit set */
	now += KRYOS_HOURS(13);
	assert_time(&raw, (const uint8_t[]){ 0x00, 0x00, 0x61, 7, 0x01, 0x81, 0x00 }); /* 1 PM */
	assert_ok(kryos_model_poke(model, 5, 0x13)); /* a month that is none stays until days carry into it */
	assert_time(&raw, (const uint8_t[]){ 0x00, 0x00, 0x61, 7, 0x01, 0x13, 0x00 });
	raw_close(&raw);
}

static void ds3231_model_keeps_its_stop_flag_until_it_is_written_0(void **state)
{
	struct kryos_model *model;
	struct raw_bus raw;
	uint8_t bytes[3];

	(void)state;
	raw_open(&raw, "i2c-1");
	assert_ok(kryos_fake_bus_add_ds3231(raw.bus, "0x68", &model));
	assert_int_equal(kryos_model_peek(model, 0x0f), 0x88);
	assert_ok(write_to(&raw, 0x68, 0x0f, 0x80));
	assert_int_equal(kryos_model_peek(model, 0x0f), 0x80);
	assert_ok(write_to(&raw, 0x68, 0x0f, 0x00));
	assert_ok(write_to(&raw, 0x68, 0x0f, 0x80));
	assert_int_equal(kryos_model_peek(model, 0x0f), 0x00);
	assert_ok(kryos_model_set(model, "temperature", 25250000));
	assert_ok(read_from(&raw, 0x68, 0x11, bytes, 3)); /* and around to the seconds */
	assert_int_equal(bytes[0], 0x19);
	assert_int_equal(bytes[1], 0x40);
	assert_ok(kryos_model_set(model, "temperature", -10750000));
	assert_ok(read_from(&raw, 0x68, 0x11, bytes, 2));
	assert_int_equal(bytes[0], 0xf5);
	assert_int_equal(bytes[1], 0x40);
	kryos_model_set_present(model, 0);
	kryos_model_set_present(model, 1);
	assert_int_equal(kryos_model_peek(model, 0x0f), 0x88);
	assert_int_equal(kryos_model_peek(model, 0x13), -ERANGE);
	raw_close(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fake_bus_refuses_places_that_its_kind_of_bus_cannot_have),
		cmocka_unit_test(fake_bus_fails_as_planned_and_only_then),
		cmocka_unit_test(fake_bus_stays_stuck_until_it_is_recovered),
		cmocka_unit_test(fake_bus_flips_one_bit_or_zeroes_the_answer),
		cmocka_unit_test(fake_bus_flips_one_bit_of_what_is_written),
		cmocka_unit_test(fake_bus_lets_go_of_a_hanging_call_when_the_plan_changes),
		cmocka_unit_test(fake_bus_may_be_freed_while_a_call_hangs_in_it),
		cmocka_unit_test(bme280_model_starts_with_reset_values_and_copies_its_calibration),
		cmocka_unit_test(bme280_model_gives_the_codes_of_the_data_sheets_example),
		cmocka_unit_test(bme280_model_takes_ctrl_hum_only_with_ctrl_meas_and_falls_asleep),
		cmocka_unit_test(ds18b20_model_answers_with_the_published_scratchpads),
		cmocka_unit_test(fake_w1_bus_lists_what_is_plugged_in),
		cmocka_unit_test(ds3231_model_counts_in_bcd_through_leap_years_and_the_century),
		cmocka_unit_test(ds3231_model_keeps_its_stop_flag_until_it_is_written_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
