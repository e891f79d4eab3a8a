/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include <kryos/bundle.h>
#include <stdlib.h>
#include <string.h>

#define LIMITS KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .keep_ns = KRYOS_DAYS(1))

static int count_left(const char *folder)
{
	char command[600];
	FILE *out;
	int count = 0;

	snprintf(command, sizeof(command), "ls '%s' | grep kryos-bundle- | wc -l", folder);
	out = popen(command, "r");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%d", &count), 1);
	pclose(out);
	return count;
}

static void a_bundle_is_read_as_the_store_it_was_taken_from(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	char *before = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL, bundle[5000];
	struct kryos_ctx *ctx = NULL;
	struct kryos_reader *store, *reader;
	struct kryos_row here[16], there[16];
	int count, events[2] = { 0 };

	rig_start(rig, LIMITS);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_append_minutes(rig, 5);
	rig_rotate(rig);
	rig_append_minutes(rig, 3);
	rig_wait_sealed(rig);
	/* A store that is open goes on saying things. */
	rig_stop(rig);
	assert_ok(kryos_ctx_new(&ctx, NULL));
	setenv("TMPDIR", rig->folder, 1);
	snprintf(bundle, sizeof(bundle), "%s/evidence.tar", rig->folder);
	assert_ok(kryos_bundle_write(ctx, rig->path, bundle, NULL, NULL));
	assert_ok(kryos_reader_open(&store, ctx, rig->path));
	assert_ok(kryos_reader_open(&reader, ctx, bundle));
	assert_int_equal(count_left(rig->folder), 1);
	count = kryos_reader_read_rows(store, here, 16);
	assert_int_equal(count, 8);
	assert_int_equal(kryos_reader_read_rows(reader, there, 16), count);
	assert_memory_equal(here, there, (size_t)count * sizeof(*here));
	while (kryos_reader_next_event(store, &record) > 0)
		events[0]++;
	while (kryos_reader_next_event(reader, &record) > 0)
		events[1]++;
	assert_true(events[0] > 0);
	assert_int_equal(events[1], events[0]);
	kryos_reader_close(store);
	kryos_ctx_free(ctx); /* closes the other one, and clears away what it unpacked */
	assert_int_equal(count_left(rig->folder), 0);
	before ? setenv("TMPDIR", before, 1) : unsetenv("TMPDIR");
	free(before);
}

static void an_archive_of_something_else_is_refused_and_leaves_nothing(void **state)
{
	struct rig *rig = *state;
	struct kryos_reader *reader = NULL;
	char command[10000], path[5000];

	rig_start(rig, LIMITS);
	snprintf(path, sizeof(path), "%s/other.tar", rig->folder);
	/* BusyBox's knows one format, this one, and no option for it. */
	snprintf(command, sizeof(command),
	         "cd '%s' && echo 1 > README.txt &&"
	         " { tar --format=ustar -cf other.tar README.txt 2>/dev/null || tar -cf other.tar README.txt; }",
	         rig->folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(kryos_reader_open(&reader, rig->ctx, path), KRYOS_ECORRUPT);
	assert_says(KRYOS_ECORRUPT, "other.tar");
	assert_null(reader);
	snprintf(path, sizeof(path), "%s/README.txt", rig->folder);
	assert_int_equal(kryos_reader_open(&reader, rig->ctx, path), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_bundle_is_read_as_the_store_it_was_taken_from, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(an_archive_of_something_else_is_refused_and_leaves_nothing, rig_setup,
		                                rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
