/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock of a context: made when first asked for. What time it is, is judged anew at each
 * question, from the live clocks and what was last heard of RTC and store; what changes with it
 * (events, listeners, the system clock) happens on the context thread, in refresh().
 *
 * What ends with the context (timer, RTC) is an object of it; the memory is the slot's, so that a
 * store closing later can still ask what time it is.
 */
#include "clock.h"
#include "rtc.h"
#include "trust.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_NS KRYOS_SECONDS(5) /* until the kernel is synchronised */
#define SYNCED_TICK_NS KRYOS_MINUTES(1)
#define READ_NS KRYOS_HOURS(1)
#define RETRY_NS KRYOS_MINUTES(1) /* after an RTC could not be read */
#define SET_NS KRYOS_DAYS(1)
#define WAIT_NS KRYOS_SECONDS(2)
#define LOOK_NS KRYOS_MILLISECONDS(100)
#define OFFSET_NS KRYOS_SECONDS(1) /* a correction of wall time worth telling */

/* 2200-01-01. What a damaged file has for a later stamp is no time, and a floor is never taken back. */
#define LATEST_NS (INT64_C(7258118400) * 1000000000)

struct clock {
	struct kryos_ctx *ctx;
	struct kri_object object;
	atomic_bool looked; /* for an RTC nobody named */
	atomic_uint told;   /* trust that all listeners know of */

	pthread_mutex_t lock; /* these */
	int64_t floor_ns, floor_boot_ns;
	bool has_rtc, rtc_implicit;
	struct kri_rtc_result rtc_result; /* the last one that was a reading, or why the first was none */

	/* Context thread. */
	bool ended;
	struct kri_rtc *rtc;
	struct kri_timer timer;
	struct kri_note note;
	struct kri_clock_listener *listeners, *fresh; /* fresh ones were told nothing yet */
	uint16_t trust;
	int64_t offset_ns;
	bool step_refused;
	bool setting;                      /* what the RTC was asked for last */
	int64_t next_read_ns, next_set_ns; /* on the context's clock */
};

static void refresh(struct clock *clock);
static void use_result(void *data, const struct kri_rtc_result *result);

static void judge(struct clock *clock, struct kri_clock_inputs *ret_inputs, struct kri_clock_verdict *ret_verdict)
{
	struct kri_clock_inputs in = { .synced = kri_clock_is_synced(clock->ctx) };

	pthread_mutex_lock(&clock->lock);
	in.has_rtc = clock->has_rtc;
	in.rtc_implicit = clock->rtc_implicit;
	in.rtc_stopped = clock->rtc_result.reading.stopped;
	in.rtc_wall_ns = clock->rtc_result.reading.t_wall_ns;
	in.rtc_boot_ns = clock->rtc_result.t_boot_ns;
	in.floor_ns = clock->floor_ns;
	in.floor_boot_ns = clock->floor_boot_ns;
	pthread_mutex_unlock(&clock->lock);
	/* In this order, close together: wall time minus boot time is the boot's offset. */
	in.t_boot_ns = kri_boot_ns(clock->ctx);
	in.t_system_ns = kri_wall_ns(clock->ctx);
	kri_clock_judge(&in, ret_verdict);
	*ret_inputs = in;
}

static void fire(struct kri_timer *timer)
{
	refresh(KRI_CONTAINER_OF(timer, struct clock, timer));
}

static void deliver(struct kri_note *note)
{
	refresh(KRI_CONTAINER_OF(note, struct clock, note));
}

static void end(struct kri_object *object)
{
	struct clock *clock = KRI_CONTAINER_OF(object, struct clock, object);

	kri_object_remove(object);
	clock->ended = true;
	kri_timer_cancel(clock->ctx, &clock->timer);
	kri_note_cancel(clock->ctx, &clock->note);
	kri_rtc_close(clock->rtc, kri_ctx_patience(clock->ctx, KRYOS_SECONDS(1)));
	clock->rtc = NULL;
}

