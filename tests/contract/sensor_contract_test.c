/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every built-in sensor driver owes, tried on its chip model. A driver without a fixture
 * (sensor_contract.h) fails this test. An argument: the only driver to try.
 */
#include "sensor_contract.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Each *_fixtures[] of this folder; written by the build. */
extern const struct fixture *const sensor_fixtures[];

static bool has_word(const char *words, const char *word)
{
	size_t count = strlen(word);
	const char *at;

	for (at = strstr(words, word); at; at = strstr(at + 1, word))
		if ((at == words || at[-1] == ' ') && (at[count] == ' ' || !at[count]))
			return true;
	return false;
}

static void check_channel(const struct fixture *fixture, const struct kryos_channel_info *info, unsigned int i)
{
	assert_true(strlen(info->quantity) > 0);
	assert_in_range(strlen(info->unit), 1, 15);
	assert_true(info->min_micro < info->max_micro);
	assert_true(info->max_rate_micro >= 0);
	assert_true(fixture->low_micro[i] >= info->min_micro);
	assert_true(fixture->high_micro[i] <= info->max_micro);
	if (fixture->generic || info->states[0])
		return;
	assert_true(info->resolution_micro > 0);
	assert_non_null(info->accuracy);
	assert_true(strlen(info->accuracy) > 0);
}

static void sensor_describes_itself_within_the_limits(void **state)
{
	const struct fixture *fixture = *state;
	const struct kryos_sensor_driver *driver;
	struct rig rig;
	unsigned int i;

	rig_up(&rig, fixture);
	driver = rig.driver;
	assert_int_equal(driver->size, sizeof(*driver));
	assert_in_range(rig.has.channel_count, 1, KRYOS_SENSOR_MAX_CHANNELS);
	assert_in_range(driver->raw_size, 1, KRYOS_SENSOR_MAX_RAW);
	assert_true(driver->option_count <= KRYOS_SENSOR_MAX_OPTIONS);
	assert_non_null(driver->title);
	assert_non_null(driver->probe);
	assert_non_null(driver->fetch);
	assert_non_null(driver->decode);
	assert_non_null(driver->suits);
	if (!fixture->generic && !rig.has.channels[0].states[0])
		assert_non_null(driver->datasheet);
	if (!fixture->generic && strncmp(fixture->bus, "i2c-", 4) == 0) {
		assert_non_null(driver->addresses);
		assert_true(has_word(driver->addresses, fixture->place));
	}
	if (driver->trigger)
		assert_true(driver->conversion_ns > 0);
	for (i = 0; i < rig.has.channel_count; i++)
		check_channel(fixture, &rig.has.channels[i], i);
	rig_down(&rig);
}

/* Models convert in no time: nothing else here tells a driver that does not wait. */
static void sensor_waits_as_long_as_its_data_sheet_says(void **state)
{
	const struct fixture *fixture = *state;
	bool kernel_waits = fixture->generic || strncmp(fixture->bus, "w1", 2) == 0;
	int64_t wait = 0;
	struct rig rig;

	rig_up(&rig, fixture);
	assert_int_equal(fixture->least_wait_ns > 0, rig.driver->trigger && !kernel_waits);
	assert_ok(open_it(&rig));
	if (rig.driver->trigger)
		assert_ok(rig.driver->trigger(rig.sensor->priv, rig.sensor->dev, &wait));
	if (wait < fixture->least_wait_ns)
		fail_msg("%s waits %lld ns, and should wait %lld", fixture->driver, (long long)wait,
		         (long long)fixture->least_wait_ns);
	assert_true(fixture->options || rig.driver->conversion_ns >= wait);
	rig_down(&rig);
}

