/* SPDX-License-Identifier: Apache-2.0 */
/* What the record proves, of one segment or of a folder, as docs/store-format.md describes it. */
#include "bundle.h"
#include "tar.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void kri_verify_problem(struct kri_check *check, int64_t seq, int64_t wall_ns, const char *format, ...)
{
	struct kryos_verify_result *result = check->result;
	char text[200], when[KRYOS_TEXT_MAX];
	va_list args;

	if (result->first_problem[0])
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	result->problem_seq = seq;
	result->problem_wall_ns = wall_ns;
	snprintf(result->first_problem, sizeof(result->first_problem), wall_ns ? "%s: %s (%s)" : "%s: %s",
	         check->file ? check->file : "store", text, wall_ns ? kryos_time_text(wall_ns, when) : "");
}

const char *kri_verify_why(int r, const char *path)
{
	const char *why = kryos_strerror(r);
	size_t length = strlen(path);

	return strncmp(why, path, length) == 0 && strncmp(why + length, ": ", 2) == 0 ? why + length + 2 : why;
}

int kri_verify_key(struct kri_check *check, const char *device, const char *pem, struct kri_key **ret_key)
{
	char fingerprint[2 * KRI_SHA256_SIZE + 1];
	struct kri_key *key = NULL;
	int r;

	for (int i = 0; i < check->key_count; i++) {
		if (strcmp(check->keys[i].device, device) == 0) {
			*ret_key = check->keys[i].key;
			return 0;
		}
	}
	if (!pem)
		return -ENOENT;
	r = kri_key_from_public(&key, pem, strlen(pem));
	if (r >= 0)
		r = kri_key_fingerprint(key, fingerprint);
	if (r >= 0 && strncmp(fingerprint, device, 32) != 0)
		r = kryos_fail(KRYOS_ECRC, "the public key is not device %s's", device);
	if (r >= 0 && check->pinned[0] && strcmp(check->pinned, fingerprint) != 0)
		r = kryos_fail(KRYOS_ECRC, "it was signed with key %.16s..., not with the one that was given",
		               fingerprint);
	if (r >= 0 && check->key_count == KRI_VERIFY_KEYS)
		r = kryos_fail(KRYOS_ECRC, "more than %d devices signed here", KRI_VERIFY_KEYS);
	if (r < 0) {
		kri_key_free(key);
		return r;
	}
	snprintf(check->keys[check->key_count].device, 33, "%s", device);
	memcpy(check->keys[check->key_count].fingerprint, fingerprint, sizeof(fingerprint));
	check->keys[check->key_count++].key = key;
	*ret_key = key;
	return 0;
}

