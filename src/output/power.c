/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power of sensors: an output that is on, and is switched off and on where one of them asks for it.
 *
 *     RISING --driven--> SETTLING --settle--> ON --asked--> DRAINING --nobody measures, or 5 s--> FALLING
 *       ^                                                                                            |
 *       +------------------------------- off_ns ------------------------------- OFF <-----driven-----+
 *
 * A line that is lost makes it RISING in any state but the last two: taking it anew switches it off for a moment.
 * Nobody begins to measure but in ON. The limit of DRAINING is for a bus that hangs, which is what a cut may be needed
 * for.
 */
#include "../sensor/sensor.h"
#include "output.h"
#include <kryos/power.h>
#include <kryos/sensor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DRAIN_NS KRYOS_SECONDS(5)

enum state { RISING, SETTLING, ON, DRAINING, FALLING, OFF };

struct kryos_power {
	struct kri_rail rail;     /* what its sensors hold; first */
	struct kri_object object; /* of a public one; a station owns its own */
	struct kryos_ctx *ctx;
	struct kryos_power_config config;
	struct kryos_output *output;
	struct kri_note note;

	/* Context thread only. */
	enum state state;
	struct kri_timer timer;
	int64_t cycled_ns; /* 0: never */
	uint32_t cycles;
	bool closed;
	int code; /* why it is cycled */
	char text[256];
};

static void enter(struct kryos_power *power, enum state state, int64_t wait_ns)
{
	power->state = state;
	kri_timer_cancel(power->ctx, &power->timer);
	/* Who measures is waited for in real time: simulated time may jump meanwhile. */
	power->timer.real = state == DRAINING;
	if (wait_ns)
		kri_timer_set(power->ctx, &power->timer,
		              (power->timer.real ? kri_real_ns() : kri_boot_ns(power->ctx)) + wait_ns);
}

static void become_on(struct kryos_power *power)
{
	enter(power, ON, 0);
	kri_rail_set(&power->rail, true, false);
	kri_rail_look(&power->rail);
}

static void tell(struct kryos_power *power)
{
	struct kryos_event event = {
		.size = sizeof(event), .type = KRYOS_EVENT_RECOVERY, .code = power->code, .name = power->rail.name
	};
	char text[400];

	snprintf(text, sizeof(text), "switched off for %lld ms because of %s",
	         (long long)(power->config.off_ns / KRYOS_MILLISECONDS(1)), power->text);
	event.text = text;
	kri_log(power->ctx, KRYOS_LOG_WARNING, "power", power->code, "%s: %s", power->rail.name, text);
	kri_event_push(power->ctx, &event);
}

static void cut(struct kryos_power *power)
{
	enter(power, FALLING, 0);
	power->cycled_ns = kri_boot_ns(power->ctx);
	power->cycles++;
	/* Whoever still measures has nothing to measure with from here. */
	kri_rail_set(&power->rail, false, true);
	tell(power);
	/* Fails only in a child after fork, where it is not ours. */
	(void)!kryos_output_set(power->output, 0);
}

static void on_timer(struct kri_timer *timer)
{
	struct kryos_power *power = KRI_CONTAINER_OF(timer, struct kryos_power, timer);

	if (power->state == SETTLING) {
		become_on(power);
	} else if (power->state == DRAINING) {
		cut(power);
	} else if (power->state == OFF) {
		enter(power, RISING, 0);
		(void)!kryos_output_set(power->output, 1);
	}
}

/* The line is as it was driven last; driven -1: it is lost. */
static void on_driven(void *data, int driven)
{
	struct kryos_power *power = data;

	if (power->state == FALLING && driven == 0) {
		enter(power, OFF, power->config.off_ns);
	} else if (power->state == RISING && driven == 1) {
		enter(power, SETTLING, power->config.settle_ns);
	} else if (driven < 0 && power->state != FALLING && power->state != OFF) {
		enter(power, RISING, 0);
		kri_rail_set(&power->rail, false, true);
	}
}

static bool may_cycle(const struct kryos_power *power)
{
	return !power->cycled_ns || kri_boot_ns(power->ctx) - power->cycled_ns >= power->config.again_ns;
}

/* A sensor asks for a cycle, or the last one that measured has done so. */
static void on_note(struct kri_note *note)
{
	struct kryos_power *power = KRI_CONTAINER_OF(note, struct kryos_power, note);
	char text[256];
	int code;

	if (power->closed)
		return;
	/* One that may not be yet is forgotten: who still fails then asks again. */
	if (kri_rail_is_asked(&power->rail, &code, text) && power->state == ON && may_cycle(power)) {
		power->code = code;
		snprintf(power->text, sizeof(power->text), "%s", text);
		kri_rail_set(&power->rail, false, false);
		enter(power, DRAINING, DRAIN_NS);
	}
	if (power->state == DRAINING && !kri_rail_is_used(&power->rail))
		cut(power);
}