static void destroy(void *state)
{
	struct clock *clock = state;

	pthread_mutex_destroy(&clock->lock);
	free(clock);
}

/* The context's clock, made if it is new; NULL: no memory. Any thread. */
static struct clock *clock_of(struct kryos_ctx *ctx)
{
	struct clock *clock = kri_slot_get(ctx, KRI_SLOT_CLOCK);

	if (clock)
		return clock;
	clock = calloc(1, sizeof(*clock));
	if (!clock)
		return NULL;
	clock->ctx = ctx;
	pthread_mutex_init(&clock->lock, NULL);
	clock->timer.fire = fire;
	clock->note.deliver = deliver;
	if (kri_slot_set(ctx, KRI_SLOT_CLOCK, clock, destroy) < 0) {
		destroy(clock);
		return kri_slot_get(ctx, KRI_SLOT_CLOCK);
	}
	kri_object_add(ctx, &clock->object, end);
	kri_note_post(ctx, &clock->note);
	return clock;
}

/*
 * A program that names no RTC (three lines for a first reading) still runs on a board that may have
 * one, from which the kernel took its time. It is asked once, and only confirms what the system clock
 * says. Injected clocks are not of this board.
 */
static void look_for_rtc(struct clock *clock)
{
	struct kri_rtc_result result = { .code = 0 };
	int64_t end_ns = kri_real_ns() + LOOK_NS, left_ns;
	struct kri_rtc *rtc = NULL;
	void *userdata;

	if (atomic_load(&clock->looked) || kri_clock_source(clock->ctx, &userdata) != &kri_system_clock ||
	    kri_clock_is_synced(clock->ctx) || atomic_exchange(&clock->looked, true))
		return;
	if (access("/sys/class/rtc/rtc0", F_OK) < 0 ||
	    kri_rtc_open(&rtc, clock->ctx, "rtc@/dev/rtc0", LOOK_NS, &result) < 0)
		return;
	left_ns = end_ns - kri_real_ns();
	kri_rtc_close(rtc, left_ns > 0 ? left_ns : 0);
	pthread_mutex_lock(&clock->lock);
	if (!clock->has_rtc && result.code >= 0) {
		clock->has_rtc = clock->rtc_implicit = true;
		clock->rtc_result = result;
	}
	pthread_mutex_unlock(&clock->lock);
}

int kryos_clock_now(struct kryos_ctx *ctx, struct kryos_time *ret_now)
{
	struct kri_clock_verdict verdict;
	struct kri_clock_inputs inputs;
	struct clock *clock;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_now)
		return kryos_fail(-EINVAL, "no place for the time given");
	clock = clock_of(ctx);
	if (!clock)
		return -ENOMEM;
	look_for_rtc(clock);
	judge(clock, &inputs, &verdict);
	*ret_now = (struct kryos_time){
		.t_boot_ns = inputs.t_boot_ns,
		.t_wall_ns = verdict.t_wall_ns,
		.trust = verdict.trust,
	};
	return 0;
}

/* Forward only, and judge() asks for it only where nobody else keeps the system clock. */
static void step(struct clock *clock, const struct kri_clock_inputs *inputs, const struct kri_clock_verdict *verdict)
{
	char text[KRYOS_TEXT_MAX], was[KRYOS_TEXT_MAX], said[100];
	void *userdata;
	const struct kryos_clock_source *source = kri_clock_source(clock->ctx, &userdata);
	int r = source->step ? source->step(userdata, verdict->step_ns) : -EPERM;

	if (r >= 0) {
		snprintf(said, sizeof(said), "set forward; was %s, now %s", kryos_time_text(inputs->t_system_ns, was),
		         kryos_time_text(verdict->step_ns, text));
		kri_event_push(clock->ctx, &(struct kryos_event){ .size = sizeof(struct kryos_event),
		                                                  .type = KRYOS_EVENT_CLOCK,
		                                                  .code = verdict->trust,
		                                                  .name = KRI_CLOCK_SYSTEM,
		                                                  .text = said,
		                                                  .value_ns = verdict->step_ns });
		kri_log(clock->ctx, KRYOS_LOG_NOTICE, "clock", 0,
		        "the system clock was %" PRId64 " s behind and is set forward to %s",
		        (verdict->step_ns - inputs->t_system_ns) / 1000000000, kri_second_text(verdict->step_ns, text));
		return;
	}
	if (!clock->step_refused)
		kri_log(clock->ctx, KRYOS_LOG_WARNING, "clock", r,
		        "the system clock is %" PRId64 " s behind and cannot be set (CAP_SYS_TIME): %s; TLS may find "
		        "certificates not yet valid",
		        (verdict->step_ns - inputs->t_system_ns) / 1000000000, strerror(-r));
	clock->step_refused = true;
}

