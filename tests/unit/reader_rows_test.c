/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include <math.h>
#include <sys/stat.h>

#define LIMITS KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .keep_ns = KRYOS_DAYS(1))

/* A closed segment and the open one: how many samples. */
static int make_store(struct rig *rig)
{
	struct kryos_sample samples[3];

	rig_start(rig, LIMITS);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_append_minutes(rig, 5);
	rig_rotate(rig);
	for (int i = 0; i < 3; i++)
		samples[i] = rig_sample(rig->room, 21500000 + i);
	samples[1].quality = KRYOS_QUALITY_OPEN;
	samples[2].quality = KRYOS_QUALITY_STUCK;
	assert_ok(kryos_store_append(rig->store, samples, 3));
	rig_append(rig, rig->fridge, -500000);
	return 5 + 3 + 1;
}

static void rows_are_the_samples_that_next_gives(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_reader *one, *many;
	struct kryos_row rows[16];
	int count = make_store(rig), at = 0;

	assert_ok(kryos_reader_open(&one, rig->ctx, rig->path));
	assert_ok(kryos_reader_open(&many, rig->ctx, rig->path));
	assert_int_equal(kryos_reader_read_rows(many, rows, 0), 0);
	assert_int_equal(kryos_reader_read_rows(many, rows, 4), 4);
	assert_int_equal(kryos_reader_next(many, &record), 1);
	assert_int_equal(record->seq, rows[3].seq + 1);
	assert_ok(kryos_reader_seek(many, rows[3].seq + 1));
	assert_int_equal(kryos_reader_read_rows(many, rows + 4, 12), count - 4);
	assert_int_equal(kryos_reader_read_rows(many, rows, 0), 0);
	for (; kryos_reader_next(one, &record) > 0; at++) {
		const struct kryos_row *row = &rows[at];

		assert_int_equal(row->seq, record->seq);
		assert_int_equal(row->t_wall_ns, record->sample.t_wall_ns);
		assert_int_equal(row->channel, record->sample.channel);
		assert_int_equal(row->round, record->sample.round);
		assert_int_equal(row->boot, record->sample.boot);
		assert_int_equal(row->quality, record->sample.quality);
		assert_int_equal(row->trust, record->sample.trust);
		if (record->sample.quality == KRYOS_QUALITY_OPEN)
			assert_true(isnan(row->value));
		else
			assert_true(row->value == kryos_micro_to_double(record->sample.value_micro));
	}
	assert_int_equal(at, count);
	rig_append(rig, rig->fridge, 1);
	assert_int_equal(kryos_reader_read_rows(many, rows, 16), 1);
	assert_int_equal(kryos_reader_read_rows(many, rows, 16), 0);
	kryos_reader_close(one);
	kryos_reader_close(many);
}

static void a_row_with_a_wrong_checksum_is_left_out_and_counted(void **state)
{
	struct rig *rig = *state;
	struct kryos_reader *reader;
	struct kryos_row rows[16];
	const char *path;
	uint64_t damaged;
	int count = make_store(rig);

	path = rig_segment_path(rig, 0);
	rig_stop(rig);
	assert_int_equal(rig_sql(path, "UPDATE sample SET value_micro=7 WHERE quality=6"), 1);
	rig_start(rig, LIMITS);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	assert_int_equal(kryos_reader_read_rows(reader, rows, 16), count - 1);
	assert_ok(kryos_reader_get_damaged(reader, &damaged));
	assert_int_equal(damaged, 1);
	assert_int_equal(kryos_reader_read_rows(NULL, rows, 16), -EINVAL);
	assert_int_equal(kryos_reader_read_rows(reader, NULL, 16), -EINVAL);
	kryos_reader_close(reader);
}

static void what_cant_be_read_is_told_behind_the_rows_before_it(void **state)
{
	struct rig *rig = *state;
	struct kryos_reader *reader;
	struct kryos_row rows[16];
	const char *path;
	sqlite3 *holder;

	rig_start(rig, LIMITS);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_append_minutes(rig, 5);
	rig_rotate(rig);
	rig_append_minutes(rig, 3);
	rig_rotate(rig);
	rig_append(rig, rig->fridge, 1);
	rig_wait_sealed(rig);
	path = rig_segment_path(rig, 1);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sqlite3_open(path, &holder), SQLITE_OK);
	assert_int_equal(sqlite3_exec(holder, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	assert_int_equal(kryos_reader_read_rows(reader, rows, 16), 5);
	assert_int_equal(kryos_reader_read_rows(reader, rows, 16), -EBUSY);
	assert_int_equal(sqlite3_close(holder), SQLITE_OK);
	assert_int_equal(kryos_reader_read_rows(reader, rows, 16), 3 + 1);
	assert_int_equal(kryos_reader_read_rows(reader, rows, 16), 0);
	kryos_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_are_the_samples_that_next_gives, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(what_cant_be_read_is_told_behind_the_rows_before_it, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(a_row_with_a_wrong_checksum_is_left_out_and_counted, rig_setup,
		                                rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
