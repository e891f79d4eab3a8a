/* SPDX-License-Identifier: Apache-2.0 */
#include "fridge.h"
#include "probe.h"

/* What this fridge promises: at most ten hours above 8 C, at most one hour at -0.5 C or below. */
static const struct kryos_rule rules[] = {
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "warm",
	  .kind = KRYOS_RULE_HEAT,
	  .comparator = KRYOS_COMPARATOR_GT,
	  .threshold_micro = 8000000,
	  .duration_ns = KRYOS_HOURS(10) },
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "freezing",
	  .kind = KRYOS_RULE_FREEZE,
	  .comparator = KRYOS_COMPARATOR_LE,
	  .threshold_micro = -500000,
	  .duration_ns = KRYOS_HOURS(1) },
};

int fridge_open(struct fridge *fridge, struct kryos_ctx *ctx, const char *folder, const char *device, int64_t every_ns)
{
	int r = kryos_register_sensor(ctx, &vial_driver);

	if (r >= 0)
		r = kryos_store_open(&fridge->store, ctx, folder, NULL);
	if (r >= 0)
		r = kryos_monitor_new(&fridge->monitor, fridge->store);
	if (r >= 0)
		r = kryos_monitor_watch(
			fridge->monitor, FRIDGE_CHANNEL,
			KRYOS_MONITOR_CHANNEL_CONFIG(.rules = rules, .rule_count = sizeof(rules) / sizeof(rules[0]),
		                                     .interval_ns = every_ns ? every_ns : KRYOS_MINUTES(5)));
	if (r >= 0)
		r = kryos_sampler_new(
			&fridge->sampler, fridge->store,
			KRYOS_SAMPLER_CONFIG(.every_ns = every_ns, .manual = !every_ns, .monitor = fridge->monitor));
	if (r >= 0)
		r = kryos_sampler_add(fridge->sampler, "fridge", device);
	return r;
}

void fridge_tell(struct kryos_ctx *ctx, const struct kryos_event *event, FILE *to)
{
	switch (event->type) {
	case KRYOS_EVENT_SAMPLE:
		kryos_sample_print(ctx, &event->sample, to);
		break;
	case KRYOS_EVENT_SENSOR_LOST:
	case KRYOS_EVENT_SENSOR_BACK:
	case KRYOS_EVENT_ALARM_ON:
	case KRYOS_EVENT_ALARM_OFF:
	case KRYOS_EVENT_STORE:
	case KRYOS_EVENT_GAP:
		fprintf(to, "%s %s: %s\n", kryos_event_type_name(event->type), event->name, event->text);
		break;
	default:
		break;
	}
	fflush(to);
}
