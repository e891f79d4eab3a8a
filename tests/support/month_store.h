/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store with a refrigerator's month in it, made up but not at random: a heat excursion on day 6, a cold one on day
 * 13, a sensor that fails on day 10, a device that is off on day 17, a channel out of service on days 21 and 22, a door
 * and mains. The episodes are what the evaluator says of the samples. The same parameters give the same records.
 */
#ifndef KRI_TEST_MONTH_STORE_H
#define KRI_TEST_MONTH_STORE_H

#include "support.h"

#define MONTH_START_NS INT64_C(1793491200000000000) /* 2026-11-01T00:00:00Z */

struct month {
	int days;
	int channels; /* of temperature; the first is fridge.temperature, the second room.temperature */
	int64_t every_ns;
};
/* Fails the test where it does not succeed. */
void month_store_make(const char *path, const struct month *month);

#endif
