/* SPDX-License-Identifier: Apache-2.0 */
#include "clock/clock.h"
#include "clock/trust.h"
#include "support.h"
#include <errno.h>
#include <kryos/sys/rtc.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <string.h>
#include <unistd.h>

#define S INT64_C(1000000000)
#define T (INT64_C(1763632800) * S) /* 2025-11-20T10:00:00Z */
#define YEAR_2000 (INT64_C(946684800) * S)

static void trust_follows_from_kernel_rtc_and_floor(void **state)
{
	static const struct {
		const char *what;
		struct kri_clock_inputs in;
		uint16_t trust;
		enum kri_rtc_state rtc;
		int64_t wall, step;
	} cases[] = {
		{ "nothing is known", { .t_system_ns = T }, KRYOS_TRUST_NONE, KRI_RTC_NONE, T, 0 },
		{ "the kernel is synchronised",
		  { .t_system_ns = T, .synced = true },
		  KRYOS_TRUST_SYNCED,
		  KRI_RTC_NONE,
		  T,
		  0 },
		{ "synchronised beats everything",
		  { .t_system_ns = T,
		    .synced = true,
		    .has_rtc = true,
		    .rtc_wall_ns = T + 90 * S,
		    .floor_ns = T + 80 * S },
		  KRYOS_TRUST_SYNCED,
		  KRI_RTC_GOOD,
		  T,
		  0 },
		{ "RTC and system agree: the system is finer",
		  { .t_system_ns = T + S / 2, .has_rtc = true, .rtc_wall_ns = T },
		  KRYOS_TRUST_RTC,
		  KRI_RTC_GOOD,
		  T + S / 2,
		  0 },
		{ "exactly 2 s behind is left",
		  { .t_system_ns = T, .has_rtc = true, .rtc_wall_ns = T + 2 * S },
		  KRYOS_TRUST_RTC,
		  KRI_RTC_GOOD,
		  T,
		  0 },
		{ "more than 2 s behind is stepped",
		  { .t_system_ns = T, .has_rtc = true, .rtc_wall_ns = T + 2 * S + 1 },
		  KRYOS_TRUST_RTC,
		  KRI_RTC_GOOD,
		  T + 2 * S + 1,
		  T + 2 * S + 1 },
		{ "ahead is never stepped back, but not believed",
		  { .t_system_ns = T + 3600 * S, .has_rtc = true, .rtc_wall_ns = T },
		  KRYOS_TRUST_RTC,
		  KRI_RTC_GOOD,
		  T,
		  0 },
		{ "a reading goes on with boot time",
		  { .t_boot_ns = 500 * S, .t_system_ns = 0, .has_rtc = true, .rtc_wall_ns = T, .rtc_boot_ns = 200 * S },
		  KRYOS_TRUST_RTC,
		  KRI_RTC_GOOD,
		  T + 300 * S,
		  T + 300 * S },
		{ "a stopped RTC is nothing",
		  { .t_system_ns = T, .has_rtc = true, .rtc_stopped = true, .rtc_wall_ns = T },
		  KRYOS_TRUST_NONE,
		  KRI_RTC_STOPPED,
		  T,
		  0 },
		{ "a stopped RTC leaves the floor",
		  { .t_system_ns = T, .has_rtc = true, .rtc_stopped = true, .rtc_wall_ns = T, .floor_ns = T - S },
		  KRYOS_TRUST_FLOOR,
		  KRI_RTC_STOPPED,
		  T,
		  0 },
		{ "an RTC that began anew is not believed even where the kernel took its time",
		  { .t_system_ns = YEAR_2000, .has_rtc = true, .rtc_wall_ns = YEAR_2000 },
		  KRYOS_TRUST_NONE,
		  KRI_RTC_IMPLAUSIBLE,
		  YEAR_2000,
		  0 },
		{ "an RTC behind the floor stood still",
		  { .t_system_ns = T, .has_rtc = true, .rtc_wall_ns = T, .floor_ns = T + 61 * S },
		  KRYOS_TRUST_FLOOR,
		  KRI_RTC_BEHIND,
		  T + 61 * S,
		  T + 61 * S },
		{ "an RTC a little behind the floor only ticks otherwise",
		  { .t_system_ns = T, .has_rtc = true, .rtc_wall_ns = T, .floor_ns = T + 60 * S },
		  KRYOS_TRUST_RTC,
		  KRI_RTC_GOOD,
		  T,
		  0 },
		{ "two crystals drift apart in a day",
		  { .t_boot_ns = 86400 * S,
		    .t_system_ns = T,
		    .has_rtc = true,
		    .rtc_wall_ns = T,
		    .rtc_boot_ns = 86400 * S,
		    .floor_ns = T - 86400 * S + 140 * S },
		  KRYOS_TRUST_RTC,
		  KRI_RTC_GOOD,
		  T,
		  0 },
		{ "but not that far",
		  { .t_boot_ns = 86400 * S,
		    .t_system_ns = T,
		    .has_rtc = true,
		    .rtc_wall_ns = T,
		    .rtc_boot_ns = 86400 * S,
		    .floor_ns = T - 86400 * S + 150 * S },
		  KRYOS_TRUST_FLOOR,
		  KRI_RTC_BEHIND,
		  T + 150 * S,
		  T + 150 * S },
		{ "the floor alone: the system is later",
		  { .t_system_ns = T, .floor_ns = T - 5 * S },
		  KRYOS_TRUST_FLOOR,
		  KRI_RTC_NONE,
		  T,
		  0 },
		{ "the floor alone: the system is a little behind",
		  { .t_system_ns = T, .floor_ns = T + S },
		  KRYOS_TRUST_FLOOR,
		  KRI_RTC_NONE,
		  T + S,
		  0 },
		{ "the floor alone: the system is in 1970",
		  { .t_system_ns = 7 * S, .floor_ns = T },
		  KRYOS_TRUST_FLOOR,
		  KRI_RTC_NONE,
		  T,
		  T },
		{ "the floor moves on with boot time",
		  { .t_boot_ns = 100 * S, .t_system_ns = 7 * S, .floor_ns = T, .floor_boot_ns = 40 * S },
		  KRYOS_TRUST_FLOOR,
		  KRI_RTC_NONE,
		  T + 60 * S,
		  T + 60 * S },
		{ "an RTC nobody named confirms the system clock",
		  { .t_system_ns = T + S, .has_rtc = true, .rtc_implicit = true, .rtc_wall_ns = T },
		  KRYOS_TRUST_RTC,
		  KRI_RTC_GOOD,
		  T + S,
		  0 },
		{ "an RTC nobody named decides nothing",
		  { .t_system_ns = T, .has_rtc = true, .rtc_implicit = true, .rtc_wall_ns = T + 60 * S },
		  KRYOS_TRUST_NONE,
		  KRI_RTC_DISAGREES,
		  T,
		  0 },
		{ "neither way",
		  { .t_system_ns = T, .has_rtc = true, .rtc_implicit = true, .rtc_wall_ns = T - 60 * S },
		  KRYOS_TRUST_NONE,
		  KRI_RTC_DISAGREES,
		  T,
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		struct kri_clock_verdict verdict;

		print_message("  %s\n", cases[i].what);
		memset(&verdict, 0xff, sizeof(verdict));
		kri_clock_judge(&cases[i].in, &verdict);
		assert_int_equal(verdict.trust, cases[i].trust);
		assert_int_equal(verdict.rtc, cases[i].rtc);
		assert_int_equal(verdict.t_wall_ns, cases[i].wall);
		assert_int_equal(verdict.step_ns, cases[i].step);
	}
}

static void the_system_clock_is_never_asked_to_go_back(void **state)
{
	uint64_t seed = seed_from_environment(1970);

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct kri_clock_inputs in = { .t_boot_ns = (int64_t)(next_random(&seed) % (uint64_t)(86400 * S)) };
		struct kri_clock_verdict verdict;
		uint64_t bits = next_random(&seed);

		in.t_system_ns = T + (int64_t)(next_random(&seed) % (uint64_t)(1000 * S)) - 500 * S;
		in.rtc_wall_ns = T + (int64_t)(next_random(&seed) % (uint64_t)(1000 * S)) - 500 * S;
		in.floor_ns = bits & 1 ? T + (int64_t)(next_random(&seed) % (uint64_t)(1000 * S)) - 500 * S : 0;
		in.rtc_boot_ns = in.floor_boot_ns = in.t_boot_ns;
		in.synced = (bits & 6) == 6;
		in.has_rtc = bits & 8;
		in.rtc_stopped = (bits & 48) == 48;
		in.rtc_implicit = bits & 64;
		kri_clock_judge(&in, &verdict);
		if (verdict.step_ns) {
			assert_true(verdict.step_ns > in.t_system_ns + 2 * S);
			assert_int_equal(verdict.t_wall_ns, verdict.step_ns);
			assert_false(in.synced);
		}
		if (verdict.trust == KRYOS_TRUST_FLOOR)
			assert_true(verdict.t_wall_ns >= in.floor_ns);
	}
}

