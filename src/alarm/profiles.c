/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: rules as they were published. One that is called who-... holds nothing that WHO did not publish. */
#include "alarm.h"
#include <string.h>

#define CELSIUS(tenths) ((int64_t)(tenths)*100000)
#define RULE(title, about, compare, tenths, time, how)                                                                 \
	{                                                                                                              \
		.size = sizeof(struct kryos_rule), .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION, .name = (title), \
		.kind = KRYOS_RULE_##about, .comparator = KRYOS_COMPARATOR_##compare, .mode = KRYOS_RULE_##how,        \
		.threshold_micro = CELSIUS(tenths), .duration_ns = (time)                                              \
	}

struct profile {
	const char *name;
	const struct kryos_rule *rules;
	unsigned int count;
};

/* WHO PQS E003 and E006 (30-day recorders, equipment monitoring): the coldest point of the vaccine compartment. Above
 * +8.0, not at it; at -0.5 too. */
static const struct kryos_rule who_refrigerator[] = {
	RULE("heat", HEAT, GT, 80, KRYOS_HOURS(10), CONSECUTIVE),
	RULE("freeze", FREEZE, LE, -5, KRYOS_MINUTES(60), CONSECUTIVE),
};

/* WHO PQS E006/TR07, type 1 (DTP, HepB, IPV, HPV): of the whole transport. */
static const struct kryos_rule who_shipping_1[] = {
	RULE("freeze", FREEZE, LE, -5, KRYOS_HOURS(1), CONSECUTIVE),
	RULE("heat-45", HEAT, GE, 450, KRYOS_HOURS(1), CONSECUTIVE),
	RULE("heat-30", HEAT, GE, 300, KRYOS_HOURS(10), CUMULATIVE),
};

/* WHO PQS E006/TR07, type 2 (OPV, BCG, measles, MMR), which freezing does not harm. */
static const struct kryos_rule who_shipping_2[] = {
	RULE("heat-45", HEAT, GE, 450, KRYOS_HOURS(1), CONSECUTIVE),
	RULE("heat-30", HEAT, GE, 300, KRYOS_HOURS(10), CUMULATIVE),
	RULE("heat-10", HEAT, GE, 100, KRYOS_HOURS(20), CUMULATIVE),
};

/* Ranges that manufacturers and pharmacopoeias publish. That an hour outside is an alarm is ours. */
static const struct kryos_rule fridge_2_8[] = {
	RULE("heat", HEAT, GT, 80, KRYOS_HOURS(1), CONSECUTIVE),
	RULE("cold", FREEZE, LT, 20, KRYOS_HOURS(1), CONSECUTIVE),
};
static const struct kryos_rule freezer_25_15[] = {
	RULE("heat", HEAT, GT, -150, KRYOS_HOURS(1), CONSECUTIVE),
	RULE("cold", FREEZE, LT, -250, KRYOS_HOURS(1), CONSECUTIVE),
};
static const struct kryos_rule ultra_cold_80_60[] = {
	RULE("heat", HEAT, GT, -600, KRYOS_HOURS(1), CONSECUTIVE),
	RULE("cold", FREEZE, LT, -800, KRYOS_HOURS(1), CONSECUTIVE),
};
/* USP <659>: 20 to 25 C, excursions between 15 and 30 C allowed; what lies outside of those. */
static const struct kryos_rule controlled_room[] = {
	RULE("heat", HEAT, GT, 300, KRYOS_HOURS(1), CONSECUTIVE),
	RULE("cold", FREEZE, LT, 150, KRYOS_HOURS(1), CONSECUTIVE),
};

#define PROFILE(title, rules)                                                                                          \
	{                                                                                                              \
		title, rules, KRI_ARRAY_SIZE(rules)                                                                    \
	}
static const struct profile profiles[] = {
	PROFILE("who-refrigerator", who_refrigerator), PROFILE("who-shipping-1", who_shipping_1),
	PROFILE("who-shipping-2", who_shipping_2),     PROFILE("fridge-2-8", fridge_2_8),
	PROFILE("freezer-25-15", freezer_25_15),       PROFILE("ultra-cold-80-60", ultra_cold_80_60),
	PROFILE("controlled-room", controlled_room),
};

const char *kryos_profile_name(unsigned int index)
{
	return index < KRI_ARRAY_SIZE(profiles) ? profiles[index].name : NULL;
}

const struct kryos_rule *kryos_profile_rule(const char *profile, unsigned int index)
{
	for (size_t i = 0; profile && i < KRI_ARRAY_SIZE(profiles); i++) {
		if (strcmp(profiles[i].name, profile) == 0)
			return index < profiles[i].count ? &profiles[i].rules[index] : NULL;
	}
	return NULL;
}