static void tell(struct kri_clock_listener **list, uint16_t trust, int64_t offset_ns)
{
	struct kri_clock_listener *listener = *list;

	while (listener) {
		struct kri_clock_listener *next = listener->next; /* it may go away in its call */

		listener->changed(listener, trust, offset_ns);
		listener = next;
	}
}

static void publish(struct clock *clock, const struct kri_clock_verdict *verdict, int64_t offset_ns)
{
	struct kryos_event event = { .size = sizeof(event), .type = KRYOS_EVENT_CLOCK, .code = verdict->trust };
	int64_t moved_ns = offset_ns - clock->offset_ns;
	bool changed = verdict->trust != clock->trust;
	struct kri_clock_listener **tail;

	if (changed) {
		event.text = kryos_trust_name(verdict->trust);
		event.value_ns = verdict->t_wall_ns;
		kri_event_push(clock->ctx, &event);
		kri_log(clock->ctx, KRYOS_LOG_INFO, "clock", 0, "trust is now %s", event.text);
	}
	if (changed || moved_ns > OFFSET_NS || moved_ns < -OFFSET_NS) {
		clock->trust = verdict->trust;
		clock->offset_ns = offset_ns;
		tell(&clock->listeners, clock->trust, clock->offset_ns);
	}
	if (clock->fresh) {
		tell(&clock->fresh, clock->trust, clock->offset_ns);
		for (tail = &clock->listeners; *tail;)
			tail = &(*tail)->next;
		*tail = clock->fresh;
		clock->fresh = NULL;
	}
	atomic_store(&clock->told, clock->trust);
}

/* Reads the RTC every hour, sets it every day while the kernel is synchronised. */
static void keep_rtc(struct clock *clock, uint16_t trust)
{
	int64_t now_ns = kri_boot_ns(clock->ctx);
	bool set = trust == KRYOS_TRUST_SYNCED && now_ns >= clock->next_set_ns;

	if (!clock->rtc || (now_ns < clock->next_read_ns && !set))
		return;
	if (kri_rtc_post(clock->rtc, set, use_result, clock) < 0)
		return; /* still busy: at the next tick */
	clock->setting = set;
	clock->next_read_ns = now_ns + READ_NS;
	if (set)
		clock->next_set_ns = now_ns + SET_NS;
}

static void refresh(struct clock *clock)
{
	struct kri_clock_verdict verdict;
	struct kri_clock_inputs inputs;

	if (clock->ended)
		return;
	look_for_rtc(clock);
	judge(clock, &inputs, &verdict);
	if (verdict.step_ns) {
		step(clock, &inputs, &verdict);
		judge(clock, &inputs, &verdict);
	}
	publish(clock, &verdict, verdict.trust >= KRYOS_TRUST_RTC ? verdict.t_wall_ns - inputs.t_boot_ns : 0);
	if (clock->ended) /* by a listener */
		return;
	keep_rtc(clock, verdict.trust);
	kri_timer_set(clock->ctx, &clock->timer,
	              kri_boot_ns(clock->ctx) + (verdict.trust == KRYOS_TRUST_SYNCED ? SYNCED_TICK_NS : TICK_NS));
}