struct board {
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *bus;
	struct kryos_model *chip;
	struct kryos_ctx *ctx;
	int warnings, notices;
	int64_t rtc_ahead_ns; /* of the fake clock's boot time */
	struct kri_clock_listener listener;
	unsigned int told;
	uint16_t trust;
	int64_t offset_ns;
};

static void count_log(void *userdata, const struct kryos_log_record *record)
{
	struct board *board = userdata;

	if (record->level <= KRYOS_LOG_WARNING)
		__atomic_fetch_add(&board->warnings, 1, __ATOMIC_SEQ_CST);
	else if (record->level == KRYOS_LOG_NOTICE)
		__atomic_fetch_add(&board->notices, 1, __ATOMIC_SEQ_CST);
}

static void changed(struct kri_clock_listener *listener, uint16_t trust, int64_t offset_ns)
{
	struct board *board = KRI_CONTAINER_OF(listener, struct board, listener);

	board->told++;
	board->trust = trust;
	board->offset_ns = offset_ns;
}

static int64_t rtc_now(void *userdata)
{
	struct board *board = userdata;

	return kryos_fake_clock_boot_ns(board->clock) + board->rtc_ahead_ns;
}

/* A board whose system clock says system_ns, and whose DS3231 says rtc_ns if that is not 0. */
static void start(struct board *board, int64_t system_ns, int64_t rtc_ns)
{
	memset(board, 0, sizeof(*board));
	assert_ok(kryos_fake_clock_new(&board->clock, system_ns));
	board->listener.changed = changed;
	assert_ok(kryos_fake_bus_new(&board->bus, "i2c-1"));
	if (rtc_ns) {
		assert_ok(kryos_fake_bus_add_ds3231(board->bus, "0x68", &board->chip));
		board->rtc_ahead_ns = rtc_ns - kryos_fake_clock_boot_ns(board->clock);
		kryos_model_set_clock(board->chip, rtc_now, board);
		assert_ok(kryos_model_poke(board->chip, 0x0f, 0x00)); /* its battery has kept it */
	}
	assert_ok(kryos_ctx_new(&board->ctx,
	                        KRYOS_CTX_CONFIG(.log = count_log, .log_userdata = board,
	                                         .clock = kryos_fake_clock_source(), .clock_userdata = board->clock)));
	assert_ok(kryos_fake_bus_attach(board->bus, board->ctx));
}

