/* SPDX-License-Identifier: Apache-2.0 */
/* kryosctl collect, started more than once at a time: a stick may be plugged in while somebody runs it by hand. */
#include "program.h"
#include "rig.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 60000
#define AT_WORK "another kryosctl collect is writing there: nothing was written\n"
#define MAY_BE_PULLED "; the stick may be pulled\n"

static char stick[4200], kryos[4300], config[4200];

static int setup(void **state)
{
	struct rig *rig;

	rig_setup(state);
	rig = *state;
	rig_start(rig, NULL);
	rig_append_minutes(rig, 20);
	rig_stop(rig);
	snprintf(stick, sizeof(stick), "%s/stick", rig->folder);
	snprintf(kryos, sizeof(kryos), "%s/kryos", stick);
	assert_int_equal(mkdir(stick, 0700), 0);
	assert_int_equal(mkdir(kryos, 0700), 0);
	snprintf(config, sizeof(config), "%s/station.ini", rig->folder);
	write_file(config, "[station]\nname = clinic\n[sensor fridge]\naddress = ds18b20@w1:any\n");
	return 0;
}

static void begin(struct rig *rig, struct program *program, const char *folder)
{
	program_start(
		program, folder, ARGV("STATE_DIRECTORY"),
		ARGV(built("examples/kryosctl/kryosctl"), "collect", stick, "--store", rig->path, "--config", config));
}

/* Of a run that has ended: whether it wrote. In a build without reports the bundle alone is written, and 1 given. */
static bool has_written(const struct program *program, int status)
{
	char *out = file_text(program->out), *err = file_text(program->err);
	bool written = strstr(out, MAY_BE_PULLED) != NULL;

	if (!written && (status != EXIT_FAILURE || *out || !strstr(err, AT_WORK)))
		fail_msg("%d \"%s\" \"%s\"", status, out, err);
	if (written && status != EXIT_SUCCESS && !strstr(err, "was built without reports"))
		fail_msg("%d \"%s\"", status, err);
	free(out);
	free(err);
	return written;
}

/* Each is whole, and there is nothing else. How many. */
static int count_whole(struct rig *rig)
{
	DIR *folder = opendir(kryos);
	struct dirent *entry;
	int count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		struct kryos_verify_result result = { .size = sizeof(result) };
		char *path = NULL;

		if (entry->d_name[0] == '.')
			continue;
		if (strstr(entry->d_name, ".part"))
			fail_msg("%s is left", entry->d_name);
		assert_true(asprintf(&path, "%s/%s/bundle.tar", kryos, entry->d_name) > 0);
		assert_ok(kryos_ctx_new(&rig->ctx, NULL));
		assert_ok(kryos_verify(rig->ctx, path, &result));
		kryos_ctx_free(rig->ctx);
		rig->ctx = NULL;
		assert_string_equal(result.first_problem, "");
		assert_int_equal(result.samples, 20);
		free(path);
		count++;
	}
	closedir(folder);
	return count;
}

static void while_another_one_writes_it_says_so_and_writes_nothing(void **state)
{
	struct rig *rig = *state;
	struct program program;
	int lock = open(kryos, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(lock >= 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	begin(rig, &program, rig->folder);
	assert_false(has_written(&program, program_wait(&program, WAIT_MS)));
	assert_int_equal(count_whole(rig), 0);
	close(lock);
	begin(rig, &program, rig->folder);
	assert_true(has_written(&program, program_wait(&program, WAIT_MS)));
	assert_int_equal(count_whole(rig), 1);
}

static void of_several_at_once_each_is_whole_or_writes_nothing(void **state)
{
	enum { RUNS = 6, ROUNDS = 4 };
	struct rig *rig = *state;
	struct program programs[RUNS];
	int written = 0;

	for (int round = 0; round < ROUNDS; round++) {
		int before = written;

		for (int i = 0; i < RUNS; i++) {
			char own[4200];

			snprintf(own, sizeof(own), "%s/run%d", rig->folder, i);
			assert_true(mkdir(own, 0700) == 0 || round > 0);
			begin(rig, &programs[i], own);
		}
		for (int i = 0; i < RUNS; i++)
			written += has_written(&programs[i], program_wait(&programs[i], WAIT_MS));
		assert_true(written > before);
		assert_int_equal(count_whole(rig), written);
	}
	print_message("%d of %d wrote\n", written, RUNS * ROUNDS);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		CASE(while_another_one_writes_it_says_so_and_writes_nothing),
		CASE(of_several_at_once_each_is_whole_or_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
