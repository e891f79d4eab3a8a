/* SPDX-License-Identifier: Apache-2.0 */
/* Buses and chips on them, over a bus driver that does as its script says. */
#include "support.h"
#include <errno.h>
#include <kryos/sys/bus.h>
#include <pthread.h>
#include <sensor/sensor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One scripted bus. What each transfer gives, in order; 0 after the last. */
struct script {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const int *results;
	size_t result_count, transfers;
	int opens, recoveries, claims, lists;
	atomic_int closes; /* by a worker that was left behind, too */
	int open_result, claim_result, recover_result, list_result;
	bool hang, hanging;
	const char *const *present;
	char opened[64];
	pthread_t thread;
	uint8_t out[8];
	size_t out_count;
};

struct scripted {
	struct script *script;
};

static int scripted_open(void *priv, const char *name, void *userdata)
{
	struct script *script = userdata;

	((struct scripted *)priv)->script = script;
	script->opens++;
	script->thread = pthread_self();
	snprintf(script->opened, sizeof(script->opened), "%s", name);
	return script->open_result;
}

static void scripted_close(void *priv)
{
	((struct scripted *)priv)->script->closes++;
}

static int scripted_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	(void)priv;
	snprintf(ret_address->text, sizeof(ret_address->text), "%s", place);
	ret_address->number = (uint32_t)strtoul(place, NULL, 16);
	return 0;
}

static int scripted_claim(void *priv, const struct kryos_address *address)
{
	struct script *script = ((struct scripted *)priv)->script;

	(void)address;
	script->claims++;
	if (script->claim_result < 0)
		return kryos_fail(script->claim_result, "held by the kernel's driver toy");
	return 0;
}

static int next_result(struct script *script)
{
	pthread_mutex_lock(&script->lock);
	script->hanging = script->hang;
	pthread_cond_broadcast(&script->changed);
	while (script->hang)
		pthread_cond_wait(&script->changed, &script->lock);
	script->hanging = false;
	pthread_mutex_unlock(&script->lock);
	return script->transfers < script->result_count ? script->results[script->transfers++]
	                                                : (script->transfers++, 0);
}

static int scripted_transfer(void *priv, const struct kryos_address *address, const uint8_t *out, size_t out_count,
                             uint8_t *in, size_t in_count)
{
	struct script *script = ((struct scripted *)priv)->script;
	int r = next_result(script);

	script->out_count = out_count;
	memcpy(script->out, out, out_count < sizeof(script->out) ? out_count : sizeof(script->out));
	if (r >= 0 && in_count)
		memset(in, (int)address->number, in_count);
	return r;
}

static int scripted_read(void *priv, const struct kryos_address *address, uint8_t scratchpad[9])
{
	(void)address;
	memset(scratchpad, 9, 9);
	return next_result(((struct scripted *)priv)->script);
}

static int scripted_list(void *priv, kryos_found_fn found, void *userdata)
{
	struct script *script = ((struct scripted *)priv)->script;
	struct kryos_address address = { 0 };

	script->lists++;
	for (const char *const *place = script->present; place && *place; place++) {
		snprintf(address.text, sizeof(address.text), "%s", *place);
		found(userdata, &address);
	}
	return script->list_result;
}

static int scripted_recover(void *priv)
{
	struct script *script = ((struct scripted *)priv)->script;

	script->recoveries++;
	return script->recover_result;
}

static const struct kryos_bus_driver toy_i2c = {
	.size = sizeof(toy_i2c),
	.prefix = "i2c-",
	.private_size = sizeof(struct scripted),
	.open = scripted_open,
	.close = scripted_close,
	.parse = scripted_parse,
	.claim = scripted_claim,
	.transfer = scripted_transfer,
	.recover = scripted_recover,
};
static const struct kryos_bus_driver one_i2c = {
	.size = sizeof(one_i2c),
	.prefix = "i2c-1",
	.private_size = sizeof(struct scripted),
	.open = scripted_open,
	.close = scripted_close,
	.parse = scripted_parse,
	.transfer = scripted_transfer,
};
static const struct kryos_bus_driver toy_w1 = {
	.size = sizeof(toy_w1),
	.prefix = "w1",
	.private_size = sizeof(struct scripted),
	.open = scripted_open,
	.close = scripted_close,
	.parse = scripted_parse,
	.read_scratchpad = scripted_read,
	.list = scripted_list,
};