static void sensor_measures_its_whole_range_as_its_model(void **state)
{
	uint64_t seed = seed_from_environment(1000);
	struct rig rig;
	unsigned int i;
	int n;

	rig_up(&rig, *state);
	set_random_truth(&rig, &seed);
	assert_ok(open_it(&rig));
	for (n = 0; n < CASES; n++) {
		set_random_truth(&rig, &seed);
		for (i = 0; n < 2 && i < rig.has.channel_count; i++)
			set_truth(&rig, i, n ? rig.fixture->high_micro[i] : rig.fixture->low_micro[i]);
		check_good(&rig, "value", n);
	}
	rig_down(&rig);
}

static void check_decoded(const struct rig *rig, const struct kryos_reading *readings, enum kryos_quality quality,
                          const double *values, double tolerance, int n)
{
	unsigned int i;

	for (i = 0; i < rig->has.channel_count; i++) {
		if (readings[i].quality != quality)
			fail_msg("%s, case %d: %s is %s, not %s", rig->fixture->driver, n,
			         rig->has.channels[i].quantity, kryos_quality_name(readings[i].quality),
			         kryos_quality_name(quality));
		if (kryos_quality_is_measured(quality) && !isnan(values[i]) &&
		    !(fabs((double)readings[i].value_micro - values[i] * 1e6) <= tolerance * 1e6 + 0.501))
			fail_msg("%s, case %d: %s is %f, not %f", rig->fixture->driver, n,
			         rig->has.channels[i].quantity, (double)readings[i].value_micro / 1e6, values[i]);
	}
}

static void sensor_decodes_as_its_data_sheets_table(void **state)
{
	const struct fixture *fixture = *state;
	struct kryos_reading readings[MAX_CHANNELS];
	struct rig rig;
	size_t n;

	rig_up(&rig, fixture);
	assert_ok(open_it(&rig));
	for (n = 0; n < fixture->table_count; n++) {
		rig.driver->decode(rig.sensor->priv, fixture->table[n].raw, readings);
		check_decoded(&rig, readings, fixture->table[n].quality, fixture->table[n].value,
		              fixture->table_tolerance, (int)n);
	}
	rig_down(&rig);
}

static void sensor_decodes_as_its_data_sheets_formulas(void **state)
{
	const struct fixture *fixture = *state;
	uint64_t seed = seed_from_environment(2000);
	struct kryos_reading readings[MAX_CHANNELS];
	double values[MAX_CHANNELS];
	struct rig rig;
	int n;

	if (fixture->compare) {
		fixture->compare(fixture, &seed);
		return;
	}
	rig_up(&rig, fixture);
	assert_ok(open_it(&rig));
	for (n = 0; n < CASES; n++) {
		uint8_t raw[KRYOS_SENSOR_MAX_RAW] = { 0 };
		enum kryos_quality quality = fixture->make_up(&seed, raw, values);

		rig.driver->decode(rig.sensor->priv, raw, readings);
		check_decoded(&rig, readings, quality, values, 0, n);
	}
	rig_down(&rig);
}

static const enum kryos_fault faults[] = { KRYOS_FAULT_NACK,    KRYOS_FAULT_EIO,    KRYOS_FAULT_TIMEOUT,
	                                   KRYOS_FAULT_STUCK,   KRYOS_FAULT_FLIP,   KRYOS_FAULT_ZERO,
	                                   KRYOS_FAULT_EMPTY,   KRYOS_FAULT_UNPLUG, KRYOS_FAULT_RESET,
	                                   KRYOS_FAULT_FLIP_OUT };
/* At most four bytes are written after a register's number, and each bit of them is flipped. */
#define BITS 32

/* With one bit after another of what is written; other faults have no bits. */
static int bits_of(enum kryos_fault fault)
{
	return fault == KRYOS_FAULT_FLIP_OUT ? BITS : 1;
}

static void plan(struct rig *rig, enum kryos_fault fault, int at, int times, int bit)
{
	while (bit-- > 0)
		kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_NONE, 0, 0);
	kryos_fake_bus_plan(rig->bus, fault, at, times);
}

/* A chip that is gone answers nothing; where only its answers tell, they are no measurement. */
static bool is_absence(const struct fixture *fixture, unsigned int quality)
{
	return quality == KRYOS_QUALITY_ABSENT || (fixture->silent && quality != KRYOS_QUALITY_GOOD);
}

