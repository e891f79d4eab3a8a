/* SPDX-License-Identifier: Apache-2.0 */
/* When an event of a type was stored last. */
#include "store/store.h"
#include "support.h"
#include <errno.h>
#include <kryos/clock.h>
#include <kryos/testing/clock.h>
#include <sqlite3.h>
#include <stdlib.h>

#define NOON INT64_C(1795000000000000000)

struct bench {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	bench->folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	kryos_fake_clock_set_synced(bench->clock, 1);
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_store_open(&bench->store, bench->ctx, in(bench->folder, "store"), NULL));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static void add(struct bench *bench, enum kryos_event_type type)
{
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_store_add_event(bench->store, &(struct kryos_event){ .size = sizeof(struct kryos_event),
	                                                                     .type = type,
	                                                                     .name = "",
	                                                                     .text = "by=nurse outputs=none" }));
	assert_ok(kryos_store_flush(bench->store, KRYOS_SECONDS(10)));
}

static void the_newest_of_its_type_is_found(void **state)
{
	struct kryos_time when = { .t_wall_ns = 7 };
	struct bench *bench = *state;

	add(bench, KRYOS_EVENT_AUDIT);
	assert_fails(-ENOENT, kri_store_get_newest(bench->store, KRYOS_EVENT_TEST, &when));
	assert_true(when.t_wall_ns == 7);
	add(bench, KRYOS_EVENT_TEST);
	add(bench, KRYOS_EVENT_TEST);
	add(bench, KRYOS_EVENT_AUDIT);
	assert_ok(kri_store_get_newest(bench->store, KRYOS_EVENT_TEST, &when));
	assert_true(when.t_wall_ns == NOON + KRYOS_MINUTES(3));
	assert_int_equal(when.trust, KRYOS_TRUST_SYNCED);
}

static void a_damaged_row_is_passed_over(void **state)
{
	struct bench *bench = *state;
	struct kryos_time when;
	sqlite3 *db;

	add(bench, KRYOS_EVENT_TEST);
	add(bench, KRYOS_EVENT_TEST);
	assert_int_equal(sqlite3_open(in(bench->folder, "store/state.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                              "UPDATE event SET t_wall_ns = 9 WHERE seq = (SELECT max(seq) FROM event WHERE "
	                              "type = 28)",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	assert_ok(kri_store_get_newest(bench->store, KRYOS_EVENT_TEST, &when));
	assert_true(when.t_wall_ns == NOON + KRYOS_MINUTES(1));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(the_newest_of_its_type_is_found),
		CASE(a_damaged_row_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