struct bench {
	struct kryos_ctx *ctx;
	struct script i2c, one, w1;
};

static void script_init(struct script *script)
{
	pthread_mutex_init(&script->lock, NULL);
	pthread_cond_init(&script->changed, NULL);
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	script_init(&bench->i2c);
	script_init(&bench->one);
	script_init(&bench->w1);
	if (kryos_ctx_new(&bench->ctx, NULL) < 0 || kryos_register_bus(bench->ctx, &toy_i2c, &bench->i2c) < 0 ||
	    kryos_register_bus(bench->ctx, &toy_w1, &bench->w1) < 0)
		return -1;
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	free(bench);
	return 0;
}

static struct kryos_dev *open_dev(struct bench *bench, const char *device)
{
	struct kryos_dev *dev = NULL;

	assert_ok(kri_dev_open(bench->ctx, device, NULL, &dev));
	return dev;
}

static int read_two(struct kryos_dev *dev, void *data)
{
	return kryos_dev_read_registers(dev, 0xd0, data, 2);
}

static int call_read(struct kryos_dev *dev, uint8_t bytes[2])
{
	return kri_dev_call(dev, false, read_two, bytes, 2, KRYOS_SECONDS(5));
}

static void a_bus_is_opened_by_its_first_job_on_its_own_thread_and_closed_once(void **state)
{
	struct bench *bench = *state;
	struct kryos_dev *first = open_dev(bench, "a@i2c-3:0x40"), *second = open_dev(bench, "b@i2c-3:0x41");
	uint8_t bytes[2] = { 0, 0 };

	assert_int_equal(bench->i2c.opens, 0);
	assert_ok(call_read(first, bytes));
	assert_int_equal(bytes[0], 0x40);
	assert_ok(call_read(second, bytes));
	assert_int_equal(bytes[1], 0x41);
	assert_int_equal(bench->i2c.opens, 1);
	assert_int_equal(bench->i2c.claims, 2);
	assert_string_equal(bench->i2c.opened, "i2c-3");
	assert_false(pthread_equal(bench->i2c.thread, pthread_self()));
	assert_ptr_equal(kri_dev_worker(first), kri_dev_worker(second));
	kri_dev_close(first);
	kri_dev_close(second);
	assert_int_equal(bench->i2c.closes, 0);
	kryos_ctx_free(bench->ctx);
	bench->ctx = NULL;
	assert_int_equal(bench->i2c.closes, 1);
}

static void a_bus_registered_under_its_full_name_replaces_only_that_one(void **state)
{
	struct bench *bench = *state;
	struct kryos_dev *one, *ten;
	uint8_t bytes[2];

	assert_ok(kryos_register_bus(bench->ctx, &one_i2c, &bench->one));
	one = open_dev(bench, "a@i2c-1:0x40");
	ten = open_dev(bench, "a@i2c-10:0x40");
	assert_ok(call_read(one, bytes));
	assert_ok(call_read(ten, bytes));
	assert_string_equal(bench->one.opened, "i2c-1");
	assert_string_equal(bench->i2c.opened, "i2c-10");
	assert_int_equal(bench->one.opens, 1);
	assert_int_equal(bench->i2c.opens, 1);
	kri_dev_close(one);
	kri_dev_close(ten);
}

static void an_unknown_bus_is_told_which_there_are(void **state)
{
	struct bench *bench = *state;
	struct kryos_dev *dev = NULL;

	assert_fails(KRYOS_EDEVICE, kri_dev_open(bench->ctx, "a@i3c-1:0x40", NULL, &dev));
	assert_says(KRYOS_EDEVICE, "a@i3c-1:0x40: no bus \"i3c-1\"; there is w1, i2c-N");
	assert_fails(KRYOS_EDEVICE, kri_dev_open(bench->ctx, "a@i2c-:0x40", NULL, &dev));
	assert_fails(KRYOS_EDEVICE, kri_dev_open(bench->ctx, "a@w12:any", NULL, &dev));
	assert_fails(KRYOS_EDEVICE, kri_dev_open(bench->ctx, "a@w1:any", "i2c", &dev));
	assert_null(dev);
}

