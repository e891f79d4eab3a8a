/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sensor_contract_test.c needs to know of a driver to try it, and what fixtures need to try it themselves.
 *
 * <name>_fixture.c defines <name>_fixtures[], ended by one without a driver; the build finds the file. There is one
 * fixture for each bus that the driver speaks, or for each way in which its options make it another.
 */
#ifndef KRI_SENSOR_CONTRACT_H
#define KRI_SENSOR_CONTRACT_H

#include "core/core.h"
#include "sensor/sensor.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>

#define MAX_CHANNELS KRYOS_SENSOR_MAX_CHANNELS
#define CASES 1000

/* A line of the data sheet's own table or example: what the chip sends, and what it says that is. */
struct known {
	uint8_t raw[KRYOS_SENSOR_MAX_RAW];
	double value[MAX_CHANNELS];
	enum kryos_quality quality; /* of all channels; only good ones have a value */
};

struct fixture {
	/* "max31865@spi-0.0" is a bus without places: place "". options: text given at open; NULL: none. */
	const char *driver, *bus, *place, *options;
	/* Where a second one is: another place on this bus, or other_bus with the same place. */
	const char *other_place, *other_bus;
	int (*add)(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
	/* In the driver's order: where the model is tried, and how far quantisation may take a reading from it. */
	int64_t low_micro[MAX_CHANNELS], high_micro[MAX_CHANNELS], tolerance_micro[MAX_CHANNELS];

	/* Nothing on this bus says that a chip is not there (SPI): only what the chip sends does. */
	bool silent;
	/* It stands for chips of many makers (the kernel's drivers), so it has no data sheet. */
	bool generic;
	/* The model knows kryos_model_set_busy. */
	bool busy;

	/*
	 * From the data sheet, at its longest: after a trigger with these options no result can be there before, or, of
	 * a chip that converts all the time, after the first trigger since it was opened. 0 where the kernel waits.
	 */
	int64_t least_wait_ns;

	/* Makes it another chip, or, where the address says what it is, names that address. NULL: nothing tells one
	 * from another. */
	const char *(*make_wrong)(struct kryos_fake_bus *bus, struct kryos_model *model);
	/* While it is unplugged: makes it another of the same kind, with its own calibration or serial number. NULL:
	 * such chips differ in nothing that can be read. */
	void (*exchange)(struct kryos_model *model, uint64_t *seed);

	/*
	 * The data sheet's table, decoded by a chip that was just opened; and how far off integers may be. NULL: it
	 * prints none.
	 */
	const struct known *table;
	size_t table_count;
	double table_tolerance;

	/*
	 * Makes up what such a chip may send, and says what the data sheet's formulas make of it, in double precision,
	 * sharing nothing with the driver. Called CASES times; the driver's answer is the nearest millionth.
	 */
	enum kryos_quality (*make_up)(uint64_t *seed, uint8_t *ret_raw, double *ret_values);
	/* The same where that is not enough: it does it all. One of the two. */
	void (*compare)(const struct fixture *fixture, uint64_t *seed);
};

struct rig {
	const struct fixture *fixture;
	const struct kryos_sensor_driver *driver;
	struct kryos_description has;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus, *other_bus;
	struct kryos_model *model;
	struct kryos_sensor *sensor;
	int64_t truth[MAX_CHANNELS];
};

/* NULL: it is not in this build. */
const struct kryos_sensor_driver *driver_of(const char *name);
/* What messages call the place. */
const char *where(const struct fixture *fixture);

/* A context on a simulated clock with the chip on a fake bus; not opened yet. */
void rig_up(struct rig *rig, const struct fixture *fixture);
void rig_down(struct rig *rig);
int open_it(struct rig *rig);
int open_at(struct rig *rig, const char *name, const char *bus, const char *place, struct kryos_sensor **ret_sensor);

void set_truth(struct rig *rig, unsigned int channel, int64_t micro);
void set_random_truth(struct rig *rig, uint64_t *seed);
/* A minute later, so that no move is too fast. */
void read_it(struct rig *rig, struct kryos_sample samples[MAX_CHANNELS]);
/* Every sample says good and is right, or says what is wrong. Returns whether all are good. */
bool check_no_lie(const struct rig *rig, const struct kryos_sample *samples, const char *when, int step);
/* Reads it: every channel is good and right. */
void check_good(struct rig *rig, const char *when, int step);

#endif