/* Where nobody acknowledges, a chip that does not hear, or whose answers do not arrive, is as good as gone. */
static bool is_silence(const struct fixture *fixture, enum kryos_fault fault)
{
	return fault == KRYOS_FAULT_NACK || fault == KRYOS_FAULT_UNPLUG ||
	       (fixture->silent && fault == KRYOS_FAULT_STUCK);
}

static bool is_documented(int r)
{
	static const int codes[] = { -ENODEV, KRYOS_ECHIP, KRYOS_ESTUCK, KRYOS_ECRC, -EIO, -ETIMEDOUT };
	size_t i;

	for (i = 0; i < KRI_ARRAY_SIZE(codes); i++)
		if (r == codes[i])
			return true;
	return false;
}

/* How many transfers opening and one reading take when nothing is wrong. */
static void count_transfers(const struct fixture *fixture, int *ret_open, int *ret_read)
{
	struct rig rig;
	unsigned int opened;

	rig_up(&rig, fixture);
	assert_ok(open_it(&rig));
	opened = kryos_fake_bus_transfers(rig.bus);
	rig.truth[0] = 0;
	kryos_fake_clock_advance(rig.clock, KRYOS_MINUTES(1));
	assert_true(kryos_sensor_read(rig.sensor, &(struct kryos_sample){ 0 }, 1) == 1);
	*ret_open = (int)opened;
	*ret_read = (int)(kryos_fake_bus_transfers(rig.bus) - opened);
	rig_down(&rig);
}

static void try_fault_at_open(const struct fixture *fixture, enum kryos_fault fault, int at, int times, int bit,
                              uint64_t *seed)
{
	struct rig rig;
	int r;

	rig_up(&rig, fixture);
	set_random_truth(&rig, seed);
	plan(&rig, fault, at, times, bit);
	r = open_it(&rig);
	kryos_fake_bus_plan(rig.bus, KRYOS_FAULT_NONE, 0, 0);
	kryos_model_set_present(rig.model, 1);
	if (r < 0) {
		if (!is_documented(r) || !strstr(kryos_strerror(r), where(fixture)))
			fail_msg("%s, fault %d at transfer %d: %d: %s", fixture->driver, fault, at, r,
			         kryos_strerror(r));
		assert_ok(open_it(&rig));
	}
	check_good(&rig, "after a fault at open", at);
	rig_down(&rig);
}

static void sensor_opens_or_fails_well_with_a_fault_at_each_transfer(void **state)
{
	const struct fixture *fixture = *state;
	uint64_t seed = seed_from_environment(3000);
	int opening, reading, at;
	size_t f;

	count_transfers(fixture, &opening, &reading);
	for (f = 0; f < KRI_ARRAY_SIZE(faults); f++) {
		for (at = 0; at <= opening; at++) {
			for (int bit = 0; bit < bits_of(faults[f]); bit++) {
				try_fault_at_open(fixture, faults[f], at, 1, bit, &seed);
				try_fault_at_open(fixture, faults[f], at, -1, bit, &seed);
			}
		}
	}
}