static void a_bus_that_is_missing_is_explained_and_opened_once_it_is_there(void **state)
{
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "a@i2c-1:0x40"), *any = open_dev(bench, "ds18b20@w1:any"),
			 *probe = open_dev(bench, "ds18b20@w1:28-000000000001");
	uint8_t bytes[2];

	bench->i2c.open_result = bench->w1.open_result = -ENOENT;
	assert_fails(-ENODEV, call_read(dev, bytes));
	assert_string_equal(kryos_strerror(-ENODEV),
	                    "a@i2c-1:0x40: no bus i2c-1; is \"dtparam=i2c_arm=on\" in /boot/firmware/config.txt, and "
	                    "the module i2c-dev loaded?");
	assert_fails(-ENODEV, call_read(any, bytes));
	assert_string_equal(kryos_strerror(-ENODEV), "no DS18B20 on any 1-Wire bus; is \"dtoverlay=w1-gpio\" in "
	                                             "/boot/firmware/config.txt?");
	assert_fails(-ENODEV, call_read(probe, bytes));
	assert_says(-ENODEV, "ds18b20@w1:28-000000000001: no 1-Wire bus; is \"dtoverlay=w1-gpio\"");
	bench->i2c.open_result = -EACCES;
	assert_fails(-EACCES, call_read(dev, bytes));
	assert_says(-EACCES, "i2c-1: Permission denied");
	bench->i2c.open_result = 0;
	assert_ok(call_read(dev, bytes));
	kri_dev_close(dev);
	kri_dev_close(any);
	kri_dev_close(probe);
}

static void a_lost_arbitration_is_tried_twice_more(void **state)
{
	static const int twice[] = { -EAGAIN, -EAGAIN }, thrice[] = { -EAGAIN, -EAGAIN, -EAGAIN };
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "a@i2c-1:0x40");
	uint8_t bytes[2];

	bench->i2c.results = twice;
	bench->i2c.result_count = 2;
	assert_ok(call_read(dev, bytes));
	assert_int_equal(bench->i2c.transfers, 3);
	bench->i2c.results = thrice;
	bench->i2c.result_count = 3;
	bench->i2c.transfers = 0;
	assert_fails(-EAGAIN, call_read(dev, bytes));
	assert_int_equal(bench->i2c.transfers, 3);
	kri_dev_close(dev);
}

static void a_stuck_bus_is_recovered_once_and_the_transfer_repeated(void **state)
{
	static const int stuck[] = { KRYOS_ESTUCK }, timed_out[] = { -ETIMEDOUT },
			 for_long[] = { KRYOS_ESTUCK, KRYOS_ESTUCK, KRYOS_ESTUCK };
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "a@i2c-1:0x40");
	uint8_t bytes[2];

	bench->i2c.results = stuck;
	bench->i2c.result_count = 1;
	assert_ok(call_read(dev, bytes));
	assert_int_equal(bench->i2c.recoveries, 1);
	bench->i2c.results = timed_out;
	bench->i2c.transfers = 0;
	assert_ok(call_read(dev, bytes));
	assert_int_equal(bench->i2c.recoveries, 2);
	bench->i2c.results = for_long;
	bench->i2c.result_count = 3;
	bench->i2c.transfers = 0;
	assert_fails(KRYOS_ESTUCK, call_read(dev, bytes));
	assert_int_equal(bench->i2c.recoveries, 3);
	assert_int_equal(bench->i2c.transfers, 2);
	bench->i2c.transfers = 0;
	bench->i2c.recover_result = KRYOS_ESTUCK;
	assert_fails(KRYOS_ESTUCK, call_read(dev, bytes));
	assert_says(KRYOS_ESTUCK, "a@i2c-1:0x40: i2c-1 is stuck, and could not be freed");
	kri_dev_close(dev);
}

