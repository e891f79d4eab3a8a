/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of docs/store-format.md, run as they stand there. */
#include "store/store.h"
#include "support.h"
#include <glob.h>
#include <kryos/testing/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder, segment[4096];

static int skip_without_tools(void)
{
	if (system("command -v sqlite3 >/dev/null && command -v openssl >/dev/null") == 0)
		return 0;
	print_message("skipped: needs the sqlite3 and openssl commands\n");
	exit(77);
}

static int setup(void **state)
{
	struct kryos_fake_clock *clock;
	struct kryos_queue *queue;
	struct kryos_store *store;
	struct kryos_ctx *ctx;
	uint32_t channels[2];
	glob_t found;

	(void)state;
	folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&clock, INT64_C(1795165920000000000)));
	assert_ok(kryos_ctx_new(&ctx, KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = clock)));
	assert_ok(kryos_channel_add(ctx, "fridge.temperature", "Cel", &channels[0]));
	assert_ok(kryos_channel_add(ctx, "room.humidity", "%RH", &channels[1]));
	assert_ok(kryos_store_open(&store, ctx, in(folder, "store"), KRYOS_STORE_CONFIG(.segment_bytes = 65536)));
	for (int i = 0; i < 300; i++) {
		struct kryos_sample samples[2] = {
			{ .channel = channels[0], .value_micro = i, .round = (uint32_t)i, .alarm = (uint32_t)i % 7 },
			{ .channel = channels[1], .value_micro = -i, .round = (uint32_t)i }
		};

		assert_ok(kryos_store_append(store, samples, i % 3 ? 2 : 1));
	}
	assert_ok(kri_store_put_state(store, "alarm", "\0\1|\xff", 4, NULL, 0));
	kryos_store_close(store);
	kryos_fake_clock_reboot(clock); /* two boots in the newest segment, and time to seal the oldest */
	assert_ok(kryos_store_open(&store, ctx, in(folder, "store"), KRYOS_STORE_CONFIG(.segment_bytes = 65536)));
	assert_ok(kryos_queue_open(&queue, store, "modem", NULL));
	process_for(ctx, 1000);
	kryos_ctx_free(ctx);
	kryos_fake_clock_free(clock);
	assert_int_equal(glob(in(folder, "store/*.seg"), 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 1);
	snprintf(segment, sizeof(segment), "%s", found.gl_pathv[0]);
	globfree(&found);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_free(folder);
	return 0;
}

/* All ```sh blocks of the document as one script, with the segment put in place of the example's. */
static void write_script(void)
{
	FILE *document = fopen(KRYOS_SOURCE_DIR "/docs/store-format.md", "r"),
	     *script = fopen(in(folder, "script"), "w");
	char line[1024];
	bool inside = false;

	assert_non_null(document);
	assert_non_null(script);
	while (fgets(line, sizeof(line), document)) {
		if (strncmp(line, "```", 3) == 0)
			inside = strncmp(line, "```sh", 5) == 0;
		else if (inside && strncmp(line, "S=", 2) == 0)
			fprintf(script, "S=%s\n", segment);
		else if (inside)
			fputs(line, script);
	}
	fclose(document);
	fclose(script);
}

static char *run_script(void)
{
	static char output[65536];
	char command[8192];
	size_t length;
	FILE *pipe;

	write_script();
	snprintf(command, sizeof(command), "cd '%s' && sh ./script 2>&1", folder);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	length = fread(output, 1, sizeof(output) - 1, pipe);
	output[length] = '\0';
	pclose(pipe);
	return output;
}

static void the_documents_commands_verify_a_sealed_segment(void **state)
{
	char *output = run_script(), *line, device[33] = "", hash[65] = "";

	(void)state;
	if (!strstr(output, "Signature Verified Successfully") || strstr(output, "broken") || strstr(output, "rror"))
		fail_msg("%s", output);
	/* The segment's seal and the newest one over events. */
	assert_non_null(strstr(strstr(output, "Verified Successfully") + 1, "Verified Successfully"));
	/* Fingerprint, then device: one begins with the other. */
	line = output;
	assert_int_equal(sscanf(line, "%64s", hash), 1);
	line = strchr(line, '\n') + 1;
	assert_int_equal(sscanf(line, "%32s", device), 1);
	assert_memory_equal(hash, device, 32);
}

/* In the document's words. */
static uint32_t crc32c(const char *text, size_t length)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < length; i++) {
		crc ^= (uint8_t)text[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static void the_documents_words_give_the_checksums_of_the_delivery_state(void **state)
{
	static const char *const tables[] = {
		"meta|", "boot|", "queue|", "seal|", "channel|", "state|", "audit_seal|"
	};
	int found[7] = { 0 };
	char line[8192];
	FILE *file;

	(void)state;
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
	run_script();
	file = fopen(in(folder, "state.txt"), "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *last = strrchr(line, '|');

		assert_non_null(last);
		if (crc32c(line, (size_t)(last - line)) != strtoul(last + 1, NULL, 10))
			fail_msg("%s", line);
		for (int i = 0; i < 7; i++)
			found[i] += strncmp(line, tables[i], strlen(tables[i])) == 0;
	}
	fclose(file);
	for (int i = 0; i < 7; i++)
		assert_true(found[i] > 0);
}

static void the_documents_commands_find_a_changed_value(void **state)
{
	char command[8192], *output;

	(void)state;
	assert_int_equal(chmod(segment, 0640), 0);
	snprintf(command, sizeof(command), "sqlite3 '%s' 'UPDATE sample SET value_micro=7777777 WHERE seq=20'",
	         segment);
	assert_int_equal(system(command), 0);
	output = run_script();
	if (!strstr(output, "broken at"))
		fail_msg("%s", output);
}

static void the_documents_commands_find_a_changed_event(void **state)
{
	char command[8192], *output;

	(void)state;
	snprintf(command, sizeof(command),
	         "sqlite3 '%s/store/state.db' \"UPDATE event SET text='x' WHERE seq=(SELECT min(seq) FROM event)\"",
	         folder);
	assert_int_equal(system(command), 0);
	output = run_script();
	if (!strstr(output, "broken at event"))
		fail_msg("%s", output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_documents_commands_verify_a_sealed_segment, setup, teardown),
		cmocka_unit_test_setup_teardown(the_documents_words_give_the_checksums_of_the_delivery_state, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_documents_commands_find_a_changed_value, setup, teardown),
		cmocka_unit_test_setup_teardown(the_documents_commands_find_a_changed_event, setup, teardown),
	};

	skip_without_tools();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