static void try_fault_at_read(const struct fixture *fixture, enum kryos_fault fault, int at, int times, int bit,
                              uint64_t *seed)
{
	struct kryos_sample samples[MAX_CHANNELS];
	struct rig rig;

	rig_up(&rig, fixture);
	set_random_truth(&rig, seed);
	assert_ok(open_it(&rig));
	check_good(&rig, "before a fault at", at);
	set_random_truth(&rig, seed);
	plan(&rig, fault, at, times, bit);
	read_it(&rig, samples);
	check_no_lie(&rig, samples, "under a fault at", at);
	if (times < 0 && at == 0 && fault != KRYOS_FAULT_RESET && fault != KRYOS_FAULT_FLIP_OUT &&
	    samples[0].quality == KRYOS_QUALITY_GOOD)
		fail_msg("%s: good although fault %d never ends", fixture->driver, fault);
	/* It answers all the time. */
	if (fault == KRYOS_FAULT_RESET && times == 1 && samples[0].quality == KRYOS_QUALITY_ABSENT)
		fail_msg("%s: absent although it was only reset, before transfer %d", fixture->driver, at);
	/* Once more under the plan, from which the core may have gone on to probe. */
	read_it(&rig, samples);
	check_no_lie(&rig, samples, "under a fault later than", at);
	kryos_fake_bus_plan(rig.bus, KRYOS_FAULT_NONE, 0, 0);
	kryos_model_set_present(rig.model, 1);
	read_it(&rig, samples);
	check_no_lie(&rig, samples, "right after a fault at", at);
	check_good(&rig, "after a fault at", at);
	rig_down(&rig);
}

static void sensor_never_lies_with_a_fault_at_each_transfer(void **state)
{
	const struct fixture *fixture = *state;
	uint64_t seed = seed_from_environment(4000);
	int opening, reading, at;
	size_t f;

	count_transfers(fixture, &opening, &reading);
	for (f = 0; f < KRI_ARRAY_SIZE(faults); f++) {
		for (at = 0; at <= reading; at++) {
			for (int bit = 0; bit < bits_of(faults[f]); bit++) {
				try_fault_at_read(fixture, faults[f], at, 1, bit, &seed);
				try_fault_at_read(fixture, faults[f], at, 2, bit, &seed);
				try_fault_at_read(fixture, faults[f], at, -1, bit, &seed);
			}
		}
	}
}

static void sensor_says_when_it_is_absent_and_is_found_again(void **state)
{
	struct kryos_sample samples[MAX_CHANNELS];
	uint64_t seed = seed_from_environment(5000);
	struct rig rig;
	size_t i;

	rig_up(&rig, *state);
	set_random_truth(&rig, &seed);
	kryos_model_set_present(rig.model, 0);
	assert_fails(-ENODEV, open_it(&rig));
	assert_says(-ENODEV, where(rig.fixture));
	kryos_model_set_present(rig.model, 1);
	assert_ok(open_it(&rig));
	check_good(&rig, "plugged", 1);
	kryos_model_set_present(rig.model, 0);
	read_it(&rig, samples);
	for (i = 0; i < rig.has.channel_count; i++) {
		assert_true(is_absence(rig.fixture, samples[i].quality));
		assert_int_equal(samples[i].value_micro, 0);
	}
	kryos_model_set_present(rig.model, 1);
	set_random_truth(&rig, &seed);
	check_good(&rig, "plugged", 2);
	rig_down(&rig);
}

static void sensor_survives_a_reset_in_operation(void **state)
{
	struct kryos_sample samples[MAX_CHANNELS];
	uint64_t seed = seed_from_environment(6000);
	struct rig rig;
	int n;

	rig_up(&rig, *state);
	set_random_truth(&rig, &seed);
	assert_ok(open_it(&rig));
	for (n = 0; n < 20; n++) {
		kryos_model_reset(rig.model);
		set_random_truth(&rig, &seed);
		read_it(&rig, samples);
		check_no_lie(&rig, samples, "after reset", n);
		check_good(&rig, "second reading after reset", n);
	}
	rig_down(&rig);
}

static void sensor_names_a_wrong_chip(void **state)
{
	struct kryos_sample samples[MAX_CHANNELS];
	const struct fixture *fixture = *state;
	struct rig rig;
	const char *place;

	rig_up(&rig, fixture);
	place = fixture->make_wrong(rig.bus, rig.model);
	assert_fails(KRYOS_ECHIP, open_at(&rig, "fridge", fixture->bus, place, &rig.sensor));
	assert_says(KRYOS_ECHIP, place[0] ? place : fixture->bus);
	rig_down(&rig);

	if (strcmp(place, fixture->place) != 0)
		return; /* an address that says what the chip is cannot be taken by another */
	rig_up(&rig, fixture);
	assert_ok(open_it(&rig));
	kryos_model_set_present(rig.model, 0);
	read_it(&rig, samples);
	fixture->make_wrong(rig.bus, rig.model);
	kryos_model_set_present(rig.model, 1);
	read_it(&rig, samples);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_CHIP);
	rig_down(&rig);
}