static void nothing_at_an_address_says_where_it_was_looked_for(void **state)
{
	static const int nack[] = { -ENXIO }, broken[] = { -EIO };
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "bme280@i2c-1:0x76");
	uint8_t bytes[2] = { 1, 2 };
	char sentence[64];

	bench->i2c.results = nack;
	bench->i2c.result_count = 1;
	assert_fails(-ENXIO, call_read(dev, bytes));
	assert_string_equal(kryos_strerror(-ENXIO), "bme280@i2c-1:0x76: nothing answers at 0x76 on i2c-1");
	bench->i2c.results = broken;
	bench->i2c.transfers = 0;
	assert_fails(-EIO, call_read(dev, bytes));
	snprintf(sentence, sizeof(sentence), "bme280@i2c-1:0x76: %s", strerror(EIO)); /* in the C library's words */
	assert_string_equal(kryos_strerror(-EIO), sentence);
	kri_dev_close(dev);
}

static void an_adapter_that_went_away_is_opened_anew(void **state)
{
	static const int gone[] = { -ENODEV };
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "a@i2c-1:0x40");
	uint8_t bytes[2];

	assert_ok(call_read(dev, bytes));
	bench->i2c.results = gone;
	bench->i2c.result_count = 1;
	bench->i2c.transfers = 0;
	assert_fails(-ENODEV, call_read(dev, bytes));
	assert_int_equal(bench->i2c.closes, 1);
	assert_ok(call_read(dev, bytes));
	assert_int_equal(bench->i2c.opens, 2);
	assert_int_equal(bench->i2c.claims, 2);
	kri_dev_close(dev);
}

static int go_on_after_a_loss(struct kryos_dev *dev, void *data)
{
	int *results = data;
	uint8_t bytes[2];

	results[0] = kryos_dev_read_registers(dev, 0xd0, bytes, 2);
	results[1] = kryos_dev_read_registers(dev, 0xd0, bytes, 2);
	results[2] = kri_dev_fail(dev, results[0]);
	return results[2];
}

/* As the other sensors of a round do, and a driver's remove. */
static void nothing_reaches_a_bus_between_its_loss_and_its_next_opening(void **state)
{
	static const struct kryos_bus_driver listing = {
		.size = sizeof(listing),
		.prefix = "i2c-7",
		.private_size = sizeof(struct scripted),
		.open = scripted_open,
		.close = scripted_close,
		.parse = scripted_parse,
		.transfer = scripted_transfer,
		.list = scripted_list,
	};
	static const int gone[] = { -ENODEV };
	struct bench *bench = *state;
	struct kryos_dev *dev;
	int results[3] = { 0 };
	uint8_t bytes[2];

	bench->one.results = gone;
	bench->one.result_count = 1;
	assert_ok(kryos_register_bus(bench->ctx, &listing, &bench->one));
	dev = open_dev(bench, "a@i2c-7:0x40");
	assert_fails(-ENODEV, kri_dev_call(dev, false, go_on_after_a_loss, results, sizeof(results), KRYOS_SECONDS(5)));
	assert_int_equal(results[0], -ENODEV);
	assert_int_equal(results[1], -ENODEV);
	assert_int_equal(bench->one.closes, 1);
	assert_int_equal(bench->one.transfers, 1);
	assert_int_equal(bench->one.lists, 0);
	assert_ok(call_read(dev, bytes));
	assert_int_equal(bench->one.opens, 2);
	kri_dev_close(dev);
}

static int write_register(struct kryos_dev *dev, void *data)
{
	char *seen = data;

	snprintf(seen, 256, "%s %s", kryos_dev_name(dev), kryos_dev_address(dev)->text);
	return kryos_dev_write_register(dev, 0xf4, 0x25);
}

static int bad_calls(struct kryos_dev *dev, void *data)
{
	int *results = data;
	uint8_t byte = 0, nine[9];

	results[0] = kryos_dev_transfer(NULL, &byte, 1, NULL, 0);
	results[1] = kryos_dev_transfer(dev, NULL, 0, NULL, 0);
	results[2] = kryos_dev_transfer(dev, NULL, 1, NULL, 0);
	results[3] = kryos_dev_transfer(dev, &byte, 1, NULL, 1);
	results[4] = kryos_dev_read_scratchpad(dev, NULL);
	results[5] = kryos_dev_read_scratchpad(dev, nine);
	return 0;
}

static void registers_are_written_as_address_and_value(void **state)
{
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "a@i2c-1:0x40");
	char seen[256] = "";

	assert_ok(kri_dev_call(dev, false, write_register, seen, sizeof(seen), KRYOS_SECONDS(5)));
	assert_string_equal(seen, "a@i2c-1:0x40 0x40");
	assert_int_equal(bench->i2c.out_count, 2);
	assert_memory_equal(bench->i2c.out, "\xf4\x25", 2);
	kri_dev_close(dev);
}

