/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE KRYOS_MINUTES(1)
#define TRACES 3000

static struct kryos_holdover *make(void)
{
	struct kryos_holdover *holdover;

	assert_ok(
		kryos_holdover_new(&holdover, KRYOS_HOLDOVER_CONFIG(.has = KRYOS_EXPOSURE_HIGH, .high_micro = 10000000,
	                                                            .gap_limit_ns = 20 * MINUTE)));
	return holdover;
}

static struct kryos_sample at(int64_t minutes)
{
	return (struct kryos_sample){ .t_boot_ns = minutes * MINUTE,
		                      .t_wall_ns = KRYOS_DAYS(20000) + minutes * MINUTE,
		                      .boot = 1,
		                      .trust = KRYOS_TRUST_SYNCED };
}

static void take(struct kryos_holdover *holdover, int64_t minutes, double celsius)
{
	struct kryos_sample sample = at(minutes);

	assert_ok(kryos_micro_from_double(celsius, &sample.value_micro));
	assert_ok(kryos_holdover_take(holdover, &sample));
}

static struct kryos_power_loss look(const struct kryos_holdover *holdover)
{
	struct kryos_power_loss loss = { .size = sizeof(loss) };

	assert_int_equal(kryos_holdover_look(holdover, &loss), 1);
	return loss;
}

static struct kryos_power_loss supply(struct kryos_holdover *holdover, int64_t minutes, int on, int expected)
{
	struct kryos_power_loss loss = { .size = sizeof(loss) };
	struct kryos_sample sample = at(minutes);

	assert_int_equal(kryos_holdover_take_supply(holdover, &sample, on, &loss), expected);
	return loss;
}

static void the_holdover_ends_between_two_readings(void **state)
{
	struct kryos_holdover *holdover = make();
	struct kryos_power_loss loss = { .size = sizeof(loss) };

	(void)state;
	supply(holdover, 0, 1, 0);
	assert_int_equal(kryos_holdover_look(holdover, &loss), 0);
	take(holdover, 1, 4.5);
	supply(holdover, 5, 0, 0);
	supply(holdover, 6, 0, 0);
	for (int64_t minute = 11; minute < 71; minute += 20)
		take(holdover, minute, 3.5);
	take(holdover, 71, 10); /* not above */
	loss = look(holdover);
	assert_int_equal(loss.known, KRYOS_LOSS_VALUE | KRYOS_LOSS_EXTREMES);
	assert_int_equal(loss.length_ns, 66 * MINUTE);
	assert_int_equal(loss.held_ns, 66 * MINUTE);
	take(holdover, 81, 10.1);
	take(holdover, 91, 12);
	take(holdover, 95, 9); /* someone put ice in: it had left */
	loss = supply(holdover, 100, 1, 1);
	assert_int_equal(loss.known, KRYOS_LOSS_ENDED | KRYOS_LOSS_VALUE | KRYOS_LOSS_EXTREMES | KRYOS_LOSS_LEFT);
	assert_int_equal(loss.start.t_boot_ns, 5 * MINUTE);
	assert_int_equal(loss.end.t_wall_ns, at(100).t_wall_ns);
	assert_int_equal(loss.length_ns, 95 * MINUTE);
	assert_int_equal(loss.value_micro, 4500000);
	assert_int_equal(loss.held_ns, 66 * MINUTE);
	assert_int_equal(loss.left_ns, 76 * MINUTE);
	assert_int_equal(loss.left.t_boot_ns, 81 * MINUTE);
	assert_int_equal(loss.min_micro, 3500000);
	assert_int_equal(loss.max_micro, 12000000);
	assert_int_equal(kryos_holdover_look(holdover, &loss), 0);
	kryos_holdover_free(holdover);
}

