/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why nothing but SQLite may open a live segment in the writer's process: closing a descriptor of our own drops
 * SQLite's locks with it (fcntl(2)). Whoever looks in with the sqlite3 shell then is alone as far as he can see, and
 * removes the log behind the writer's back when he leaves. The second case is the control of the first: without the
 * guard the harm must be seen, or the first could not fail.
 */
#include "rig.h"
#include "store/salvage.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What somebody sees who opens the segment with the sqlite3 shell, and leaves again. */
static int look_in(const char *path)
{
	char command[PATH_MAX + 80];
	int count = -1;
	FILE *shell;

	snprintf(command, sizeof(command), "sqlite3 '%s' 'SELECT count(*) FROM sample'", path);
	shell = popen(command, "r");
	assert_non_null(shell);
	assert_int_equal(fscanf(shell, "%d", &count), 1);
	assert_int_equal(pclose(shell), 0);
	return count;
}

static void peek(const char *path)
{
	struct kri_wal_scan scan;
	struct kri_peek db;
	uint8_t page[512];

	assert_ok(kri_wal_scan(path, &scan));
	assert_ok(kri_peek_open(&db, path, KRI_PEEK_DB));
	assert_ok(kri_peek_read(&db, page, sizeof(page), 0));
	kri_peek_close(&db);
}

static void open_and_close(const char *path)
{
	assert_int_equal(close(open(path, O_RDONLY | O_CLOEXEC)), 0);
}

/* Of six accepted samples, how many are there once the writer has looked into its own files. */
static int accept_six(struct rig *rig, void (*look)(const char *path))
{
	char path[PATH_MAX];

	rig_start(rig, NULL);
	for (int i = 0; i < 3; i++)
		rig_append(rig, rig->fridge, i);
	snprintf(path, sizeof(path), "%s", rig_segment_path(rig, 0));
	look(path);
	assert_int_equal(look_in(path), 3);
	for (int i = 3; i < 6; i++)
		rig_append(rig, rig->fridge, i);
	assert_int_equal(rig_status(rig).accepted, 6);
	return look_in(path);
}

static void a_look_through_sqlites_own_vfs_costs_nothing(void **state)
{
	assert_int_equal(accept_six(*state, peek), 6);
}

static void a_descriptor_of_our_own_would_cost_accepted_samples(void **state)
{
	int there = accept_six(*state, open_and_close);

	print_message("unguarded: %d of 6 accepted samples are there\n", there);
	assert_true(there < 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_look_through_sqlites_own_vfs_costs_nothing, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_descriptor_of_our_own_would_cost_accepted_samples, rig_setup,
		                                rig_teardown),
	};

	if (system("command -v sqlite3 >/dev/null")) {
		print_message("skipped: needs the sqlite3 command\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
