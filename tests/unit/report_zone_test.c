/* SPDX-License-Identifier: Apache-2.0 */
/* By POSIX's own words for a zone, which need no file: Paris as it is, and India. */
#include "report/report.h"
#include "support.h"
#include <errno.h>
#include <string.h>

#define PARIS "CET-1CEST,M3.5.0,M10.5.0/3"
#define CHANGE_NS INT64_C(1792890000000000000) /* 2026-10-25T01:00:00Z: 3:00 becomes 2:00 */

static void local_time_has_the_offset_that_is_in_force_then(void **state)
{
	char text[KRI_LOCAL_TEXT];

	(void)state;
	assert_ok(kri_zone_use(PARIS));
	assert_string_equal(kri_local_text(CHANGE_NS - KRYOS_SECONDS(1), true, text), "2026-10-25 02:59 UTC+02:00");
	assert_string_equal(kri_local_text(CHANGE_NS, true, text), "2026-10-25 02:00 UTC+01:00");
	assert_ok(kri_zone_use("IST-5:30,M3.5.0,M3.5.0"));
	assert_string_equal(kri_offset_text(19800, text), "UTC+05:30");
	assert_string_equal(kri_offset_text(-12600, text), "UTC\u221203:30");
	assert_ok(kri_zone_use("UTC"));
	assert_string_equal(kri_local_text(CHANGE_NS, true, text), "2026-10-25 01:00 UTC+00:00");
}

static void a_change_of_the_clock_is_found_to_the_second(void **state)
{
	(void)state;
	assert_ok(kri_zone_use(PARIS));
	assert_int_equal(kri_zone_change(CHANGE_NS - KRYOS_DAYS(20), CHANGE_NS + KRYOS_DAYS(20)), CHANGE_NS);
	assert_int_equal(kri_zone_change(CHANGE_NS - 1, CHANGE_NS + 1), CHANGE_NS);
	assert_true(kri_zone_change(CHANGE_NS, CHANGE_NS + KRYOS_DAYS(100)) == INT64_MAX);
	assert_true(kri_zone_change(CHANGE_NS - KRYOS_DAYS(20), CHANGE_NS - KRYOS_DAYS(1)) == INT64_MAX);
}

static void a_day_on_which_the_clock_changes_has_25_hours(void **state)
{
	int64_t midnight;

	(void)state;
	assert_ok(kri_zone_use(PARIS));
	midnight = kri_local_midnight(CHANGE_NS);
	assert_int_equal(midnight, CHANGE_NS - KRYOS_HOURS(3));
	assert_int_equal(kri_next_midnight(midnight) - midnight, KRYOS_HOURS(25));
}

static void a_zone_that_there_is_not_is_refused(void **state)
{
	static const char *const bad[] = { "", "Mars/Olympus", "../../../etc/passwd", "/etc/localtime" };

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(bad); i++) {
		assert_int_equal(kri_zone_use(bad[i]), -EINVAL);
		assert_says(-EINVAL, "as in Asia/Kolkata");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_time_has_the_offset_that_is_in_force_then),
		cmocka_unit_test(a_change_of_the_clock_is_found_to_the_second),
		cmocka_unit_test(a_day_on_which_the_clock_changes_has_25_hours),
		cmocka_unit_test(a_zone_that_there_is_not_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