/* Under the rail's lock. */
static void wake(struct kri_rail *rail)
{
	struct kryos_power *power = (struct kryos_power *)rail;

	kri_note_post(power->ctx, &power->note);
}

static void release(struct kri_rail *rail)
{
	struct kryos_power *power = (struct kryos_power *)rail;

	kri_ctx_unref(power->ctx);
	free(power);
}

static int configure(struct kryos_power *power, const struct kryos_power_config *config)
{
	struct kryos_power_config *own = &power->config;
	int r = kri_config_copy(own, sizeof(*own), config);

	if (r >= 0)
		r = kri_config_number(&own->off_ns, KRI_ID_POWER_OFF_NS, "power: off_ns");
	if (r >= 0)
		r = kri_config_number(&own->settle_ns, KRI_ID_POWER_SETTLE_NS, "power: settle_ns");
	if (r >= 0)
		r = kri_config_number(&own->again_ns, KRI_ID_POWER_AGAIN_NS, "power: again_ns");
	if (r >= 0 && own->active_low > 1)
		r = kryos_fail(-EINVAL, "power: active_low is 0 or 1");
	return r;
}

static int power_new(struct kryos_power **ret_power, struct kryos_ctx *ctx, const char *name, const char *device,
                     const struct kryos_power_config *config, bool lazily)
{
	struct kryos_power *power = calloc(1, sizeof(*power));
	int r;

	if (!power)
		return -ENOMEM;
	kri_rail_init(&power->rail, name ? name : "");
	power->rail.wake = wake;
	power->rail.release = release;
	power->ctx = kri_ctx_ref(ctx);
	power->timer.fire = on_timer;
	power->note.deliver = on_note;
	r = configure(power, config);
	if (r >= 0)
		r = kri_output_new_switch(&power->output, ctx, name, device,
		                          KRYOS_LINE_CONFIG(.active_low = power->config.active_low), lazily, on_driven,
		                          power);
	if (r < 0) {
		kri_rail_unref(&power->rail);
		return r;
	}
	*ret_power = power;
	return 0;
}

static void destroy_object(struct kri_object *object)
{
	kryos_power_close(KRI_CONTAINER_OF(object, struct kryos_power, object));
}

/* Who opens a sensor next does not come back to the loop between. A simulated clock's power settles at once. */
static void settle(struct kryos_power *power)
{
	int64_t until_ns = kri_real_ns() + power->config.settle_ns;
	struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000) };

	void *userdata;

	while (!kri_clock_source(power->ctx, &userdata)->simulated &&
	       clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
	become_on(power);
}

/* Simulated time does not begin before the first round, and that is to have power: there is no wait but for the line.
 */
int kri_power_new_lazy(struct kryos_power **ret_power, struct kryos_ctx *ctx, const char *name, const char *device,
                       const struct kryos_power_config *config)
{
	void *userdata;
	int r;

	if (kri_clock_source(ctx, &userdata)->simulated) {
		r = power_new(ret_power, ctx, name, device, config, false);
		if (r >= 0)
			settle(*ret_power);
		if (r >= 0 || r == -EINVAL || r == KRYOS_EDEVICE)
			return r;
	}
	return power_new(ret_power, ctx, name, device, config, true);
}

int kryos_power_open(struct kryos_power **ret_power, struct kryos_ctx *ctx, const char *name, const char *device,
                     const struct kryos_power_config *config)
{
	struct kryos_power *power;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_power)
		return kryos_fail(-EINVAL, "no place for the power given");
	r = power_new(&power, ctx, name, device, config, false);
	if (r < 0)
		return r;
	settle(power);
	kri_object_add(ctx, &power->object, destroy_object);
	*ret_power = power;
	return 0;
}

void kryos_power_close(struct kryos_power *power)
{
	/* In a child after fork there is no worker to wait for. */
	if (!power || kri_ctx_check(power->ctx) < 0)
		return;
	if (power->object.ctx)
		kri_object_remove(&power->object);
	power->closed = true;
	kri_rail_stop(&power->rail);
	kri_note_cancel(power->ctx, &power->note);
	kri_timer_cancel(power->ctx, &power->timer);
	kryos_output_close(power->output);
	kri_rail_unref(&power->rail);
}

int kryos_power_get_status(struct kryos_power *power, struct kryos_power_status *ret_status)
{
	struct kryos_output_status output = { .size = sizeof(output) };
	struct kryos_power_status status = { 0 };
	uint32_t size;
	int r;

	if (!power || !ret_status || ret_status->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "power status: no place given, or its size is not set");
	r = kryos_output_get_status(power->output, &output);
	if (r < 0)
		return r;
	status.on = power->state == ON;
	status.error = output.error;
	status.cycles = power->cycles;
	size = ret_status->size;
	memset(ret_status, 0, size);
	memcpy(ret_status, &status, size < sizeof(status) ? size : sizeof(status));
	ret_status->size = size;
	return 0;
}