/* What the RTC's worker gave, on the context thread. */
static void use_result(void *data, const struct kri_rtc_result *result)
{
	struct clock *clock = data;

	if (result->code < 0) {
		kri_log(clock->ctx, KRYOS_LOG_WARNING, "clock", result->code, "%s", result->text);
		clock->next_read_ns = kri_boot_ns(clock->ctx) + RETRY_NS;
		/* A day without a set would leave a chip whose battery was changed distrusted for as long. */
		if (clock->setting)
			clock->next_set_ns = kri_boot_ns(clock->ctx) + READ_NS;
	}
	clock->setting = false;
	pthread_mutex_lock(&clock->lock);
	/* What was read before is as good as CLOCK_BOOTTIME since then; only a chip that holds no date takes it back.
	 */
	if (result->code >= 0 || result->code == KRYOS_ECRC) {
		clock->has_rtc = result->code >= 0;
		clock->rtc_implicit = false;
		clock->rtc_result = *result;
	}
	pthread_mutex_unlock(&clock->lock);
	refresh(clock);
}

void kri_clock_stop_rtc(struct kryos_ctx *ctx)
{
	struct clock *clock = kri_slot_get(ctx, KRI_SLOT_CLOCK);

	if (!clock || !clock->rtc)
		return;
	kri_rtc_close(clock->rtc, WAIT_NS);
	clock->rtc = NULL;
	pthread_mutex_lock(&clock->lock);
	clock->has_rtc = clock->rtc_implicit = false;
	clock->rtc_result = (struct kri_rtc_result){ .code = 0 };
	pthread_mutex_unlock(&clock->lock);
	/* From here on nobody names one. */
	atomic_store(&clock->looked, false);
	refresh(clock);
}

/* The RTC that was used until now stays, unless something else has its place by now. */
static int keep_old(struct clock *clock, int result)
{
	char text[512];

	snprintf(text, sizeof(text), "%s", kryos_strerror(result));
	if (kri_rtc_take(clock->rtc) < 0)
		kri_clock_stop_rtc(clock->ctx);
	return kryos_fail(result, "%s", text);
}

int kryos_clock_use_rtc(struct kryos_ctx *ctx, const char *device)
{
	struct kri_rtc_result result = { .code = 0 };
	struct kri_rtc *rtc = NULL;
	struct clock *clock;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	clock = clock_of(ctx);
	if (!clock)
		return -ENOMEM;
	/* The same chip may have moved behind a multiplexer, or to the bus itself. */
	kri_rtc_give_back(clock->rtc);
	r = kri_rtc_open(&rtc, ctx, device, WAIT_NS, &result);
	if (r < 0)
		return keep_old(clock, r);
	kri_rtc_close(clock->rtc, WAIT_NS);
	clock->rtc = rtc;
	clock->next_read_ns = kri_boot_ns(ctx) + READ_NS;
	clock->next_set_ns = 0;
	atomic_store(&clock->looked, true);
	use_result(clock, &result);
	return 0;
}

