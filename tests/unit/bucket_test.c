/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"
#include "support.h"

/* Drains a bucket for a time in steps of 1 ms, each share as fast as it goes. */
static void drain(struct kri_bucket *bucket, int64_t from, int64_t ns, bool live, bool rest, int64_t sent[2])
{
	sent[0] = sent[1] = 0;
	for (int64_t now = from; now <= from + ns; now += KRYOS_MILLISECONDS(1)) {
		kri_bucket_fill(bucket, now);
		for (int share = 0; share < 2; share++)
			while ((share == KRI_SHARE_LIVE ? live : rest) && kri_bucket_has(bucket, share)) {
				kri_bucket_take(bucket, share);
				sent[share]++;
			}
	}
}

static void burst_goes_at_once_and_then_the_rate_holds(void **state)
{
	struct kri_bucket bucket;
	int64_t sent[2];

	(void)state;
	kri_bucket_init(&bucket, 20000, 100, 20, 0);
	drain(&bucket, 0, 0, true, true, sent);
	assert_int_equal(sent[KRI_SHARE_LIVE], 20);
	assert_int_equal(sent[KRI_SHARE_REST], 80);
	drain(&bucket, 0, KRYOS_SECONDS(100), true, true, sent);
	assert_int_equal(sent[KRI_SHARE_LIVE], 400);
	assert_int_equal(sent[KRI_SHARE_REST], 1600);
}

static void an_unused_live_share_goes_to_the_backlog(void **state)
{
	struct kri_bucket bucket;
	int64_t sent[2];

	(void)state;
	kri_bucket_init(&bucket, 20000, 100, 20, 0);
	drain(&bucket, 0, KRYOS_SECONDS(100), false, true, sent);
	assert_int_equal(sent[KRI_SHARE_REST], 80 + 2000);
	assert_true(kri_bucket_has(&bucket, KRI_SHARE_LIVE));
}

static void an_unused_backlog_share_goes_to_live(void **state)
{
	struct kri_bucket bucket;
	int64_t sent[2];

	(void)state;
	kri_bucket_init(&bucket, 20000, 100, 20, 0);
	drain(&bucket, 0, KRYOS_SECONDS(100), true, false, sent);
	assert_int_equal(sent[KRI_SHARE_LIVE], 20 + 2000);
}

static void a_burst_of_one_still_lets_each_share_send(void **state)
{
	struct kri_bucket bucket;

	(void)state;
	kri_bucket_init(&bucket, 1000, 1, 1, 0);
	assert_true(kri_bucket_has(&bucket, KRI_SHARE_LIVE));
	assert_true(kri_bucket_has(&bucket, KRI_SHARE_REST));
	kri_bucket_take(&bucket, KRI_SHARE_LIVE);
	kri_bucket_take(&bucket, KRI_SHARE_REST);
	assert_false(kri_bucket_has(&bucket, KRI_SHARE_LIVE));
	assert_false(kri_bucket_has(&bucket, KRI_SHARE_REST));
}

static void wait_is_exact(void **state)
{
	struct kri_bucket bucket;
	int64_t wait;

	(void)state;
	kri_bucket_init(&bucket, 10, 1, 20, 0); /* one in 100 s, 80 % of it for the rest */
	kri_bucket_take(&bucket, KRI_SHARE_REST);
	kri_bucket_take(&bucket, KRI_SHARE_LIVE);
	wait = kri_bucket_wait(&bucket, KRI_SHARE_REST);
	assert_int_equal(wait, KRYOS_SECONDS(125));
	kri_bucket_fill(&bucket, wait - 1);
	assert_false(kri_bucket_has(&bucket, KRI_SHARE_REST));
	kri_bucket_fill(&bucket, wait);
	assert_true(kri_bucket_has(&bucket, KRI_SHARE_REST));
}

static void a_pause_of_years_and_a_clock_that_stands_do_no_harm(void **state)
{
	struct kri_bucket bucket;
	int64_t sent[2];

	(void)state;
	kri_bucket_init(&bucket, 100000, 1000, 90, 0);
	drain(&bucket, 0, 0, true, true, sent);
	kri_bucket_fill(&bucket, INT64_MAX / 2);
	drain(&bucket, INT64_MAX / 2, 0, true, true, sent);
	assert_int_equal(sent[0] + sent[1], 1000);
	kri_bucket_fill(&bucket, 5); /* back: ignored */
	assert_false(kri_bucket_has(&bucket, KRI_SHARE_REST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_goes_at_once_and_then_the_rate_holds),
		cmocka_unit_test(an_unused_live_share_goes_to_the_backlog),
		cmocka_unit_test(an_unused_backlog_share_goes_to_live),
		cmocka_unit_test(a_burst_of_one_still_lets_each_share_send),
		cmocka_unit_test(wait_is_exact),
		cmocka_unit_test(a_pause_of_years_and_a_clock_that_stands_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
