/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the built kryosctl where segments are damaged: what it salvages, and what it says of a store that has some. */
#include "program.h"
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS 120 /* in the segment that is damaged, a few pages */

/* What one run gave. */
struct outcome {
	int status;
	char *out, *err;
};

static void run(struct rig *rig, struct outcome *outcome, const char *const *arguments)
{
	const char *argv[12] = { built("examples/kryosctl/kryosctl") };
	struct program program;

	for (int i = 0; arguments[i]; i++)
		argv[i + 1] = arguments[i];
	free(outcome->out);
	free(outcome->err);
	outcome->status = program_run(&program, rig->folder, ARGV(NULL), argv);
	outcome->out = file_text(program.out);
	outcome->err = file_text(program.err);
}

#define RUN(rig, outcome, ...) run(rig, outcome, (const char *const[]){ __VA_ARGS__, NULL })

static void finish(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->err);
	*outcome = (struct outcome){ 0 };
}

static void expect(const struct outcome *outcome, int status, const char *out, const char *err)
{
	if (outcome->status != status || !strstr(outcome->out, out) || !strstr(outcome->err, err))
		fail_msg("status %d, not %d, or no \"%s\" in\n%s, or no \"%s\" in\n%s", outcome->status, status, out,
		         outcome->out, err, outcome->err);
}

static void open_store(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
}

/* A store whose oldest segment is sealed and has ROWS samples; nobody has it open. Its path. */
static const char *leave_segments(struct rig *rig)
{
	static char path[4096];

	open_store(rig);
	for (int i = 0; i < ROWS; i++)
		rig_append(rig, rig->fridge, 1000 * i);
	snprintf(path, sizeof(path), "%s", rig_segment_path(rig, 0));
	for (int i = 0; i < 2; i++) {
		rig_rotate(rig);
		rig_append(rig, rig->fridge, -1);
	}
	rig_wait_sealed(rig);
	rig_stop(rig);
	return path;
}

static int64_t size_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

/* A copy of the file, writable, in the test's folder. */
static void copy(struct rig *rig, const char *path, const char *name, char to[4096])
{
	char buffer[4096];
	FILE *from, *file;
	size_t count;

	snprintf(to, 4096, "%s/%s", rig->folder, name);
	from = fopen(path, "r");
	file = fopen(to, "w");
	assert_non_null(from);
	assert_non_null(file);
	while ((count = fread(buffer, 1, sizeof(buffer), from)) > 0)
		assert_int_equal(fwrite(buffer, 1, count, file), count);
	fclose(from);
	assert_int_equal(fclose(file), 0);
}

static void overwrite(const char *path, int64_t offset, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	char *bytes = malloc(size);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	memset(bytes, 0xa5, size);
	assert_int_equal(pwrite(fd, bytes, size, offset), size);
	close(fd);
	free(bytes);
}

static int salvaged(const struct outcome *outcome)
{
	const char *at = strstr(outcome->out, ": ");

	assert_non_null(at);
	return atoi(at + 2);
}

static void a_segment_gives_what_is_left_of_it_and_is_not_changed(void **state)
{
	struct outcome outcome = { 0 };
	char whole[4096], cut[4096], headless[4096];
	const char *segment;
	struct rig *rig = *state;
	int64_t size;

	segment = leave_segments(rig);
	copy(rig, segment, "whole.seg", whole);
	copy(rig, segment, "cut.seg", cut);
	copy(rig, segment, "headless.seg", headless);
	RUN(rig, &outcome, "salvage", whole, "-o", in(rig->folder, "1.seg"));
	expect(&outcome, 0, "samples whose checksum holds are in ", "");
	assert_int_equal(salvaged(&outcome), ROWS);
	expect(&outcome, 0, "; 0 places look like rows with a wrong checksum; 0 pages could not be read\n", "");

	size = size_of(cut);
	assert_int_equal(truncate(cut, size / 2 + 100), 0);
	RUN(rig, &outcome, "salvage", cut, "-o", in(rig->folder, "2.seg"));
	expect(&outcome, 0, "How many are missing can't be told from the file", "");
	assert_true(salvaged(&outcome) > 0 && salvaged(&outcome) < ROWS);
	assert_int_equal(size_of(cut), size / 2 + 100);

	/* SQLite does not even take it for a database. */
	overwrite(headless, 0, 512);
	RUN(rig, &outcome, "verify", headless);
	expect(&outcome, 1, "0 samples", "");
	RUN(rig, &outcome, "salvage", headless, "--output", in(rig->folder, "3.seg"));
	assert_int_equal(salvaged(&outcome), ROWS);
	RUN(rig, &outcome, "verify", in(rig->folder, "3.seg"));
	expect(&outcome, 1, "row checksums: 0 wrong", "");
	expect(&outcome, 1, "3.seg: it was salvaged from a damaged one: it has no hash chain and no seal", "");

	RUN(rig, &outcome, "salvage", in(rig->folder, "3.seg"), "-o", in(rig->folder, "4.seg"), "--json");
	expect(&outcome, 0, "\"samples\":120,", "");
	expect(&outcome, 0, "4.seg\"", "");
	expect(&outcome, 0, "\"rejected\":0,\"unreadable\":0", "");
	finish(&outcome);
}

