/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store against a model of its promises, in random scripts of everything that happens to it: samples, events,
 * queues, rotation, retention, cuts, failures, jumps of the clock, restarts. A script that breaks a promise is made as
 * short as it can be and printed; kept in tests/data/model/<what>.script it is tried first ever after.
 *
 *     KRYOS_MODEL_SEED=n    one script, step by step
 *     KRYOS_MODEL_KEEP=1    and what that left is kept where it broke a promise
 *     KRYOS_MODEL_FIRST=n   begins at this seed
 *     KRYOS_MODEL_COUNT=n   so many scripts
 *     KRYOS_TEST_LONG=1     20 times as many
 *     KRYOS_TEST_QUICK=1    a quarter (tests/run, but for CI)
 */
#include "model_script.h"
#include "support.h"
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SCRIPTS = 1000, PATIENCE_S = 600 };
#else
enum { SCRIPTS = 20000, PATIENCE_S = 200 };
#endif

enum { MAX_WORKERS = 16, MAX_BROKEN = 3 };

/* One process with a share of the scripts; a rig and its failures are of one process. */
struct worker {
	pid_t pid;
	uint64_t seed; /* at work on it */
	int broken;
	struct model_figures figures;
};

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static char *play(struct cutvfs *vfs, const struct model_script *script, bool verbose, struct model_figures *figures)
{
	char *base = scratch_new(), *problem = model_play(vfs, base, script, verbose, figures);

	if (problem && verbose && getenv("KRYOS_MODEL_KEEP"))
		printf("%s\n", base);
	else
		scratch_free(base);
	return problem;
}

/* The sentence without what is another at each run: numbers, names of folders. */
static void skeleton(const char *problem, char *words, size_t size)
{
	size_t length = 0;

	for (const char *at = problem; *at;) {
		size_t word = strcspn(at, " "), plain = strcspn(at, "/0123456789");

		for (size_t i = 0; plain >= word && i < word && length + 1 < size; i++)
			words[length++] = at[i];
		at += word + (at[word] == ' ');
	}
	words[length] = '\0';
}

struct failure {
	struct cutvfs *vfs;
	const char *problem;
};

/* In the same way: another breach on the way to a shorter script would hide this one. */
static bool still_fails(void *data, const struct model_script *script)
{
	const struct failure *failure = data;
	struct model_figures figures = { 0 };
	char words[400], wanted[400], *problem;

	alarm(PATIENCE_S);
	problem = play(failure->vfs, script, false, &figures);
	skeleton(problem ? problem : "", words, sizeof(words));
	skeleton(failure->problem, wanted, sizeof(wanted));
	free(problem);
	return strcmp(words, wanted) == 0;
}

/* In one write, for others print too. */
static void print_broken(struct cutvfs *vfs, const char *title, struct model_script *script, const char *problem)
{
	struct model_figures figures = { 0 };
	char *text = NULL, *again;
	size_t size = 0;
	FILE *stream;

	model_shrink_script(script, still_fails, &(struct failure){ vfs, problem });
	again = play(vfs, script, false, &figures);
	stream = open_memstream(&text, &size);
	assert_non_null(stream);
	fprintf(stream, "error: Failure: %s: %s\n# %s\n", title, problem, again ? again : "not at every run");
	model_print_script(script, stream);
	fclose(stream);
	if (write(STDERR_FILENO, text, size) < 0)
		abort();
	free(text);
	free(again);
}

static void try_seed(struct worker *worker, struct cutvfs *vfs, uint64_t seed)
{
	struct model_script script;
	char title[60], *problem;

	worker->seed = seed;
	alarm(PATIENCE_S);
	model_make_script(&script, seed);
	problem = play(vfs, &script, false, &worker->figures);
	if (!problem)
		return;
	worker->broken++;
	if (strstr(problem, "not there") || strstr(problem, "never delivered"))
		worker->figures.lost++;
	else
		worker->figures.wrong++;
	snprintf(title, sizeof(title), "KRYOS_MODEL_SEED=%" PRIu64, seed);
	print_broken(vfs, title, &script, problem);
	free(problem);
}

static void work(struct worker *worker, uint64_t first, uint64_t end, uint64_t stride)
{
	struct cutvfs *vfs = cutvfs_new();

	for (uint64_t seed = first; seed < end && worker->broken < MAX_BROKEN; seed += stride)
		try_seed(worker, vfs, seed);
	alarm(0);
	cutvfs_free(vfs);
}

static void add_figures(struct model_figures *sum, const struct model_figures *more)
{
	sum->sequences += more->sequences;
	sum->operations += more->operations;
	sum->cuts += more->cuts;
	sum->failures += more->failures;
	sum->damages += more->damages;
	sum->volatile_samples += more->volatile_samples;
	sum->volatile_events += more->volatile_events;
	sum->lost += more->lost;
	sum->wrong += more->wrong;
}