static void dispose(struct board *board)
{
	kryos_ctx_free(board->ctx);
	kryos_fake_bus_free(board->bus);
	kryos_fake_clock_free(board->clock);
}

static struct kryos_time now(struct board *board)
{
	struct kryos_time time = { .trust = 99 };

	assert_ok(kryos_clock_now(board->ctx, &time));
	assert_int_equal(time.t_boot_ns, kryos_fake_clock_boot_ns(board->clock));
	return time;
}

static struct kryos_rtc_status rtc_of(struct board *board)
{
	struct kryos_rtc_status status = { .size = sizeof(status) };

	assert_ok(kryos_clock_get_rtc(board->ctx, &status));
	return status;
}

/* Takes every event and gives how many of the clock's there were; *ret_last is the trust of the last. */
static int clock_events(struct board *board, int *ret_last)
{
	const struct kryos_event *event = NULL;
	int count = 0;

	assert_ok(kryos_ctx_process(board->ctx));
	while (kryos_ctx_next_event(board->ctx, &event) > 0)
		if (event->type == KRYOS_EVENT_CLOCK && strcmp(event->name, "system clock") == 0) {
			/* A step tells what the time was and what it is. */
			assert_memory_equal(event->text, "set forward; was ", 17);
			assert_non_null(strstr(event->text, ", now 20"));
		} else if (event->type == KRYOS_EVENT_CLOCK) {
			count++;
			*ret_last = event->code;
			assert_string_equal(event->text, kryos_trust_name((unsigned int)event->code));
		}
	return count;
}