static void senseless_transfers_are_refused_without_reaching_the_bus(void **state)
{
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "a@i2c-1:0x40");
	int results[6] = { 0 };

	assert_ok(kri_dev_call(dev, false, bad_calls, results, sizeof(results), KRYOS_SECONDS(5)));
	for (int i = 0; i < 5; i++)
		assert_int_equal(results[i], -EINVAL);
	assert_int_equal(results[5], -EOPNOTSUPP);
	assert_int_equal(bench->i2c.transfers, 0);
	kri_dev_close(dev);
}

static void an_address_the_kernel_holds_is_refused_unless_it_is_shared(void **state)
{
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "ds3231@i2c-1:0x68");
	uint8_t bytes[2] = { 0 };

	bench->i2c.claim_result = -EBUSY;
	assert_fails(-EBUSY, call_read(dev, bytes));
	assert_string_equal(kryos_strerror(-EBUSY), "ds3231@i2c-1:0x68: held by the kernel's driver toy");
	assert_int_equal(bench->i2c.transfers, 0);
	assert_ok(kri_dev_call(dev, true, read_two, bytes, 2, KRYOS_SECONDS(5)));
	assert_int_equal(bytes[0], 0x68);
	kri_dev_close(dev);
}

static int scratchpad(struct kryos_dev *dev, void *data)
{
	return kryos_dev_read_scratchpad(dev, data);
}

static void any_is_the_one_of_its_family_or_an_error_that_lists_them(void **state)
{
	static const char *const other_only[] = { "10-000000000001", NULL };
	static const char *const one[] = { "10-000000000001", "28-000000000002", NULL };
	static const char *const two[] = { "28-000000000002", "28-000000000003", NULL };
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "ds18b20@w1:any");
	uint8_t bytes[9];

	bench->w1.present = other_only;
	assert_fails(-ENODEV, kri_dev_call(dev, false, scratchpad, bytes, 9, KRYOS_SECONDS(5)));
	assert_says(-ENODEV, "no DS18B20 on any 1-Wire bus");
	bench->w1.present = two;
	assert_fails(KRYOS_EDEVICE, kri_dev_call(dev, false, scratchpad, bytes, 9, KRYOS_SECONDS(5)));
	assert_string_equal(kryos_strerror(KRYOS_EDEVICE),
	                    "ds18b20@w1:any: 2 are present, name one of them: 28-000000000002, 28-000000000003");
	bench->w1.present = one;
	assert_ok(kri_dev_call(dev, false, scratchpad, bytes, 9, KRYOS_SECONDS(5)));
	assert_string_equal(kryos_dev_address(dev)->text, "28-000000000002");
	/* Once found it stays, and is not listed again and again. */
	bench->w1.present = two;
	bench->w1.lists = 0;
	assert_ok(kri_dev_call(dev, false, scratchpad, bytes, 9, KRYOS_SECONDS(5)));
	assert_int_equal(bench->w1.lists, 0);
	kri_dev_close(dev);
}

static void an_unplugged_probe_is_told_what_is_there_instead(void **state)
{
	static const char *const others[] = { "28-000000000002", "10-00000000000a", NULL };
	static const int unplugged[] = { -ENODEV, -ENODEV };
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "ds18b20@w1:28-000000000001");
	uint8_t bytes[9];

	bench->w1.present = others;
	bench->w1.results = unplugged;
	bench->w1.result_count = 2;
	assert_fails(-ENODEV, kri_dev_call(dev, false, scratchpad, bytes, 9, KRYOS_SECONDS(5)));
	assert_string_equal(kryos_strerror(-ENODEV), "ds18b20@w1:28-000000000001: nothing answers at 28-000000000001 "
	                                             "on w1; there is 28-000000000002");
	bench->w1.present = NULL;
	assert_fails(-ENODEV, kri_dev_call(dev, false, scratchpad, bytes, 9, KRYOS_SECONDS(5)));
	assert_says(-ENODEV, "there is nothing of its kind");
	/* The bus itself is well. */
	assert_int_equal(bench->w1.closes, 0);
	kri_dev_close(dev);
}