/* What one more try can heal, the core heals; a bus that hangs, where it can be freed. */
static void sensor_measures_all_the_same_with_one_disturbed_transfer(void **state)
{
	static const enum kryos_fault passing[] = { KRYOS_FAULT_NACK, KRYOS_FAULT_EIO,   KRYOS_FAULT_FLIP,
		                                    KRYOS_FAULT_ZERO, KRYOS_FAULT_EMPTY, KRYOS_FAULT_TIMEOUT,
		                                    KRYOS_FAULT_STUCK };
	const struct fixture *fixture = *state;
	bool can_be_freed = !strncmp(fixture->bus, "i2c-", 4) || !strncmp(fixture->bus, "w1", 2);
	uint64_t seed = seed_from_environment(12000);
	int opening, reading, at;
	size_t f, count;

	count_transfers(fixture, &opening, &reading);
	count = KRI_ARRAY_SIZE(passing) - (can_be_freed ? 0 : 2);
	/* A device of the kernel that is not there is looked for anew: it may have another number by now. */
	for (f = fixture->generic ? 1 : 0; f < count; f++) {
		for (at = 0; at < reading; at++) {
			struct rig rig;

			rig_up(&rig, fixture);
			set_random_truth(&rig, &seed);
			assert_ok(open_it(&rig));
			kryos_fake_bus_plan(rig.bus, passing[f], at, 1);
			check_good(&rig, "disturbed at", at);
			rig_down(&rig);
		}
	}
}

/* Lasting faults, each with what the sample must say. */
static void sensor_says_what_is_wrong(void **state)
{
	static const struct {
		enum kryos_fault fault;
		enum kryos_quality quality;
	} lasting[] = {
		{ KRYOS_FAULT_NACK, KRYOS_QUALITY_ABSENT }, { KRYOS_FAULT_UNPLUG, KRYOS_QUALITY_ABSENT },
		{ KRYOS_FAULT_EIO, KRYOS_QUALITY_BUS },     { KRYOS_FAULT_TIMEOUT, KRYOS_QUALITY_TIMEOUT },
		{ KRYOS_FAULT_STUCK, KRYOS_QUALITY_BUS },
	};
	const struct fixture *fixture = *state;
	struct kryos_sample samples[MAX_CHANNELS];
	uint64_t seed = seed_from_environment(7000);
	int opening, reading, at;
	size_t f;

	count_transfers(fixture, &opening, &reading);
	for (f = 0; f < KRI_ARRAY_SIZE(lasting); f++) {
		for (at = 0; at < reading; at++) {
			struct rig rig;

			rig_up(&rig, fixture);
			set_random_truth(&rig, &seed);
			assert_ok(open_it(&rig));
			kryos_fake_bus_plan(rig.bus, lasting[f].fault, at, -1);
			read_it(&rig, samples);
			if (samples[0].quality != lasting[f].quality &&
			    !(is_silence(fixture, lasting[f].fault) && is_absence(fixture, samples[0].quality)))
				fail_msg("%s, fault %d from transfer %d on: quality %s, not %s", fixture->driver,
				         lasting[f].fault, at, kryos_quality_name(samples[0].quality),
				         kryos_quality_name(lasting[f].quality));
			rig_down(&rig);
		}
	}
}

