/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include "support.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct kryos_ctx *new_ctx(void)
{
	struct kryos_ctx *ctx = NULL;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	return ctx;
}

static int readable(struct kryos_ctx *ctx)
{
	struct pollfd ready = { .fd = kryos_ctx_get_fd(ctx), .events = POLLIN };

	return poll(&ready, 1, 0);
}

static void context_is_quiet_when_nothing_happens(void **state)
{
	struct kryos_ctx *ctx = new_ctx();
	const struct kryos_event *event = NULL;

	(void)state;
	assert_int_equal(readable(ctx), 0);
	assert_ok(kryos_ctx_process(ctx));
	assert_int_equal(kryos_ctx_next_event(ctx, &event), 0);
	assert_null(event);
	kryos_ctx_free(ctx);
	kryos_ctx_free(NULL);
}

static void bad_arguments_change_nothing(void **state)
{
	struct kryos_ctx *ctx = (struct kryos_ctx *)(uintptr_t)1;
	struct {
		struct kryos_ctx_config config;
		char later[8];
	} newer = { .config = { .size = sizeof(newer) }, .later = { 1 } };

	(void)state;
	assert_fails(-EINVAL, kryos_ctx_new(NULL, NULL));
	assert_fails(-EINVAL, kryos_ctx_new(&ctx, &(struct kryos_ctx_config){ .size = 0 }));
	assert_says(-EINVAL, "size");
	assert_fails(-EINVAL, kryos_ctx_new(&ctx, &newer.config));
	assert_fails(-EINVAL,
	             kryos_ctx_new(&ctx, KRYOS_CTX_CONFIG(.clock = &(struct kryos_clock_source){
								  .size = sizeof(struct kryos_clock_source) })));
	assert_says(-EINVAL, "boot_ns");
	assert_ptr_equal(ctx, (void *)(uintptr_t)1);
	newer.later[0] = 0;
	assert_ok(kryos_ctx_new(&ctx, &newer.config));
	kryos_ctx_free(ctx);
	assert_fails(-EINVAL, kryos_ctx_process(NULL));
}

static void news_makes_the_descriptor_readable_and_keeps_its_strings(void **state)
{
	struct kryos_ctx *ctx = new_ctx();
	const struct kryos_event *event;
	char name[] = "fridge", text[] = "unplugged";

	(void)state;
	kri_event_push(ctx, &(struct kryos_event){ .type = KRYOS_EVENT_SENSOR_LOST, .name = name, .text = text });
	memset(name, 'x', sizeof(name) - 1);
	assert_int_equal(readable(ctx), 1);
	assert_int_equal(kryos_ctx_run(ctx), 1);
	assert_int_equal(kryos_ctx_next_event(ctx, &event), 1);
	assert_string_equal(event->name, "fridge");
	assert_string_equal(event->text, "unplugged");
	assert_int_equal(event->dropped, 0);
	assert_int_equal(kryos_ctx_next_event(ctx, &event), 0);
	kryos_ctx_free(ctx);
}

static void the_257th_event_drops_the_oldest_and_is_counted(void **state)
{
	struct kryos_ctx *ctx = new_ctx();
	const struct kryos_event *event;

	(void)state;
	for (int i = 0; i < 259; i++)
		kri_event_push(ctx, &(struct kryos_event){ .type = KRYOS_EVENT_CLOCK, .code = i });
	assert_int_equal(kryos_ctx_next_event(ctx, &event), 1);
	assert_int_equal(event->code, 3);
	assert_int_equal(event->dropped, 3);
	for (int i = 4; i < 259; i++) {
		assert_int_equal(kryos_ctx_next_event(ctx, &event), 1);
		assert_int_equal(event->code, i);
		assert_int_equal(event->dropped, 0);
	}
	assert_int_equal(kryos_ctx_next_event(ctx, &event), 0);
	kryos_ctx_free(ctx);
}