static void set_hang(struct script *script, bool hang)
{
	pthread_mutex_lock(&script->lock);
	script->hang = hang;
	pthread_cond_broadcast(&script->changed);
	pthread_mutex_unlock(&script->lock);
}

static void a_job_that_hangs_is_left_behind_and_touches_nothing_of_the_caller(void **state)
{
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "a@i2c-1:0x40");
	uint8_t bytes[2] = { 7, 7 };

	set_hang(&bench->i2c, true);
	assert_fails(-ETIMEDOUT, kri_dev_call(dev, false, read_two, bytes, 2, KRYOS_MILLISECONDS(50)));
	assert_says(-ETIMEDOUT, "a@i2c-1:0x40: i2c-1 did not answer in 50 ms");
	assert_true(kri_bus_hangs(kri_dev_bus(dev)));
	set_hang(&bench->i2c, false);
	assert_int_equal(bytes[0], 7);
	assert_ok(call_read(dev, bytes));
	assert_false(kri_bus_hangs(kri_dev_bus(dev)));
	assert_int_equal(bytes[0], 0x40);
	kri_dev_close(dev);
}

static void a_context_is_freed_in_time_while_its_bus_hangs(void **state)
{
	struct bench *bench = *state;
	struct kryos_dev *dev = open_dev(bench, "a@i2c-1:0x40");
	uint8_t bytes[2];
	int64_t begin;

	set_hang(&bench->i2c, true);
	assert_fails(-ETIMEDOUT, kri_dev_call(dev, false, read_two, bytes, 2, KRYOS_MILLISECONDS(20)));
	kri_dev_close(dev);
	begin = kri_real_ns();
	kryos_ctx_free(bench->ctx);
	bench->ctx = NULL;
	assert_true(kri_real_ns() - begin < KRYOS_SECONDS(3));
	assert_int_equal(bench->i2c.closes, 0);
	/* The kernel lets go at last: what the job held is released on its thread. */
	set_hang(&bench->i2c, false);
	for (int i = 0; i < 500 && !bench->i2c.closes; i++)
		usleep(10000);
	assert_int_equal(bench->i2c.closes, 1);
	usleep(50000);
}

static void crc8_is_maxims(void **state)
{
	/* Maxim application note 27, and two scratchpads. */
	static const uint8_t rom[] = { 0x02, 0x1c, 0xb8, 0x01, 0, 0, 0 };
	static const uint8_t power_on[] = { 0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10 };
	static const uint8_t warm[] = { 0x72, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0e, 0x10 };

	(void)state;
	assert_int_equal(kryos_crc8_maxim(rom, sizeof(rom)), 0xa2);
	assert_int_equal(kryos_crc8_maxim(power_on, sizeof(power_on)), 0x1c);
	assert_int_equal(kryos_crc8_maxim(warm, sizeof(warm)), 0x57);
	assert_int_equal(kryos_crc8_maxim(NULL, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_bus_is_opened_by_its_first_job_on_its_own_thread_and_closed_once),
		TEST(a_bus_registered_under_its_full_name_replaces_only_that_one),
		TEST(an_unknown_bus_is_told_which_there_are),
		TEST(a_bus_that_is_missing_is_explained_and_opened_once_it_is_there),
		TEST(a_lost_arbitration_is_tried_twice_more),
		TEST(a_stuck_bus_is_recovered_once_and_the_transfer_repeated),
		TEST(nothing_at_an_address_says_where_it_was_looked_for),
		TEST(an_adapter_that_went_away_is_opened_anew),
		TEST(nothing_reaches_a_bus_between_its_loss_and_its_next_opening),
		TEST(registers_are_written_as_address_and_value),
		TEST(senseless_transfers_are_refused_without_reaching_the_bus),
		TEST(an_address_the_kernel_holds_is_refused_unless_it_is_shared),
		TEST(any_is_the_one_of_its_family_or_an_error_that_lists_them),
		TEST(an_unplugged_probe_is_told_what_is_there_instead),
		TEST(a_job_that_hangs_is_left_behind_and_touches_nothing_of_the_caller),
		TEST(a_context_is_freed_in_time_while_its_bus_hangs),
		cmocka_unit_test(crc8_is_maxims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
