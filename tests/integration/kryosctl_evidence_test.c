/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the built kryosctl as an auditor does: bundle, key, anchors, and the README's own commands. */
#include "program.h"
#include "rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one run gave. */
struct outcome {
	int status;
	char *out, *err;
};

static struct outcome outcome;

static void run(struct rig *rig, const char *const *arguments)
{
	const char *argv[12] = { built("examples/kryosctl/kryosctl") };
	struct program program;

	for (int i = 0; arguments[i]; i++)
		argv[i + 1] = arguments[i];
	free(outcome.out);
	free(outcome.err);
	outcome.status = program_run(&program, rig->folder, ARGV(NULL), argv);
	outcome.out = file_text(program.out);
	outcome.err = file_text(program.err);
}

#define RUN(rig, ...) run(rig, (const char *const[]){ __VA_ARGS__, NULL })

static void expect(int status, const char *out, const char *err)
{
	if (outcome.status != status || !strstr(outcome.out, out) || !strstr(outcome.err, err))
		fail_msg("status %d, not %d, or no \"%s\" in\n%s, or no \"%s\" in\n%s", outcome.status, status, out,
		         outcome.out, err, outcome.err);
}

/* A store with a sealed segment and an open one. */
static int setup(void **state)
{
	struct rig *rig;

	rig_setup(state);
	rig = *state;
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_append_minutes(rig, 3);
	rig_rotate(rig);
	rig_append_minutes(rig, 1);
	rig_wait_sealed(rig);
	return 0;
}

static int teardown(void **state)
{
	free(outcome.out);
	free(outcome.err);
	outcome = (struct outcome){ 0 };
	return rig_teardown(state);
}