static void time_is_known_before_there_is_any_rtc_or_store(void **state)
{
	struct kryos_rtc_status status = { .size = sizeof(status) };
	struct board board;
	int last = -1;

	(void)state;
	start(&board, T, 0);
	assert_int_equal(now(&board).trust, KRYOS_TRUST_NONE);
	assert_int_equal(now(&board).t_wall_ns, T);
	assert_fails(-ENODEV, kryos_clock_get_rtc(board.ctx, &status));
	assert_fails(-ENODEV, kryos_clock_set_rtc(board.ctx));
	assert_int_equal(clock_events(&board, &last), 0);
	kryos_fake_clock_set_synced(board.clock, 1);
	assert_int_equal(now(&board).trust, KRYOS_TRUST_SYNCED);
	dispose(&board);
}

static void the_systems_own_clock_works_without_any_setup(void **state)
{
	struct kryos_time first, second;
	struct kryos_ctx *ctx = NULL;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_clock_now(ctx, &first));
	assert_ok(kryos_clock_now(ctx, &second));
	assert_true(second.t_boot_ns >= first.t_boot_ns);
	assert_true(first.t_wall_ns > INT64_C(1577836800) * S);
	assert_true(first.trust == KRYOS_TRUST_NONE || first.trust == KRYOS_TRUST_RTC ||
	            first.trust == KRYOS_TRUST_SYNCED);
	assert_fails(-EINVAL, kryos_clock_now(ctx, NULL));
	assert_fails(-EINVAL, kryos_clock_now(NULL, &first));
	kryos_ctx_free(ctx);
}

static void trust_rises_with_an_event_and_the_boots_offset(void **state)
{
	struct board board;
	int last = -1;

	(void)state;
	start(&board, T, 0);
	kri_clock_listen(board.ctx, &board.listener);
	assert_int_equal(clock_events(&board, &last), 0);
	assert_int_equal(board.told, 1); /* a new listener hears how it stands */
	assert_int_equal(board.trust, KRYOS_TRUST_NONE);
	assert_int_equal(board.offset_ns, 0);

	kri_clock_set_floor(board.ctx, T - 60 * S);
	assert_int_equal(clock_events(&board, &last), 1);
	assert_int_equal(last, KRYOS_TRUST_FLOOR);
	assert_int_equal(board.told, 2);
	assert_int_equal(board.offset_ns, 0);

	/* Nothing is noticed before the next tick, then once. */
	kryos_fake_clock_set_synced(board.clock, 1);
	kryos_fake_clock_set_wall(board.clock, T + 3 * S);
	kryos_fake_clock_advance(board.clock, 5 * S);
	assert_int_equal(clock_events(&board, &last), 1);
	assert_int_equal(last, KRYOS_TRUST_SYNCED);
	assert_int_equal(board.told, 3);
	assert_int_equal(board.trust, KRYOS_TRUST_SYNCED);
	assert_int_equal(board.offset_ns, T + 8 * S - 15 * S);
	kryos_fake_clock_advance(board.clock, KRYOS_MINUTES(1));
	assert_int_equal(clock_events(&board, &last), 0);
	assert_int_equal(board.told, 3);

	/* chrony slews less than a second: not worth a correction. A step is. */
	kryos_fake_clock_set_wall(board.clock, kryos_fake_clock_wall_ns(board.clock) + S);
	kri_clock_refresh(board.ctx);
	assert_int_equal(board.told, 3);
	kryos_fake_clock_set_wall(board.clock, kryos_fake_clock_wall_ns(board.clock) + 1);
	kri_clock_refresh(board.ctx);
	assert_int_equal(board.told, 4);
	assert_int_equal(board.offset_ns, T - 7 * S + S + 1);
	assert_int_equal(clock_events(&board, &last), 0);

	kryos_fake_clock_set_synced(board.clock, 0);
	kri_clock_refresh(board.ctx);
	assert_int_equal(clock_events(&board, &last), 1);
	assert_int_equal(last, KRYOS_TRUST_FLOOR);
	assert_int_equal(board.offset_ns, 0);
	kri_clock_unlisten(board.ctx, &board.listener);
	kryos_fake_clock_set_synced(board.clock, 1);
	kri_clock_refresh(board.ctx);
	assert_int_equal(board.told, 5);
	dispose(&board);
}