/* Nothing but the answers is wrong, and a checksum or a second reading tells. */
static void sensor_tells_a_wrong_answer(void **state)
{
	const struct fixture *fixture = *state;
	struct kryos_sample samples[MAX_CHANNELS];
	uint64_t seed = seed_from_environment(8000);
	struct rig rig;

	rig_up(&rig, fixture);
	set_random_truth(&rig, &seed);
	assert_ok(open_it(&rig));
	check_good(&rig, "before", 0);
	/* A line is one bit, of which every value is right: its faults are failures. */
	if (!rig.has.channels[0].states[0]) {
		kryos_fake_bus_plan(rig.bus, KRYOS_FAULT_FLIP, 0, -1);
		read_it(&rig, samples);
		/* Checksums are the kernel's; what it gives then is an error. */
		assert_int_equal(samples[0].quality, fixture->generic ? KRYOS_QUALITY_BUS : KRYOS_QUALITY_CRC);
		kryos_fake_bus_plan(rig.bus, KRYOS_FAULT_NONE, 0, 0);
		check_good(&rig, "after", 0);
	}
	rig_down(&rig);
}

static void sensor_waits_for_a_conversion_but_not_for_ever(void **state)
{
	const struct fixture *fixture = *state;
	struct kryos_sample samples[MAX_CHANNELS];
	uint64_t seed = seed_from_environment(9000);
	struct rig rig;

	rig_up(&rig, fixture);
	set_random_truth(&rig, &seed);
	assert_ok(open_it(&rig));
	kryos_model_set_busy(rig.model, 2);
	check_good(&rig, "busy", 2);
	kryos_model_set_busy(rig.model, -1);
	set_random_truth(&rig, &seed);
	read_it(&rig, samples);
	assert_true(check_no_lie(&rig, samples, "busy", -1) == !fixture->busy);
	kryos_model_set_busy(rig.model, 0);
	read_it(&rig, samples);
	check_no_lie(&rig, samples, "busy", 0);
	check_good(&rig, "no longer busy", 0);
	rig_down(&rig);
}

/* Another chip of the kind is put in its place, once while nothing is read and once while it is away. */
static void sensor_reads_one_that_took_its_place(void **state)
{
	const struct fixture *fixture = *state;
	struct kryos_sample samples[MAX_CHANNELS];
	uint64_t seed = seed_from_environment(10000);
	unsigned int i;
	struct rig rig;
	int n;

	rig_up(&rig, fixture);
	/* Where chips of any calibration can measure. */
	for (i = 0; i < rig.has.channel_count; i++)
		set_truth(&rig, i, fixture->low_micro[i] + (fixture->high_micro[i] - fixture->low_micro[i]) / 2);
	assert_ok(open_it(&rig));
	for (n = 0; n < 20; n++) {
		check_good(&rig, "before chip", n);
		kryos_model_set_present(rig.model, 0);
		if (n % 2)
			read_it(&rig, samples);
		if (fixture->exchange)
			fixture->exchange(rig.model, &seed);
		kryos_model_set_present(rig.model, 1);
		read_it(&rig, samples);
		check_no_lie(&rig, samples, "first reading of chip", n);
		check_good(&rig, "chip", n);
	}
	rig_down(&rig);
}

static void sensor_is_one_of_two_of_its_kind(void **state)
{
	const struct fixture *fixture = *state;
	const char *other_bus = fixture->other_bus ? fixture->other_bus : fixture->bus;
	const char *other_place = fixture->other_place ? fixture->other_place : fixture->place;
	struct kryos_sample samples[MAX_CHANNELS];
	uint64_t seed = seed_from_environment(11000);
	struct rig rig, other;
	int n;

	assert_true(fixture->other_bus || fixture->other_place);
	rig_up(&rig, fixture);
	other = rig;
	assert_ok(fixture->add(rig.other_bus ? rig.other_bus : rig.bus, other_place, &other.model));
	assert_ok(open_it(&rig));
	assert_ok(open_at(&other, "freezer", other_bus, other_place, &other.sensor));
	for (n = 0; n < 20; n++) {
		set_random_truth(&rig, &seed);
		set_random_truth(&other, &seed);
		check_good(&rig, "first of two", n);
		check_good(&other, "second of two", n);
	}
	kryos_model_set_present(rig.model, 0);
	read_it(&rig, samples);
	assert_true(is_absence(fixture, samples[0].quality));
	check_good(&other, "without the first", n);
	rig_down(&rig);
}