/* Of forked processes; 0 where they are well. */
static int await(struct worker *worker)
{
	int status = 0;

	assert_int_equal(waitpid(worker->pid, &status, 0), worker->pid);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return worker->broken;
	print_error("error: Failure: KRYOS_MODEL_SEED=%" PRIu64 ": %s %d\n", worker->seed,
	            WIFSIGNALED(status) ? "ended by signal" : "ended with",
	            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return worker->broken + 1;
}

static void random_scripts_break_no_promise(void **state)
{
	long workers = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t first = number_from_environment("KRYOS_MODEL_FIRST", 1);
	uint64_t scripts = getenv("KRYOS_TEST_QUICK") ? SCRIPTS / 4 : SCRIPTS;
	uint64_t count = number_from_environment("KRYOS_MODEL_COUNT", scripts) * (getenv("KRYOS_TEST_LONG") ? 20 : 1);
	struct model_figures sum = { 0 };
	struct worker *all;
	int broken = 0;

	(void)state;
	workers = workers < 1 ? 1 : workers > MAX_WORKERS ? MAX_WORKERS : workers;
	all = mmap(NULL, MAX_WORKERS * sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(all, MAP_FAILED);
	fflush(NULL);
	for (long i = 0; i < workers; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			work(&all[i], first + (uint64_t)i, first + count, (uint64_t)workers);
			_exit(0);
		}
		all[i].pid = pid;
	}
	for (long i = 0; i < workers; i++) {
		broken += await(&all[i]);
		add_figures(&sum, &all[i].figures);
	}
	munmap(all, MAX_WORKERS * sizeof(*all));
	print_message("%" PRIu64 " sequences, %" PRIu64 " operations, %" PRIu64 " cuts, %" PRIu64
	              " failures injected, %" PRIu64 " damages, %" PRIu64 " samples and %" PRIu64
	              " events from memory, %" PRIu64 " lost, %" PRIu64 " wrong\n",
	              sum.sequences, sum.operations, sum.cuts, sum.failures, sum.damages, sum.volatile_samples,
	              sum.volatile_events, sum.lost, sum.wrong);
	assert_int_equal(broken, 0);
	assert_true(sum.cuts > 0 && sum.failures > 0);
}

static void read_script(const char *path, struct model_script *script)
{
	FILE *stream = fopen(path, "r");
	char why[200];

	if (!stream)
		fail_msg("%s: can't be opened", path);
	if (!model_read_script(script, stream, why, sizeof(why)))
		fail_msg("%s: %s", path, why);
	fclose(stream);
}

/* What once broke a promise. */
static void kept_scripts_break_no_promise(void **state)
{
	struct model_figures figures = { 0 };
	struct model_script script;
	int broken = 0;
	glob_t found;

	(void)state;
	assert_int_equal(glob(KRYOS_SOURCE_DIR "/tests/data/model/*.script", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct cutvfs *vfs;
		char *problem;

		read_script(found.gl_pathv[i], &script);
		vfs = cutvfs_new();
		problem = play(vfs, &script, false, &figures);
		cutvfs_free(vfs);
		if (problem) {
			print_error("%s: %s\n", found.gl_pathv[i], problem);
			broken++;
		}
		free(problem);
	}
	print_message("%zu kept scripts\n", found.gl_pathc);
	globfree(&found);
	assert_int_equal(broken, 0);
}

/* The test of the test: where syncs are left out the store breaks promises, and the model must say so. */
static void expect_problem(const char *skipped, const char *expected)
{
	struct cutvfs *vfs = cutvfs_new();
	struct model_figures figures = { 0 };
	bool told = false;

	cutvfs_skip_syncs(vfs, skipped);
	for (uint64_t seed = 1; seed <= 2000 && !told; seed++) {
		struct model_script script;
		char *problem;

		model_make_script(&script, seed);
		problem = play(vfs, &script, false, &figures);
		told = problem && (!expected || strstr(problem, expected));
		if (told)
			print_message("seed %" PRIu64 ": %s\n", seed, problem);
		free(problem);
	}
	cutvfs_free(vfs);
	assert_true(told);
}

static void without_syncs_of_segments_the_model_reports_a_loss(void **state)
{
	(void)state;
	expect_problem(".seg-wal", "was accepted and is not there");
}

static void without_syncs_of_state_the_model_reports_it(void **state)
{
	(void)state;
	/* An event lost, or what was acknowledged and committed lent again. */
	expect_problem("state.db-wal", NULL);
}

static void a_script_is_read_as_it_was_printed(void **state)
{
	struct model_script script, read;
	char *text = NULL, *again = NULL, why[200];
	size_t size = 0, again_size = 0;
	FILE *stream;

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		model_make_script(&script, seed);
		stream = open_memstream(&text, &size);
		model_print_script(&script, stream);
		fclose(stream);
		stream = fmemopen(text, size, "r");
		assert_true(model_read_script(&read, stream, why, sizeof(why)));
		fclose(stream);
		stream = open_memstream(&again, &again_size);
		model_print_script(&read, stream);
		fclose(stream);
		assert_string_equal(text, again);
		free(text);
		free(again);
	}
}

/* KRYOS_MODEL_SEED, or KRYOS_MODEL_SCRIPT: a file. */
static void the_chosen_script_breaks_no_promise(void **state)
{
	const char *path = getenv("KRYOS_MODEL_SCRIPT");
	struct cutvfs *vfs = cutvfs_new();
	struct model_figures figures = { 0 };
	struct model_script script;
	char *problem;

	(void)state;
	if (path)
		read_script(path, &script);
	else
		model_make_script(&script, number_from_environment("KRYOS_MODEL_SEED", 1));
	problem = play(vfs, &script, true, &figures);
	cutvfs_free(vfs);
	if (problem)
		fail_msg("%s", problem);
}

int main(void)
{
	const struct CMUnitTest chosen[] = { cmocka_unit_test(the_chosen_script_breaks_no_promise) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_script_is_read_as_it_was_printed),
		cmocka_unit_test(random_scripts_break_no_promise),
		cmocka_unit_test(kept_scripts_break_no_promise),
		cmocka_unit_test(without_syncs_of_segments_the_model_reports_a_loss),
		cmocka_unit_test(without_syncs_of_state_the_model_reports_it),
	};

	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	if (getenv("KRYOS_MODEL_SEED") || getenv("KRYOS_MODEL_SCRIPT"))
		return cmocka_run_group_tests(chosen, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
