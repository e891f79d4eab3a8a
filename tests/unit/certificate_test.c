/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"
#include "digest/certificate.h"
#include "program.h"
#include "support.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY INT64_C(86400000000000)

static char *folder;

static int set_up(void **state)
{
	(void)state;
	folder = scratch_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_free(folder);
	return 0;
}

static void make(void)
{
	if (access("/usr/bin/openssl", X_OK) < 0 || !KRYOS_WITH_CRYPTO) {
		print_message("skipped: needs the openssl command and a build with libcrypto\n");
		skip();
	}
	assert_true(certs_make(folder));
}

static int64_t days_left(const char *name, bool last)
{
	int64_t until;

	assert_ok(kri_certificate_until(in(folder, name), last, &until));
	return (until - (int64_t)time(NULL) * 1000000000) / DAY;
}

static void join(const char *one, const char *other, const char *both)
{
	char *first = file_text(in(folder, one)), *second = file_text(in(folder, other));
	char *text = malloc(strlen(first) + strlen(second) + 1);

	assert_non_null(text);
	strcpy(text, first);
	strcat(text, second);
	write_file(in(folder, both), text);
	free(first);
	free(second);
	free(text);
}

static void end_of_a_certificate_is_read(void **state)
{
	(void)state;
	make();
	assert_in_range(days_left("client.crt", false), 3648, 3650);
	assert_true(days_left("expired.crt", false) < 0);
}

static void of_several_the_first_or_the_last_counts(void **state)
{
	(void)state;
	make();
	join("client.crt", "expired.crt", "chain.crt");
	assert_true(days_left("chain.crt", false) < 0);
	assert_in_range(days_left("chain.crt", true), 3648, 3650);
	join("client.key", "client.crt", "both.pem");
	assert_in_range(days_left("both.pem", false), 3648, 3650);
}

static void file_without_a_certificate_says_so(void **state)
{
	int64_t until = 7;

	(void)state;
	make();
	assert_fails(KRYOS_ECORRUPT, kri_certificate_until(in(folder, "client.key"), false, &until));
	assert_says(KRYOS_ECORRUPT, "client.key: holds no certificate in PEM");
	assert_fails(-ENOENT, kri_certificate_until(in(folder, "none.crt"), false, &until));
	assert_int_equal(until, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(end_of_a_certificate_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_several_the_first_or_the_last_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(file_without_a_certificate_says_so, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