static void a_context_is_refused_in_a_forked_child(void **state)
{
	struct kryos_ctx *ctx = new_ctx();
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		int r = kryos_ctx_process(ctx);

		kryos_ctx_free(ctx);
		_exit(r == KRYOS_EFORK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_ok(kryos_ctx_process(ctx));
	kryos_ctx_free(ctx);
}

struct ticker {
	struct kri_timer timer;
	struct kryos_ctx *ctx;
	int fired;
};

static void tick(struct kri_timer *timer)
{
	struct ticker *ticker = KRI_CONTAINER_OF(timer, struct ticker, timer);

	ticker->fired++;
	if (ticker->fired < 3)
		kri_timer_set(ticker->ctx, timer, timer->due_ns + 1000000);
}

static bool fired_thrice(void *data)
{
	return ((struct ticker *)data)->fired == 3;
}

static void timers_fire_in_real_time_and_can_set_themselves_again(void **state)
{
	struct kryos_ctx *ctx = new_ctx();
	struct ticker ticker = { .timer = { .fire = tick }, .ctx = ctx };
	struct ticker never = { .timer = { .fire = tick }, .ctx = ctx };

	(void)state;
	kri_timer_set(ctx, &ticker.timer, kri_boot_ns(ctx) + 1000000);
	kri_timer_set(ctx, &never.timer, kri_boot_ns(ctx) + 500000);
	kri_timer_cancel(ctx, &never.timer);
	assert_true(process_until(ctx, fired_thrice, &ticker, 5000));
	assert_int_equal(never.fired, 0);
	kryos_ctx_free(ctx);
}

static void stop_ends_run(void **state)
{
	struct kryos_ctx *ctx = new_ctx();

	(void)state;
	kryos_ctx_stop(ctx);
	assert_int_equal(kryos_ctx_run(ctx), 0);
	kryos_ctx_free(ctx);
}

static void closed(struct kri_object *object);
static struct kri_object objects[3];
static int closed_order[3], closed_count;

static void closed(struct kri_object *object)
{
	closed_order[closed_count++] = (int)(object - objects);
	kri_object_remove(object);
}

static void free_closes_newest_first(void **state)
{
	struct kryos_ctx *ctx = new_ctx();

	(void)state;
	closed_count = 0;
	for (int i = 0; i < 3; i++)
		kri_object_add(ctx, &objects[i], closed);
	closed(&objects[1]); /* closing earlier is allowed */
	kryos_ctx_free(ctx);
	assert_int_equal(closed_count, 3);
	assert_int_equal(closed_order[1], 2);
	assert_int_equal(closed_order[2], 0);
}

static int records;
static char last_message[256];
static void remember(void *userdata, const struct kryos_log_record *record)
{
	(void)userdata;
	records++;
	snprintf(last_message, sizeof(last_message), "%s: %s", record->module, record->message);
}

static void the_log_passes_what_is_severe_enough(void **state)
{
	struct kryos_ctx *ctx;

	(void)state;
	records = 0;
	assert_ok(kryos_ctx_new(&ctx, KRYOS_CTX_CONFIG(.log = remember)));
	kri_log(ctx, KRYOS_LOG_INFO, "test", 0, "quiet");
	assert_int_equal(records, 0);
	kri_log(ctx, KRYOS_LOG_WARNING, "test", 0, "loud %d", 7);
	assert_int_equal(records, 1);
	assert_string_equal(last_message, "test: loud 7");
	kryos_ctx_free(ctx);
}

static void a_result_is_explained_by_the_last_failure_or_in_general(void **state)
{
	(void)state;
	assert_int_equal(kryos_fail(-ENODEV, "fridge: nothing at %d", 7), -ENODEV);
	assert_string_equal(kryos_strerror(-ENODEV), "fridge: nothing at 7");
	assert_string_equal(kryos_strerror(-ENOENT), "No such file or directory");
	assert_string_equal(kryos_strerror(KRYOS_ECRC), "checksum mismatch");
	assert_string_equal(kryos_strerror(0), "success");
	/* A sentence may quote the one before it. */
	assert_int_equal(kryos_fail(-EIO, "outer: %s", kryos_strerror(-ENODEV)), -EIO);
	assert_string_equal(kryos_strerror(-EIO), "outer: fridge: nothing at 7");
}

static void values_and_times_are_written_exactly(void **state)
{
	char text[KRYOS_TEXT_MAX];
	int64_t micro = 7;

	(void)state;
	assert_string_equal(kryos_value_text(5250000, text), "5.25");
	assert_string_equal(kryos_value_text(-62500, text), "-0.0625");
	assert_string_equal(kryos_value_text(0, text), "0");
	assert_string_equal(kryos_value_text(-1000000, text), "-1");
	assert_string_equal(kryos_value_text(INT64_MIN, text), "-9223372036854.775808");
	assert_string_equal(kryos_time_text(INT64_C(1795165920000000000), text), "2026-11-20T09:12:00Z");
	assert_string_equal(kryos_time_text(INT64_C(1795165920250000000), text), "2026-11-20T09:12:00.25Z");
	assert_string_equal(kryos_time_text(-1, text), "1969-12-31T23:59:59.999999999Z");
	assert_string_equal(kri_second_text(INT64_C(1795165920999999999), text), "2026-11-20T09:12:00Z");
	assert_string_equal(kri_second_text(-1, text), "1969-12-31T23:59:59Z");
	assert_string_equal(kri_second_text(INT64_MIN, text), "1677-09-21T00:12:43Z");
	assert_ok(kryos_micro_from_double(-0.0625, &micro));
	assert_int_equal(micro, -62500);
	assert_fails(-ERANGE, kryos_micro_from_double(0.0 / 0.0, &micro));
	assert_fails(-ERANGE, kryos_micro_from_double(1e13, &micro));
	assert_int_equal(micro, -62500);
	for (int64_t i = -2000000; i < 2000000; i += 7) {
		assert_ok(kryos_micro_from_double(kryos_micro_to_double(i), &micro));
		assert_int_equal(micro, i);
	}
}

static void channels_keep_their_number_and_unit(void **state)
{
	struct kryos_ctx *ctx = new_ctx();
	uint32_t a, b, again;
	char name[32];

	(void)state;
	assert_ok(kryos_channel_add(ctx, "fridge.temperature", "Cel", &a));
	assert_ok(kryos_channel_add(ctx, "room.humidity", "%RH", &b));
	assert_ok(kryos_channel_add(ctx, "fridge.temperature", "Cel", &again));
	assert_int_equal(a, again);
	assert_int_not_equal(a, b);
	assert_string_equal(kryos_channel_name(ctx, b), "room.humidity");
	assert_string_equal(kryos_channel_unit(ctx, b), "%RH");
	assert_string_equal(kryos_channel_name(ctx, 77), "?");
	assert_fails(-EINVAL, kryos_channel_add(ctx, "fridge.temperature", "K", &again));
	assert_says(-EINVAL, "its unit is Cel, not K");
	assert_fails(-EINVAL, kryos_channel_add(ctx, "Fridge", "Cel", &again));
	assert_fails(-EINVAL, kryos_channel_add(ctx, "", "Cel", &again));
	for (int i = 2; i < 4096; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		assert_ok(kryos_channel_add(ctx, name, "V", &again));
	}
	assert_fails(-ENOSPC, kryos_channel_add(ctx, "one-too-many", "V", &again));
	kryos_ctx_free(ctx);
}

static void a_sample_is_printed_on_one_line_in_whole_seconds(void **state)
{
	struct kryos_ctx *ctx = new_ctx();
	struct kryos_sample sample = { .value_micro = 5250000,
		                       .t_wall_ns = INT64_C(1795165920472121689),
		                       .trust = KRYOS_TRUST_RTC };
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	assert_non_null(stream);
	assert_ok(kryos_channel_add(ctx, "fridge.temperature", "Cel", &sample.channel));
	kryos_sample_print(ctx, &sample, stream);
	sample.quality = KRYOS_QUALITY_ABSENT;
	kryos_sample_print(ctx, &sample, stream);
	assert_int_equal(fclose(stream), 0);
	assert_string_equal(text, "2026-11-20T09:12:00Z rtc  fridge.temperature  5.25 Cel  good\n"
	                          "2026-11-20T09:12:00Z rtc  fridge.temperature  absent\n");
	free(text);
	kryos_ctx_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(context_is_quiet_when_nothing_happens),
		cmocka_unit_test(bad_arguments_change_nothing),
		cmocka_unit_test(news_makes_the_descriptor_readable_and_keeps_its_strings),
		cmocka_unit_test(the_257th_event_drops_the_oldest_and_is_counted),
		cmocka_unit_test(a_context_is_refused_in_a_forked_child),
		cmocka_unit_test(timers_fire_in_real_time_and_can_set_themselves_again),
		cmocka_unit_test(stop_ends_run),
		cmocka_unit_test(free_closes_newest_first),
		cmocka_unit_test(the_log_passes_what_is_severe_enough),
		cmocka_unit_test(a_result_is_explained_by_the_last_failure_or_in_general),
		cmocka_unit_test(values_and_times_are_written_exactly),
		cmocka_unit_test(a_sample_is_printed_on_one_line_in_whole_seconds),
		cmocka_unit_test(channels_keep_their_number_and_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