static void what_was_not_seen_is_not_said_to_have_held(void **state)
{
	struct kryos_holdover *holdover = make();
	struct kryos_power_loss loss;

	(void)state;
	supply(holdover, 0, 1, 0);
	take(holdover, 1, 4.5);
	supply(holdover, 5, 0, 0);
	take(holdover, 21, 5); /* twenty minutes after the one before */
	assert_int_equal(look(holdover).held_ns, 16 * MINUTE);
	take(holdover, 42, 6); /* ... twenty-one */
	take(holdover, 50, 6);
	loss = look(holdover);
	assert_true(loss.known & KRYOS_LOSS_UNSEEN);
	assert_false(loss.known & KRYOS_LOSS_LEFT);
	assert_int_equal(loss.held_ns, 16 * MINUTE);
	take(holdover, 60, 11);
	loss = supply(holdover, 90, 1, 1);
	assert_true(loss.known & KRYOS_LOSS_LEFT);
	assert_int_equal(loss.held_ns, 16 * MINUTE);
	assert_int_equal(loss.left_ns, 55 * MINUTE);
	supply(holdover, 200, 0, 0);
	take(holdover, 220, 5); /* what was before is too old to count from */
	loss = look(holdover);
	assert_int_equal(loss.known, KRYOS_LOSS_EXTREMES);
	assert_int_equal(loss.held_ns, 20 * MINUTE);
	kryos_holdover_free(holdover);
}

static void what_was_warm_before_holds_nothing(void **state)
{
	struct kryos_holdover *holdover = make();
	struct kryos_power_loss loss;

	(void)state;
	supply(holdover, 0, 1, 0);
	take(holdover, 1, 11);
	supply(holdover, 5, 0, 0);
	take(holdover, 6, 9);
	loss = look(holdover);
	assert_true(loss.known & KRYOS_LOSS_LEFT);
	assert_int_equal(loss.left_ns, 0);
	assert_int_equal(loss.held_ns, 0);
	assert_int_equal(loss.left.t_boot_ns, loss.start.t_boot_ns);
	kryos_holdover_free(holdover);
}

static void a_loss_that_was_there_at_first_began_earlier(void **state)
{
	struct kryos_holdover *holdover = make();
	struct kryos_power_loss loss;
	struct kryos_sample sample = at(50);

	(void)state;
	take(holdover, 0, 5);
	supply(holdover, 21, 0, 0); /* what was measured is too old to stand for it */
	assert_int_equal(look(holdover).known, KRYOS_LOSS_EARLIER);
	sample.quality = KRYOS_QUALITY_ABSENT;
	assert_ok(kryos_holdover_take_supply(holdover, &sample, 1, NULL)); /* nobody knows: it goes on */
	sample.value_micro = 90000000;
	assert_ok(kryos_holdover_take(holdover, &sample));
	loss = supply(holdover, 60, 1, 1);
	assert_int_equal(loss.known,
	                 KRYOS_LOSS_EARLIER | KRYOS_LOSS_ENDED); /* held, as far as was measured: not at all */
	assert_int_equal(loss.held_ns, 0);
	kryos_holdover_free(holdover);
}

static void a_device_that_was_off_counts_by_trusted_time_only(void **state)
{
	(void)state;
	for (int trusted = 0; trusted < 2; trusted++) {
		struct kryos_holdover *holdover = make();
		struct kryos_power_loss loss = { .size = sizeof(loss) };
		struct kryos_sample sample = at(600);

		supply(holdover, 0, 1, 0);
		supply(holdover, 10, 0, 0);
		take(holdover, 20, 6);
		sample.boot = 2;
		sample.t_boot_ns = MINUTE;
		sample.trust = trusted ? KRYOS_TRUST_RTC : KRYOS_TRUST_NONE;
		sample.value_micro = 15000000;
		assert_ok(kryos_holdover_take(holdover, &sample));
		assert_int_equal(kryos_holdover_take_supply(holdover, &sample, 1, &loss), 1);
		assert_int_equal(loss.uncertain, !trusted);
		assert_int_equal(loss.held_ns, 10 * MINUTE);
		assert_int_equal(loss.left_ns, (trusted ? 590 : 11) * MINUTE);
		assert_int_equal(loss.max_micro, 15000000);
		kryos_holdover_free(holdover);
	}
}