/* The line's last word. */
static void word_after(const char *label, char *word, size_t size)
{
	const char *at = strstr(outcome.out, label);

	assert_non_null(at);
	at += strlen(label);
	snprintf(word, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void seals_are_printed_and_asked_for(void **state)
{
	struct rig *rig = *state;
	char segment[120], events[120];

	rig_stop(rig);
	RUN(rig, "verify", "--store", rig->path);
	expect(0, "trusted: the key that was found inside, ", "");
	expect(0, "One device cannot prove alone: that its newest segments were not cut off", "");
	word_after("newest seal of a segment: ", segment, sizeof(segment));
	word_after("newest seal of events: ", events, sizeof(events));
	RUN(rig, "verify", "--store", rig->path, "--anchor", segment, "--anchor", events);
	expect(0, "anchors: 2 of 2 found\n", "");
	segment[strlen(segment) - 1] = segment[strlen(segment) - 1] == '0' ? '1' : '0'; /* a digit still */
	RUN(rig, "verify", "--store", rig->path, "--anchor", segment, "--json");
	expect(1, "\"anchors\":0", "");
	expect(1, "\"first_problem\":\"anchor: there is no good seal 1 with hash ", "");
	RUN(rig, "verify", "--store", rig->path, "--anchor", segment);
	expect(1, "It is whole in itself, but what an anchor was taken from is not in it", "");
	RUN(rig, "verify", "--store", rig->path, "--anchor", "1:abc");
	expect(2, "", "--anchor: \"1:abc\" is wrong; a number, a colon and a hash of 64 digits");
	RUN(rig, "verify", "--store", rig->path, "--key", in(rig->folder, "nothing"));
	expect(1, "", "No such file or directory");
}

static void one_segment_is_said_to_be_sealed_or_not_and_to_stand_alone(void **state)
{
	struct rig *rig = *state;
	char sealed[4200], open[4200];

	snprintf(sealed, sizeof(sealed), "%s", rig_segment_path(rig, 1));
	snprintf(open, sizeof(open), "%s", rig_segment_path(rig, 0));
	rig_stop(rig);
	RUN(rig, "verify", sealed);
	expect(0, " samples in one segment, sealed\n", "");
	expect(0, "Nothing in it was changed after it was written", "");
	expect(0, "only a store's folder or a bundle can show", "");
	RUN(rig, "verify", open);
	expect(0, " samples in one segment, not sealed\n", "");
	expect(0, "but nothing in it is signed: whoever writes the files can make all of it anew.\n", "");
}

static void the_key_that_is_given_is_one_and_the_device_s_or_it_is_said(void **state)
{
	struct rig *rig = *state;
	char other[4200];
	bool created;
	struct kri_key *key = NULL;

	rig_stop(rig);
	snprintf(other, sizeof(other), "%s/other.pub", rig->folder);
	write_file(other, "hello\n");
	RUN(rig, "verify", "--store", rig->path, "--key", other);
	expect(1, "", "other.pub: no public key in PEM form");
	RUN(rig, "verify", "--store", rig->path, "--key", in(rig->path, "device.key"));
	expect(1, "", "device.key: no public key in PEM form");
	assert_ok(kri_key_open(&key, in(rig->folder, "other.key"), &created));
	write_file(other, kri_key_public_pem(key));
	kri_key_free(key);
	RUN(rig, "verify", "--store", rig->path, "--key", other);
	expect(1, "Nothing in it is signed with the key of --key: another device wrote it", "");
}

static void the_first_broken_link_is_named_with_row_and_time(void **state)
{
	struct rig *rig = *state;
	char path[4096];

	snprintf(path, sizeof(path), "%s", rig_segment_path(rig, 1));
	rig_stop(rig);
	assert_int_equal(rig_sql(path, "UPDATE sample SET value_micro=7 WHERE seq=(SELECT max(seq) FROM sample)"), 1);
	RUN(rig, "verify", "--store", rig->path, "--json");
	expect(1, "\"first_problem\":\"0000000000000000", "");
	expect(1, ".seg: wrong checksum of the row with seq ", "");
	expect(1, "\"problem_seq\":", "");
	expect(1, "\"problem_time\":\"2026-11-20T09:14:00Z\"", "");
}

/* Beside the store's writer; and nothing but the README is needed to check it. */
static void a_stranger_checks_a_bundle_by_its_readme(void **state)
{
	struct rig *rig = *state;
	char bundle[4200], key[4200], command[9000], *text;

	if (system("command -v openssl sha256sum sqlite3 tar > /dev/null 2>&1") != 0) {
		print_message("skipped: openssl, sha256sum, sqlite3 or tar is not installed\n");
		skip();
	}
	snprintf(bundle, sizeof(bundle), "%s/b.tar", rig->folder);
	RUN(rig, "export", "--bundle", "--store", rig->path, "-o", bundle);
	expect(0, "", ": 2 segments, ");
	rig_append(rig, rig->fridge, 1); /* its writer was not disturbed */
	rig_stop(rig);
	RUN(rig, "verify", bundle);
	expect(0, "4 samples in 2 segments, 1 of them sealed", "");
	/* Its commands are the lines that are set in. */
	snprintf(command, sizeof(command),
	         "mkdir '%s/x' && cd '%s/x' && tar -xf ../b.tar && sed -n 's/^     //p' README.txt > ../check &&"
	         " sh ../check > ../checked 2>&1",
	         rig->folder, rig->folder);
	(void)!system(command);
	text = file_text(in(rig->folder, "checked"));
	/* Of the list, of the closed segment, of the events. */
	for (int i = 0; i < 3; i++) {
		char *at = strstr(text, "Signature Verified Successfully");

		if (!at || strstr(text, "FAILED") || strstr(text, "Failure") || strstr(text, "rror"))
			fail_msg("%s", text);
		*at = ' ';
	}
	free(text);
	snprintf(key, sizeof(key), "%s/x/device.pub", rig->folder);
	RUN(rig, "verify", "--key", key, bundle);
	expect(0, "trusted: the key of --key, ", "");
}

static void a_bundle_without_the_key_is_refused_or_says_so(void **state)
{
	struct rig *rig = *state;
	char bundle[4200];

	rig_stop(rig);
	snprintf(bundle, sizeof(bundle), "%s/b.tar", rig->folder);
	assert_int_equal(unlink(in(rig->path, "device.key")), 0);
	RUN(rig, "export", "--bundle", "--store", rig->path, "-o", bundle);
	expect(1, "", "so the bundle can't be signed");
	assert_int_equal(access(bundle, F_OK), -1);
	RUN(rig, "export", "--bundle", "--unsigned", "--store", rig->path, "-o", bundle);
	expect(0, "", "not signed");
	RUN(rig, "verify", bundle);
	expect(1, "first problem: MANIFEST.sig: the bundle is not signed", "");
	RUN(rig, "export", "--bundle", "--store", rig->path);
	expect(2, "", "export --bundle needs -o FILE");
	RUN(rig, "export", "--unsigned", "--store", rig->path);
	expect(2, "", "--unsigned and --key belong to --bundle");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(seals_are_printed_and_asked_for),
		TEST(one_segment_is_said_to_be_sealed_or_not_and_to_stand_alone),
		TEST(the_key_that_is_given_is_one_and_the_device_s_or_it_is_said),
		TEST(the_first_broken_link_is_named_with_row_and_time),
		TEST(a_stranger_checks_a_bundle_by_its_readme),
		TEST(a_bundle_without_the_key_is_refused_or_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