static void every_sensor_driver_has_its_fixture(void **state)
{
	const void *const *driver;
	const struct fixture *const *set, *fixture;

	(void)state;
	for (driver = kri_builtin_drivers[KRI_SENSOR]; *driver; driver++) {
		const char *name = ((const struct kryos_sensor_driver *)*driver)->name;
		bool found = false;

		for (set = sensor_fixtures; *set; set++)
			for (fixture = *set; fixture->driver; fixture++)
				found = found || strcmp(fixture->driver, name) == 0;
		if (!found)
			fail_msg("%s has no fixture: tests/contract/%s_fixture.c", name, name);
	}
}

#define CONTRACT(test)                                                                                                 \
	{                                                                                                              \
#test, test                                                                                            \
	}

static const struct {
	const char *name;
	CMUnitTestFunction function;
} contract[] = {
	CONTRACT(sensor_describes_itself_within_the_limits),
	CONTRACT(sensor_waits_as_long_as_its_data_sheet_says),
	CONTRACT(sensor_measures_its_whole_range_as_its_model),
	CONTRACT(sensor_decodes_as_its_data_sheets_table),
	CONTRACT(sensor_decodes_as_its_data_sheets_formulas),
	CONTRACT(sensor_opens_or_fails_well_with_a_fault_at_each_transfer),
	CONTRACT(sensor_never_lies_with_a_fault_at_each_transfer),
	CONTRACT(sensor_measures_all_the_same_with_one_disturbed_transfer),
	CONTRACT(sensor_says_what_is_wrong),
	CONTRACT(sensor_tells_a_wrong_answer),
	CONTRACT(sensor_waits_for_a_conversion_but_not_for_ever),
	CONTRACT(sensor_says_when_it_is_absent_and_is_found_again),
	CONTRACT(sensor_survives_a_reset_in_operation),
	CONTRACT(sensor_reads_one_that_took_its_place),
	CONTRACT(sensor_is_one_of_two_of_its_kind),
	CONTRACT(sensor_names_a_wrong_chip),
};

static int try_fixture(const struct fixture *fixture)
{
	char names[KRI_ARRAY_SIZE(contract)][128], group[96];
	struct CMUnitTest tests[KRI_ARRAY_SIZE(contract)];
	size_t count = 0, t;

	snprintf(group, sizeof(group), "%s@%s%s%s", fixture->driver, fixture->bus, fixture->options ? " " : "",
	         fixture->options ? fixture->options : "");
	if (!driver_of(fixture->driver)) {
		printf("%s: not tried, because the driver is not in this build\n", group);
		return 0;
	}
	for (t = 0; t < KRI_ARRAY_SIZE(contract); t++) {
		if (contract[t].function == sensor_names_a_wrong_chip && !fixture->make_wrong)
			continue;
		if (contract[t].function == sensor_decodes_as_its_data_sheets_table && !fixture->table)
			continue;
		snprintf(names[count], sizeof(names[count]), "%s: %s", fixture->driver, contract[t].name);
		tests[count] = (struct CMUnitTest){ .name = names[count],
			                            .test_func = contract[t].function,
			                            .initial_state = (void *)(uintptr_t)fixture };
		count++;
	}
	return _cmocka_run_group_tests(group, tests, count, NULL, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest once[] = { cmocka_unit_test(every_sensor_driver_has_its_fixture) };
	const struct fixture *const *set, *fixture;
	int failed = cmocka_run_group_tests(once, NULL, NULL), tried = 0;

	for (set = sensor_fixtures; *set; set++) {
		for (fixture = *set; fixture->driver; fixture++) {
			if (argc > 1 && strcmp(argv[1], fixture->driver) != 0)
				continue;
			failed += try_fixture(fixture);
			tried++;
		}
	}
	return failed || !tried ? 1 : 0;
}