/* Who sends what is stored must not be ahead of the store: it learns the offset first, and does not wait for a tick. */
static void trust_that_others_ask_for_is_what_listeners_know(void **state)
{
	struct board board;
	int last = -1;

	(void)state;
	start(&board, T, 0);
	kri_clock_listen(board.ctx, &board.listener);
	assert_int_equal(clock_events(&board, &last), 0);
	assert_int_equal(kri_clock_trust(board.ctx), KRYOS_TRUST_NONE);

	kryos_fake_clock_set_synced(board.clock, 1);
	assert_int_equal(clock_events(&board, &last), 0); /* no tick, and nobody asked */
	assert_int_equal(kri_clock_trust(board.ctx), KRYOS_TRUST_NONE);
	assert_int_equal(board.trust, KRYOS_TRUST_NONE);
	assert_int_equal(clock_events(&board, &last), 1);
	assert_int_equal(board.trust, KRYOS_TRUST_SYNCED);
	assert_int_equal(kri_clock_trust(board.ctx), KRYOS_TRUST_SYNCED);

	kryos_fake_clock_set_synced(board.clock, 0); /* what is no longer so needs no telling */
	assert_int_equal(kri_clock_trust(board.ctx), KRYOS_TRUST_NONE);
	kri_clock_unlisten(board.ctx, &board.listener);
	dispose(&board);
}

static void an_rtc_that_kept_time_is_trusted_and_the_system_clock_stepped(void **state)
{
	struct kryos_rtc_status status;
	struct board board;
	int last = -1;

	(void)state;
	start(&board, 0, T);
	assert_ok(kryos_model_set(board.chip, "temperature", -10250000));
	assert_ok(kryos_model_poke(board.chip, 0x10, 0xfb));
	kri_clock_listen(board.ctx, &board.listener);
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_int_equal(kryos_fake_clock_wall_ns(board.clock), T);
	assert_int_equal(board.notices, 1);
	assert_int_equal(now(&board).trust, KRYOS_TRUST_RTC);
	assert_int_equal(now(&board).t_wall_ns, T);
	assert_int_equal(clock_events(&board, &last), 1);
	assert_int_equal(last, KRYOS_TRUST_RTC);
	assert_int_equal(board.offset_ns, T - 10 * S);
	status = rtc_of(&board);
	assert_int_equal(status.valid, 1);
	assert_int_equal(status.t_wall_ns, T);
	assert_int_equal(status.t_boot_ns, 10 * S);
	assert_int_equal(status.temperature_micro_valid, 1);
	assert_int_equal(status.temperature_micro, -10250000);
	assert_int_equal(status.aging, -5);
	assert_string_equal(status.text, "battery has kept it");
	assert_int_equal(board.warnings, 0);
	dispose(&board);
}

static void a_refused_step_is_warned_of_once_and_time_is_right_all_the_same(void **state)
{
	struct board board;

	(void)state;
	start(&board, 0, T);
	kryos_fake_clock_refuse_step(board.clock, 1);
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	for (int i = 0; i < 20; i++) {
		kryos_fake_clock_advance(board.clock, 5 * S);
		assert_ok(kryos_ctx_process(board.ctx));
	}
	assert_int_equal(board.warnings, 1);
	assert_int_equal(kryos_fake_clock_wall_ns(board.clock), 100 * S);
	assert_int_equal(now(&board).trust, KRYOS_TRUST_RTC);
	assert_int_equal(now(&board).t_wall_ns, T + 100 * S);
	dispose(&board);
}