/* A value's byte, found by what SQLite keeps it as: it notices nothing. */
static void a_changed_value_is_left_out_and_said(void **state)
{
	struct outcome outcome = { 0 };
	struct rig *rig = *state;
	char path[4096], *bytes = malloc(1 << 20);
	int64_t at = 0;
	size_t size;
	FILE *file;

	assert_non_null(bytes);
	copy(rig, leave_segments(rig), "changed.seg", path);
	file = fopen(path, "r");
	assert_non_null(file);
	size = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	/* 77000 as a big-endian integer of 24 bits (file format 2.1). */
	for (size_t i = 0; i + 3 <= size; i++) {
		if (memcmp(bytes + i, "\x01\x2c\xc8", 3) == 0)
			at = (int64_t)i;
	}
	free(bytes);
	assert_true(at > 0);
	overwrite(path, at + 2, 1);
	RUN(rig, &outcome, "salvage", path, "-o", in(rig->folder, "left.seg"));
	expect(&outcome, 1, "; 1 places look like rows with a wrong checksum; 0 pages", "");
	assert_int_equal(salvaged(&outcome), ROWS - 1);
	assert_int_equal(access(in(rig->folder, "left.seg"), R_OK), 0);
	finish(&outcome);
}

static void what_is_no_segment_gives_nothing_and_writes_nothing(void **state)
{
	struct outcome outcome = { 0 };
	struct rig *rig = *state;
	const char *segment = leave_segments(rig);
	char left[4096];

	snprintf(left, sizeof(left), "%s/left.seg", rig->folder);
	RUN(rig, &outcome, "salvage", built("examples/kryosctl/kryosctl"), "-o", left);
	expect(&outcome, 1, ": no sample whose checksum holds was found in it; nothing was written\n", "");
	assert_int_equal(access(left, F_OK), -1);
	RUN(rig, &outcome, "salvage", built("examples/kryosctl/kryosctl"), "-o", left, "--json");
	expect(&outcome, 1, "\"output\":null,\"samples\":0,", "");
	write_file(in(rig->folder, "empty.seg"), "");
	RUN(rig, &outcome, "salvage", in(rig->folder, "empty.seg"), "-o", left);
	expect(&outcome, 1, "nothing was written", "");
	RUN(rig, &outcome, "salvage", in(rig->folder, "nowhere.seg"), "-o", left);
	expect(&outcome, 1, "", "nowhere.seg: No such file");
	RUN(rig, &outcome, "salvage", rig->path, "-o", left);
	expect(&outcome, 1, "", "is not a file");
	assert_int_equal(access(left, F_OK), -1);
	write_file(left, "mine");
	RUN(rig, &outcome, "salvage", segment, "-o", left);
	expect(&outcome, 1, "", "left.seg: is there already");
	assert_int_equal(size_of(left), 4);
	RUN(rig, &outcome, "salvage", segment, "-o", in(rig->folder, "no/such/folder.seg"));
	expect(&outcome, 1, "", "no/such/folder.seg");
	RUN(rig, &outcome, "salvage", segment);
	expect(&outcome, 2, "", "--output is missing");
	RUN(rig, &outcome, "salvage", "-o", left);
	expect(&outcome, 2, "", "one segment file is wanted");
	RUN(rig, &outcome, "salvage", "--help");
	expect(&outcome, 0, "Usage: kryosctl salvage [OPTION...] SEGMENT\n", "");
	expect(&outcome, 0, "  -o, --output FILE ", "");
	finish(&outcome);
}

static void a_store_says_which_of_its_segments_was_damaged(void **state)
{
	struct outcome outcome = { 0 };
	struct rig *rig = *state;
	char segment[4096], marker[4110];

	snprintf(segment, sizeof(segment), "%s", leave_segments(rig));
	RUN(rig, &outcome, "export", "--store", rig->path);
	expect(&outcome, 0, "", "122 samples");
	assert_int_equal(chmod(segment, 0600), 0);
	overwrite(segment, 0, 512);
	/* As it is found and before it is salvaged: for moments, or as long as the disk is full. */
	snprintf(marker, sizeof(marker), "%s.bad", segment);
	write_file(marker, "");
	RUN(rig, &outcome, "export", "--store", rig->path);
	expect(&outcome, 1, ",fridge.temperature,-0.000001,", "2 samples");
	expect(&outcome, 1, "", "1 damaged rows or segments were left out; kryosctl verify says where");
	RUN(rig, &outcome, "tail", "--store", rig->path);
	expect(&outcome, 1, "", "1 damaged rows or segments were left out");
	RUN(rig, &outcome, "verify", "--store", rig->path);
	expect(&outcome, 1, "2 samples in 3 segments", "");
	expect(&outcome, 1, "00000000000000000001.seg: is damaged; what is left of it is not salvaged yet\n", "");
	expect(&outcome, 1, "row checksums: 0 wrong; hash chain: 1 breaks; seals: 0 wrong\n", "");

	open_store(rig);
	rig_wait_mended(rig);
	rig_stop(rig);
	RUN(rig, &outcome, "export", "--store", rig->path);
	expect(&outcome, 0, ",yes,", "122 samples");
	RUN(rig, &outcome, "verify", "--store", rig->path);
	expect(&outcome, 1, "122 samples in 3 segments", "");
	expect(&outcome, 1, "00000000000000000001.seg: was damaged; what could be salvaged of it is in ", "");
	expect(&outcome, 1, "row checksums: 0 wrong; hash chain: 1 breaks; seals: 0 wrong\n", "");

	/* Damage to what was salvaged is not hidden behind the first. */
	strcat(segment, ".salvaged");
	assert_int_equal(chmod(segment, 0600), 0);
	overwrite(segment, size_of(segment) - 512, 512);
	assert_int_equal(chmod(segment, 0440), 0); /* else it is not finished */
	RUN(rig, &outcome, "verify", "--store", rig->path);
	expect(&outcome, 1, "hash chain: 2 breaks", "");
	finish(&outcome);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_segment_gives_what_is_left_of_it_and_is_not_changed),
		TEST(a_changed_value_is_left_out_and_said),
		TEST(what_is_no_segment_gives_nothing_and_writes_nothing),
		TEST(a_store_says_which_of_its_segments_was_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