/* Random traces: all samples looked at anew for each loss, and the same saved and restored anywhere. */
static void losses_follow_their_definition_and_a_state_goes_on(void **state)
{
	uint64_t seed = seed_from_environment(20261122);
	unsigned int losses = 0, left = 0;

	(void)state;
	for (unsigned int n = 0; n < TRACES; n++) {
		struct kryos_holdover *holdover = make();
		uint64_t random = seed + n;
		int64_t minute = 0, start = -1, last = -1, held = 0, gone = -1, from = 0;
		bool unseen = false;
		double value = 5, last_value = 0;
		bool on = true;

		for (int i = 0; i < 60; i++) {
			minute += (int64_t)(next_random(&random) % 30);
			if (next_random(&random) % 4 == 0) {
				void *bytes;
				size_t count;

				assert_ok(kryos_holdover_save(holdover, &bytes, &count));
				kryos_holdover_free(holdover);
				holdover = make();
				assert_ok(kryos_holdover_restore(holdover, bytes, count));
				free(bytes);
			}
			if (next_random(&random) % 4) {
				value += (double)(next_random(&random) % 9) - 4;
				take(holdover, minute, value);
				last = minute;
				last_value = value;
				unseen = unseen || (start >= 0 && gone < 0 && minute - from > 20);
				from = minute;
				if (start >= 0 && gone < 0 && value > 10)
					gone = minute;
				else if (start >= 0 && gone < 0 && !unseen)
					held = minute - start;
				continue;
			}
			if (next_random(&random) % 3 == 0)
				on = !on;
			if (on && start >= 0) {
				struct kryos_power_loss loss = supply(holdover, minute, 1, 1);

				if (loss.length_ns != (minute - start) * MINUTE || loss.held_ns != held * MINUTE ||
				    !(loss.known & KRYOS_LOSS_LEFT) != (gone < 0) ||
				    !(loss.known & KRYOS_LOSS_UNSEEN) != !unseen ||
				    (gone >= 0 && loss.left_ns != (gone - start) * MINUTE))
					fail_msg("KRYOS_SEED=%" PRIu64 ": the loss is not as defined", seed + n);
				losses++;
				left += gone >= 0;
				start = -1;
			} else {
				supply(holdover, minute, on, 0);
				if (!on && start < 0) {
					start = minute;
					held = 0;
					unseen = false;
					from = last >= 0 && minute - last <= 20 ? last : minute;
					gone = last >= 0 && minute - last <= 20 && last_value > 10 ? minute : -1;
				}
			}
		}
		kryos_holdover_free(holdover);
	}
	print_message("seed %" PRIu64 ": %d traces, %u losses, %u that left the range\n", seed, TRACES, losses, left);
	assert_true(left > TRACES / 4 && losses - left > TRACES / 4); /* or nothing was compared */
}

static void what_is_wrong_is_refused(void **state)
{
	struct kryos_holdover *holdover;
	struct kryos_power_loss loss = { 0 };
	struct kryos_sample sample = at(10);
	void *bytes;
	size_t count;

	(void)state;
	assert_fails(-EINVAL, kryos_holdover_new(&holdover, KRYOS_HOLDOVER_CONFIG(.gap_limit_ns = MINUTE)));
	assert_says(-EINVAL, "high_micro");
	assert_fails(-EINVAL, kryos_holdover_new(&holdover, KRYOS_HOLDOVER_CONFIG(.has = KRYOS_EXPOSURE_LOW)));
	assert_says(-EINVAL, "gap_limit_ns");
	holdover = make();
	assert_fails(-EINVAL, kryos_holdover_take_supply(holdover, &sample, 0, &loss));
	supply(holdover, 10, 0, 0);
	take(holdover, 9, 5); /* of another channel in the same round: as of 10 */
	assert_int_equal(look(holdover).held_ns, 0);
	assert_fails(-EINVAL, kryos_holdover_look(holdover, &loss));
	sample.t_boot_ns = -1;
	assert_fails(-EINVAL, kryos_holdover_take(holdover, &sample));
	assert_ok(kryos_holdover_save(holdover, &bytes, &count));
	assert_fails(-EBUSY, kryos_holdover_restore(holdover, bytes, count));
	kryos_holdover_free(holdover);
	holdover = make();
	for (size_t i = 0; i < count; i++) {
		((unsigned char *)bytes)[i] ^= 1;
		assert_fails(KRYOS_ECORRUPT, kryos_holdover_restore(holdover, bytes, count));
		((unsigned char *)bytes)[i] ^= 1;
	}
	assert_ok(kryos_holdover_restore(holdover, bytes, count));
	free(bytes);
	kryos_holdover_free(holdover);
	kryos_holdover_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_holdover_ends_between_two_readings),
		cmocka_unit_test(what_was_not_seen_is_not_said_to_have_held),
		cmocka_unit_test(what_was_warm_before_holds_nothing),
		cmocka_unit_test(a_loss_that_was_there_at_first_began_earlier),
		cmocka_unit_test(a_device_that_was_off_counts_by_trusted_time_only),
		cmocka_unit_test(losses_follow_their_definition_and_a_state_goes_on),
		cmocka_unit_test(what_is_wrong_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