static void an_rtc_that_lies_is_used_at_no_trust_and_says_why(void **state)
{
	struct board board;

	(void)state;
	start(&board, T, T);
	assert_ok(kryos_model_poke(board.chip, 0x0f, 0x80));
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_int_equal(now(&board).trust, KRYOS_TRUST_NONE);
	assert_int_equal(rtc_of(&board).valid, 0);
	assert_non_null(strstr(rtc_of(&board).text, "oscillator was stopped"));
	dispose(&board);

	start(&board, T, T);
	kri_clock_set_floor(board.ctx, T + KRYOS_DAYS(3));
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_int_equal(now(&board).trust, KRYOS_TRUST_FLOOR);
	assert_int_equal(now(&board).t_wall_ns, T + KRYOS_DAYS(3));
	assert_non_null(strstr(rtc_of(&board).text, "behind the newest stored time"));
	dispose(&board);

	start(&board, YEAR_2000, YEAR_2000);
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_int_equal(now(&board).trust, KRYOS_TRUST_NONE);
	assert_non_null(strstr(rtc_of(&board).text, "before 2020"));
	dispose(&board);

	start(&board, T, T);
	assert_ok(kryos_model_poke(board.chip, 0x05, 0x13)); /* month 13 */
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_int_equal(now(&board).trust, KRYOS_TRUST_NONE);
	assert_int_equal(rtc_of(&board).valid, 0);
	assert_non_null(strstr(rtc_of(&board).text, "hold no date"));
	dispose(&board);
}