int kri_verify_note(struct kri_noted_seal **list, int *count, const struct kri_noted_seal *seal)
{
	struct kri_noted_seal *grown = realloc(*list, (size_t)(*count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[(*count)++] = *seal;
	return 0;
}

void kri_verify_anchor(struct kri_check *check, int64_t number, const char *hash)
{
	for (size_t i = 0; i < check->config->anchor_count; i++)
		check->anchored[i] |=
			check->config->anchors[i].number == number && strcmp(check->config->anchors[i].hash, hash) == 0;
}

static void check_anchors(struct kri_check *check)
{
	for (size_t i = 0; i < check->config->anchor_count; i++) {
		if (check->anchored[i]) {
			check->result->anchors++;
			continue;
		}
		check->result->bad_seals++;
		check->file = "anchor";
		kri_verify_problem(check, 0, 0, "there is no good seal %" PRId64 " with hash %.16s... here",
		                   check->config->anchors[i].number, check->config->anchors[i].hash);
	}
}

/* Anchors and the key that is trusted. */
static int take_config(struct kri_check *check, const struct kryos_verify_config *config)
{
	struct kri_key *key = NULL;
	int r = 0;

	check->anchored = calloc(config->anchor_count + 1, sizeof(*check->anchored));
	if (!check->anchored)
		return -ENOMEM;
	check->config = config;
	for (size_t i = 0; i < config->anchor_count; i++) {
		const char *hash = config->anchors[i].hash;

		if (config->anchors[i].number < 1 || !hash || strlen(hash) != KRI_HASH_TEXT - 1 ||
		    strspn(hash, "0123456789abcdef") != KRI_HASH_TEXT - 1)
			return kryos_fail(-EINVAL,
			                  "anchor: a number from 1 on and a hash of 64 lower-case hexadecimal digits"
			                  " are allowed");
	}
	if (!config->public_key)
		return 0;
	r = kri_key_from_public(&key, config->public_key, strlen(config->public_key));
	if (r >= 0)
		r = kri_key_fingerprint(key, check->pinned);
	kri_key_free(key);
	return r;
}

static void end(struct kri_check *check)
{
	for (int i = 0; i < check->key_count; i++)
		kri_key_free(check->keys[i].key);
	free(check->anchored);
	free(check->segments);
	free(check->named);
	free(check->boots);
	kri_chain_free(&check->chain);
}

int kri_verify_segment(const char *path, int64_t first_seq, bool *ret_whole)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	const struct kryos_verify_config config = { .size = sizeof(config) };
	struct kri_check check = { .result = &result };
	int r = take_config(&check, &config);

	if (r >= 0)
		r = kri_chain_new(&check.chain);
	if (r >= 0)
		r = kri_verify_one(&check, path, first_seq, NULL);
	end(&check);
	*ret_whole = r >= 0 && !result.bad_rows && !result.bad_links && !result.bad_seals;
	return r;
}

/*
 * Damaged and known to be: what is said of it is that, and the next one's link is not held against anyone. Of what was
 * salvaged the rows are checked.
 */
static int check_damaged(struct kri_check *check, const struct kri_segment_info *info, const char *folder)
{
	const struct kri_noted_seal seal = { .number = info->first_seq, .damaged = true };
	char name[32], path[PATH_MAX];
	int r = 0;

	snprintf(name, sizeof(name), "%020" PRId64 ".seg", info->first_seq);
	check->file = name;
	check->result->bad_links++;
	if (info->mended) {
		kri_verify_problem(check, 0, 0, "was damaged; what could be salvaged of it is in %s.salvaged", name);
		snprintf(path, sizeof(path), "%s/%s.salvaged", folder, name);
		check->counted = true;
		r = kri_verify_one(check, path, info->first_seq, NULL);
		check->counted = false;
	} else {
		kri_verify_problem(check, 0, 0, "is damaged; what is left of it is not salvaged yet");
		check->result->segments++;
	}
	check->before = info->first_seq;
	check->before_last[0] = '\0';
	check->file = NULL;
	return r < 0 ? r : kri_verify_note(&check->segments, &check->segment_count, &seal);
}

/*
 * Before a seal nothing may stand that has none, unless a segment that is proven names it: one that another device left
 * unsealed, say.
 */
static void check_unsealed(struct kri_check *check)
{
	bool before_a_seal = false;

	for (int i = check->segment_count - 1; i >= 0; i--) {
		const struct kri_noted_seal *seal = &check->segments[i];

		before_a_seal |= seal->sealed;
		if (seal->sealed || seal->vouched) {
			for (int j = i - 1; j >= 0; j--)
				check->segments[j].vouched |= check->segments[j].number == seal->previous;
		} else if (before_a_seal && !seal->damaged && seal->has_rows) {
			check->result->bad_seals++;
			check->file = seal->file;
			kri_verify_problem(check, 0, 0, "has no seal, and no segment that has one follows from it");
		}
	}
}

/* With the key that is trusted alone, what nobody signed is not good. */
static void check_signed(struct kri_check *check)
{
	if (!check->pinned[0] || check->key_count)
		return;
	check->result->bad_seals++;
	check->file = NULL;
	kri_verify_problem(check, 0, 0, "nothing in it is signed with the key that was given");
}

/* A store's folder has a state.db, what is taken out of one an events.db; a segment may lie anywhere. */
static int check_folder(struct kri_check *check, const char *path, bool is_bundle)
{
	struct kri_segment_info *list = NULL;
	char file[PATH_MAX];
	bool has_state;
	int count = 0, r = 0;

	snprintf(file, sizeof(file), "%s/state.db", path);
	has_state = access(file, F_OK) == 0;
	snprintf(file, sizeof(file), "%s/events.db", path);
	check->part = is_bundle || access(file, F_OK) == 0;
	if (check->part && has_state) {
		check->part = false;
		check->result->bad_links++;
		check->file = "events.db";
		kri_verify_problem(check, 0, 0, "is of a bundle, and stands beside the state.db of a store");
	}
	if (check->part)
		r = kri_bundle_check(check, path);
	if (r >= 0)
		r = kri_list_segments(path, &list, &count);
	if (r >= 0 && !count && !check->part)
		r = kryos_fail(-ENOENT, "%s: there is no segment in this folder", path);
	for (int i = 0; i < count && r >= 0; i++) {
		kri_segment_path(path, list[i].first_seq, file, sizeof(file));
		if (list[i].bad)
			r = check_damaged(check, &list[i], path);
		else
			r = kri_verify_one(check, file, list[i].first_seq, path);
		/* Removed by retention since it was listed. */
		if (r == -ENOENT) {
			check->result->segments--;
			r = 0;
		}
	}
	free(list);
	if (r >= 0)
		check_unsealed(check);
	if (r >= 0)
		r = kri_verify_state(check, path, check->part ? "events.db" : "state.db");
	if (r >= 0 && check->part)
		kri_bundle_check_signer(check);
	return r;
}

/* By its name too: one whose first bytes were changed is not to be called a segment. */
static bool is_bundle(const char *path)
{
	size_t length = strlen(path);

	return kri_tar_is(path) || (length > 4 && strcmp(path + length - 4, ".tar") == 0);
}

int kryos_verify_with(struct kryos_ctx *ctx, const char *path, const struct kryos_verify_config *config,
                      struct kryos_verify_result *ret_result)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	struct kri_check check = { .result = &result };
	struct kryos_verify_config own = { .size = sizeof(own) };
	char folder[PATH_MAX];
	struct stat status;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!path || !ret_result || ret_result->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "verify: no path or result given, or its size is not set");
	r = kri_config_copy(&own, sizeof(own), config);
	if (r < 0)
		return r;
	if (stat(path, &status))
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	r = take_config(&check, &own);
	if (r >= 0)
		r = kri_chain_new(&check.chain);
	if (r >= 0 && S_ISDIR(status.st_mode)) {
		r = check_folder(&check, path, false);
	} else if (r >= 0 && is_bundle(path)) {
		r = kri_bundle_open(path, folder, sizeof(folder));
		if (r >= 0) {
			r = check_folder(&check, folder, true);
			kri_bundle_clear(folder);
		}
	} else if (r >= 0) {
		r = kri_verify_one(&check, path, 0, NULL);
	}
	if (r >= 0) {
		check_signed(&check);
		check_anchors(&check);
	}
	result.devices = (uint32_t)check.key_count;
	if (check.key_count)
		memcpy(result.fingerprint, check.keys[check.key_count - 1].fingerprint, sizeof(result.fingerprint));
	end(&check);
	if (r >= 0)
		memcpy(ret_result, &result, ret_result->size < sizeof(result) ? ret_result->size : sizeof(result));
	return r;
}

int kryos_verify(struct kryos_ctx *ctx, const char *path, struct kryos_verify_result *ret_result)
{
	return kryos_verify_with(ctx, path, NULL, ret_result);
}