int kryos_clock_get_rtc(struct kryos_ctx *ctx, struct kryos_rtc_status *ret_status)
{
	struct kryos_rtc_status status = { .valid = 0 };
	struct kri_clock_verdict verdict;
	struct kri_clock_inputs inputs;
	struct kri_rtc_result result;
	struct clock *clock;
	uint32_t size;
	bool used;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_status || ret_status->size < sizeof(status.size))
		return kryos_fail(-EINVAL, "RTC status: size is not set");
	clock = clock_of(ctx);
	if (!clock)
		return -ENOMEM;
	judge(clock, &inputs, &verdict);
	pthread_mutex_lock(&clock->lock);
	result = clock->rtc_result;
	used = !clock->rtc_implicit && (clock->has_rtc || result.code < 0);
	pthread_mutex_unlock(&clock->lock);
	if (!used)
		return kryos_fail(-ENODEV, "clock: no RTC is used");
	status.size = ret_status->size;
	status.valid = verdict.rtc == KRI_RTC_GOOD;
	status.t_wall_ns = result.reading.t_wall_ns;
	status.t_boot_ns = result.t_boot_ns;
	status.temperature_micro_valid = result.reading.has_temperature;
	status.temperature_micro = result.reading.temperature_micro;
	status.aging = result.reading.aging;
	snprintf(status.text, sizeof(status.text), "%.*s", (int)sizeof(status.text) - 1,
	         result.code < 0 ? result.text : kri_rtc_state_text(verdict.rtc));
	size = ret_status->size < sizeof(status) ? ret_status->size : (uint32_t)sizeof(status);
	memcpy(ret_status, &status, size);
	return 0;
}

int kryos_clock_set_rtc(struct kryos_ctx *ctx)
{
	struct kri_rtc_result result = { .code = 0 };
	struct clock *clock;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	clock = clock_of(ctx);
	if (!clock)
		return -ENOMEM;
	if (!clock->rtc)
		return kryos_fail(-ENODEV, "clock: no RTC is used");
	if (!kri_clock_is_synced(ctx))
		return kryos_fail(KRYOS_ECLOCK, "%s: not set, because the system clock is not synchronised",
		                  kri_rtc_name(clock->rtc));
	r = kri_rtc_call(clock->rtc, true, WAIT_NS, &result);
	if (r < 0)
		return r;
	clock->next_set_ns = kri_boot_ns(ctx) + SET_NS;
	use_result(clock, &result);
	return 0;
}

void kri_clock_set_floor(struct kryos_ctx *ctx, int64_t t_wall_ns)
{
	struct clock *clock = clock_of(ctx);
	bool first;

	if (!clock || t_wall_ns > LATEST_NS)
		return;
	pthread_mutex_lock(&clock->lock);
	first = clock->floor_ns == 0;
	if (t_wall_ns > clock->floor_ns) {
		clock->floor_ns = t_wall_ns;
		clock->floor_boot_ns = kri_boot_ns(ctx);
	}
	pthread_mutex_unlock(&clock->lock);
	/* Only the first can change trust at once; the others are stamps this clock gave itself. */
	if (first)
		kri_note_post(ctx, &clock->note);
}

void kri_clock_listen(struct kryos_ctx *ctx, struct kri_clock_listener *listener)
{
	struct clock *clock = clock_of(ctx);

	if (!clock)
		return;
	listener->next = clock->fresh;
	clock->fresh = listener;
	kri_note_post(ctx, &clock->note);
}

void kri_clock_unlisten(struct kryos_ctx *ctx, struct kri_clock_listener *listener)
{
	struct clock *clock = kri_slot_get(ctx, KRI_SLOT_CLOCK);
	struct kri_clock_listener **lists[2];

	if (!clock)
		return;
	lists[0] = &clock->listeners;
	lists[1] = &clock->fresh;
	for (int i = 0; i < 2; i++)
		for (struct kri_clock_listener **at = lists[i]; *at; at = &(*at)->next)
			if (*at == listener) {
				*at = listener->next;
				listener->next = NULL;
				return;
			}
}

unsigned int kri_clock_trust(struct kryos_ctx *ctx)
{
	struct clock *clock = clock_of(ctx);
	struct kri_clock_verdict verdict;
	struct kri_clock_inputs inputs;
	unsigned int told;

	if (!clock)
		return KRYOS_TRUST_NONE;
	judge(clock, &inputs, &verdict);
	told = atomic_load(&clock->told);
	if (verdict.trust > told)
		kri_note_post(ctx, &clock->note);
	return verdict.trust < told ? verdict.trust : told;
}

void kri_clock_refresh(struct kryos_ctx *ctx)
{
	struct clock *clock = clock_of(ctx);

	if (clock)
		refresh(clock);
}