static void an_rtc_that_is_not_there_or_malformed_is_an_error_and_changes_nothing(void **state)
{
	struct board board;

	(void)state;
	start(&board, T, 0);
	assert_fails(-ENODEV, kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_says(-ENODEV, "ds3231@i2c-1:0x68");
	assert_fails(KRYOS_EDEVICE, kryos_clock_use_rtc(board.ctx, "ds3231"));
	assert_fails(KRYOS_EDEVICE, kryos_clock_use_rtc(board.ctx, "ds1307@i2c-1:0x68"));
	assert_says(KRYOS_EDEVICE, "no RTC driver ds1307; there are: ds3231, rtc");
	assert_fails(KRYOS_EDEVICE, kryos_clock_use_rtc(board.ctx, "rtc@i2c-1:0x68"));
	assert_says(KRYOS_EDEVICE, "rtc@/dev/rtc0");
	assert_fails(-ENODEV, kryos_clock_use_rtc(board.ctx, "rtc@/dev/rtc77"));
	assert_says(-ENODEV, "/dev/rtc77");
	assert_int_equal(now(&board).trust, KRYOS_TRUST_NONE);
	assert_fails(-ENODEV, kryos_clock_get_rtc(board.ctx, &(struct kryos_rtc_status){ .size = 200 }));
	assert_fails(-EINVAL, kryos_clock_get_rtc(board.ctx, &(struct kryos_rtc_status){ .size = 0 }));
	dispose(&board);
}

static bool rtc_was_read_again(void *data)
{
	struct board *board = data;

	return rtc_of(board).t_boot_ns > 10 * S;
}

static void the_rtc_is_read_again_every_hour_and_believed_when_it_was_corrected(void **state)
{
	struct board board;

	(void)state;
	start(&board, T, T);
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	kryos_fake_clock_advance(board.clock, KRYOS_HOURS(1) - S);
	process_for(board.ctx, 30);
	assert_int_equal(rtc_of(&board).t_boot_ns, 10 * S);
	kryos_fake_clock_advance(board.clock, 6 * S);
	assert_true(process_until(board.ctx, rtc_was_read_again, &board, 2000));
	assert_int_equal(rtc_of(&board).t_wall_ns, T + KRYOS_HOURS(1) + 5 * S);
	dispose(&board);
}

static void a_chip_that_fell_silent_leaves_what_it_said_and_is_asked_again(void **state)
{
	struct board board;

	(void)state;
	start(&board, T, T);
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	kryos_model_set_present(board.chip, 0);
	kryos_fake_clock_advance(board.clock, KRYOS_HOURS(1));
	process_for(board.ctx, 100);
	assert_int_equal(board.warnings, 1);
	assert_int_equal(now(&board).trust, KRYOS_TRUST_RTC);
	assert_int_equal(now(&board).t_wall_ns, T + KRYOS_HOURS(1));
	/* Plugged in again it has lost its power, and says so. */
	kryos_model_set_present(board.chip, 1);
	kryos_fake_clock_advance(board.clock, KRYOS_MINUTES(2));
	assert_true(process_until(board.ctx, rtc_was_read_again, &board, 2000));
	assert_int_equal(now(&board).trust, KRYOS_TRUST_NONE);
	dispose(&board);
}

static bool rtc_is_good(void *data)
{
	return rtc_of(data).valid;
}

static void the_rtc_is_set_from_a_synchronised_clock_only_and_by_itself_once_a_day(void **state)
{
	struct board board;

	(void)state;
	start(&board, T, YEAR_2000);
	assert_ok(kryos_model_poke(board.chip, 0x0f, 0x88));
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_fails(KRYOS_ECLOCK, kryos_clock_set_rtc(board.ctx));
	assert_says(KRYOS_ECLOCK, "not synchronised");
	assert_int_equal(rtc_of(&board).valid, 0);

	kryos_fake_clock_set_synced(board.clock, 1);
	kryos_fake_clock_set_wall(board.clock, T + S / 2); /* rounds up */
	assert_ok(kryos_clock_set_rtc(board.ctx));
	assert_int_equal(rtc_of(&board).valid, 1);
	assert_int_equal(rtc_of(&board).t_wall_ns, T + S);
	assert_int_equal(kryos_model_peek(board.chip, 0x0f), 0x08); /* the stop flag is cleared, the rest is left */

	/* It stops; the daily setting heals it, each day. */
	for (int day = 0; day < 2; day++) {
		assert_ok(kryos_model_poke(board.chip, 0x0f, 0x88));
		kryos_fake_clock_advance(board.clock, KRYOS_HOURS(23));
		process_for(board.ctx, 50);
		assert_int_equal(rtc_of(&board).valid, 0);
		kryos_fake_clock_advance(board.clock, KRYOS_HOURS(1) + KRYOS_MINUTES(1));
		assert_true(process_until(board.ctx, rtc_is_good, &board, 2000));
	}
	dispose(&board);
}

static void a_daily_setting_that_fails_is_made_up_for_within_the_hour(void **state)
{
	struct board board;

	(void)state;
	start(&board, T, T);
	kryos_fake_clock_set_synced(board.clock, 1);
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	process_for(board.ctx, 50);
	assert_ok(kryos_model_poke(board.chip, 0x0f, 0x88));
	kryos_fake_bus_plan(board.bus, KRYOS_FAULT_EIO, 0, -1);
	kryos_fake_clock_advance(board.clock, KRYOS_HOURS(24) + KRYOS_MINUTES(1));
	process_for(board.ctx, 100);
	kryos_fake_bus_plan(board.bus, KRYOS_FAULT_NONE, 0, 0);
	kryos_fake_clock_advance(board.clock, KRYOS_MINUTES(2));
	process_for(board.ctx, 50);
	assert_int_equal(rtc_of(&board).valid, 0);
	kryos_fake_clock_advance(board.clock, KRYOS_HOURS(1));
	assert_true(process_until(board.ctx, rtc_is_good, &board, 2000));
	dispose(&board);
}

static void a_bus_that_hangs_is_not_waited_for_without_limit(void **state)
{
	struct board board;
	int64_t begin = kri_real_ns();

	(void)state;
	start(&board, T, T);
	kryos_fake_bus_plan(board.bus, KRYOS_FAULT_HANG, 0, -1);
	assert_fails(-ETIMEDOUT, kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_in_range(kri_real_ns() - begin, 1900 * INT64_C(1000000), 4000 * INT64_C(1000000));
	assert_int_equal(now(&board).trust, KRYOS_TRUST_NONE);
	kryos_fake_bus_plan(board.bus, KRYOS_FAULT_NONE, 0, 0);
	dispose(&board);
}

static atomic_int slow_opens, slow_closes;

static int slow_open(void *priv, struct kryos_dev *dev, const char *path)
{
	(void)priv;
	(void)dev;
	(void)path;
	usleep(2300000);
	atomic_fetch_add(&slow_opens, 1);
	return 0;
}

static void slow_close(void *priv, struct kryos_dev *dev)
{
	(void)priv;
	(void)dev;
	atomic_fetch_add(&slow_closes, 1);
}

static int slow_read(void *priv, struct kryos_dev *dev, struct kryos_rtc_reading *ret_reading)
{
	(void)priv;
	(void)dev;
	*ret_reading = (struct kryos_rtc_reading){ .t_wall_ns = T };
	return 0;
}

static int slow_set(void *priv, struct kryos_dev *dev, int64_t t_wall_ns)
{
	(void)priv;
	(void)dev;
	(void)t_wall_ns;
	return -EIO;
}

static void a_node_that_answers_after_it_was_given_up_is_closed(void **state)
{
	static const struct kryos_rtc_driver driver = { .size = sizeof(driver),
		                                        .name = "slow",
		                                        .open = slow_open,
		                                        .close = slow_close,
		                                        .read = slow_read,
		                                        .set = slow_set };
	struct board board;

	(void)state;
	start(&board, T, T);
	assert_ok(kryos_register_rtc(board.ctx, &driver));
	assert_fails(-ETIMEDOUT, kryos_clock_use_rtc(board.ctx, "slow@/dev/rtc-slow"));
	for (int i = 0; i < 3000 && !atomic_load(&slow_closes); i++)
		usleep(1000);
	assert_int_equal(slow_opens, 1);
	assert_int_equal(slow_closes, 1);
	dispose(&board);
}

static void an_rtc_can_be_exchanged_for_another(void **state)
{
	struct kryos_model *second = NULL;
	struct board board;

	(void)state;
	start(&board, T, T);
	assert_ok(kryos_fake_bus_add_ds3231(board.bus, "0x69", &second));
	kryos_model_set_clock(second, rtc_now, &board); /* its stop flag is set */
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_int_equal(rtc_of(&board).valid, 1);
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x69"));
	assert_int_equal(rtc_of(&board).valid, 0);
	assert_fails(-ENODEV, kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x6a"));
	assert_int_equal(rtc_of(&board).valid, 0); /* the one before stays */
	assert_ok(kryos_clock_use_rtc(board.ctx, "ds3231@i2c-1:0x68"));
	assert_int_equal(now(&board).trust, KRYOS_TRUST_RTC);
	dispose(&board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trust_follows_from_kernel_rtc_and_floor),
		cmocka_unit_test(the_system_clock_is_never_asked_to_go_back),
		cmocka_unit_test(time_is_known_before_there_is_any_rtc_or_store),
		cmocka_unit_test(the_systems_own_clock_works_without_any_setup),
		cmocka_unit_test(trust_rises_with_an_event_and_the_boots_offset),
		cmocka_unit_test(trust_that_others_ask_for_is_what_listeners_know),
		cmocka_unit_test(an_rtc_that_kept_time_is_trusted_and_the_system_clock_stepped),
		cmocka_unit_test(a_refused_step_is_warned_of_once_and_time_is_right_all_the_same),
		cmocka_unit_test(an_rtc_that_lies_is_used_at_no_trust_and_says_why),
		cmocka_unit_test(an_rtc_that_is_not_there_or_malformed_is_an_error_and_changes_nothing),
		cmocka_unit_test(the_rtc_is_read_again_every_hour_and_believed_when_it_was_corrected),
		cmocka_unit_test(a_chip_that_fell_silent_leaves_what_it_said_and_is_asked_again),
		cmocka_unit_test(the_rtc_is_set_from_a_synchronised_clock_only_and_by_itself_once_a_day),
		cmocka_unit_test(a_daily_setting_that_fails_is_made_up_for_within_the_hour),
		cmocka_unit_test(a_bus_that_hangs_is_not_waited_for_without_limit),
		cmocka_unit_test(a_node_that_answers_after_it_was_given_up_is_closed),
		cmocka_unit_test(an_rtc_can_be_exchanged_for_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
