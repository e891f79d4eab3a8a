/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store as one file. The list of segments is taken first, then the events with their seals, then the segments: so
 * what a segment names of events is there, and one that is closed meanwhile is as its seal says.
 */
#include "bundle.h"
#include "../digest/summary.h"
#include "tar.h"
#include <fcntl.h>
#include <inttypes.h>
#include <kryos/bundle.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 3

struct bundle {
	struct kryos_bundle_config config;
	const char *folder;
	char path[PATH_MAX], scratch[PATH_MAX]; /* of the archive until it is complete; of copies */
	char device[33], public_key[512];
	FILE *tar, *manifest;
	struct kryos_bundle_result result;
};

static const char readme[] =
	"A bundle of the cold-chain store of device %s.\n"
	"%s\n"
	"To check it, with nothing but tar, sha256sum, openssl (3.0 or later) and sqlite3, in an empty folder:\n"
	"\n"
	"1. tar -xf THIS_FILE\n"
	"2. Is everything as it was put in?\n"
	"     sha256sum -c MANIFEST\n"
	"3. Whose key is device.pub? The first 32 digits are the device's id; compare all with what you know of it:\n"
	"     openssl pkey -pubin -in device.pub -outform DER | tail -c 32 | openssl dgst -sha256 -r\n"
	"4. Did that key sign the list?\n"
	"     openssl pkeyutl -verify -pubin -inkey device.pub -rawin -in MANIFEST -sigfile MANIFEST.sig\n"
	"5. Did it sign each closed segment? (One that was still written has no seal, and gives nothing.)\n"
	"     for S in *.seg; do\n"
	"       sqlite3 -readonly \"$S\" \"SELECT 'kryos-seal|1|'||(SELECT value FROM header WHERE "
	"key='device')||'|'||\n"
	"         (SELECT value FROM header WHERE key='epoch')||'|'||first_seq||'|'||last_seq||'|'||hash FROM seal\" > "
	"seal.txt\n"
	"       [ -s seal.txt ] || continue\n"
	"       sqlite3 :memory: \"SELECT writefile('seal.sig', x'$(sqlite3 -readonly \"$S\" 'SELECT signature FROM "
	"seal')')\"\n"
	"       openssl pkeyutl -verify -pubin -inkey device.pub -rawin -in seal.txt -sigfile seal.sig\n"
	"     done\n"
	"6. Did it sign the events? The newest seal over them:\n"
	"     sqlite3 -readonly events.db \"SELECT "
	"'kryos-events|1|'||device||'|'||first_seq||'|'||last_seq||'|'||hash\n"
	"       FROM audit_seal ORDER BY last_seq DESC LIMIT 1\" > seal.txt\n"
	"     G=$(sqlite3 -readonly events.db 'SELECT signature FROM audit_seal ORDER BY last_seq DESC LIMIT 1')\n"
	"     sqlite3 :memory: \"SELECT writefile('seal.sig', x'$G')\"\n"
	"     openssl pkeyutl -verify -pubin -inkey device.pub -rawin -in seal.txt -sigfile seal.sig\n"
	"\n"
	"The rows are in tables sample, channel and boot of each segment, and event, seal, audit_seal, boot and gap "
	"of\n"
	"events.db. How the hashes that the seals sign come from the rows, command by command, is in "
	"docs/store-format.md\n"
	"of libkryos; kryosctl verify THIS_FILE does all of it.\n"
	"\n"
	"This proves that nothing in here was changed since the device signed it. It can't prove that nothing newer "
	"was left\n"
	"out, that the segment without a seal and the events behind their newest seal are unchanged since they were\n"
	"written, or that nobody else has the device's key. Compare the seals (number, hash) with those that were "
	"received or\n"
	"printed elsewhere: kryosctl verify --anchor NUMBER:HASH THIS_FILE.\n";

static int add(struct bundle *bundle, const char *path, const char *name)
{
	char hash[KRI_SUMMARY_SIZE];
	int r = kri_summary_of_file(path, hash);

	if (r >= 0)
		r = kri_tar_add(bundle->tar, path, name);
	if (r >= 0 && fprintf(bundle->manifest, "%s  %s\n", hash, name) < 0)
		r = kryos_fail(-EIO, "%s: can't be written", bundle->scratch);
	return r;
}

/* A file of the scratch folder with that content. */
static int write_scratch(struct bundle *bundle, const char *name, const void *data, size_t count, char path[PATH_MAX])
{
	FILE *file;
	int r = 0;

	if (snprintf(path, PATH_MAX, "%s/%s", bundle->scratch, name) >= PATH_MAX)
		return kryos_fail(-ENAMETOOLONG, "%s: the name is too long", bundle->scratch);
	file = fopen(path, "we");
	if (!file || fwrite(data, 1, count, file) != count)
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (file && fclose(file) && r >= 0)
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
	return r;
}

/* A consistent copy of a database that may be written just now, as one file. */
static int copy_db(const char *from, const char *to, const char *sql)
{
	sqlite3 *source = NULL, *copy = NULL;
	sqlite3_backup *backup = NULL;
	int code = SQLITE_ERROR, r = kri_sql_open_to_read(&source, from);

	unlink(to);
	if (r >= 0)
		r = kri_sql_open(&copy, to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (r >= 0) {
		sqlite3_busy_timeout(source, 5000);
		backup = sqlite3_backup_init(copy, "main", source, "main");
		if (backup) {
			code = sqlite3_backup_step(backup, -1);
			sqlite3_backup_finish(backup);
		}
		if (code != SQLITE_DONE)
			r = kri_sql_fail(source, code);
		if (r >= 0 && code != SQLITE_DONE)
			r = kryos_fail(-EIO, "%s: can't be copied: %s", from, sqlite3_errstr(code));
	}
	if (r >= 0)
		r = kri_sql_exec(copy, "PRAGMA journal_mode=DELETE");
	if (r >= 0)
		r = kri_sql_exec(copy, sql);
	sqlite3_close_v2(source);
	sqlite3_close_v2(copy);
	return r;
}

static int add_events(struct bundle *bundle)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r;

	snprintf(from, sizeof(from), "%s/state.db", bundle->folder);
	if (snprintf(to, sizeof(to), "%s/events.db", bundle->scratch) >= (int)sizeof(to))
		return kryos_fail(-ENAMETOOLONG, "%s: the name is too long", bundle->scratch);
	/* Delivery is nobody's business. */
	r = copy_db(from, to, "DROP TABLE queue; DROP TABLE dead; VACUUM");
	return r < 0 ? r : add(bundle, to, "events.db");
}

/* Whether a segment has samples of that time, as far as its first and last tell; what has no trusted time may. */
static int is_wanted(struct bundle *bundle, const char *path, bool *ret_wanted)
{
	sqlite3 *db = NULL;
	int64_t first = 0, last = 0;
	int r = kri_sql_open_to_read(&db, path);

	if (r >= 0)
		r = kri_sql_int(db,
		                "SELECT coalesce((SELECT CASE WHEN trust>=2 THEN t_wall_ns END FROM sample ORDER BY seq"
		                " LIMIT 1),0)",
		                &first);
	if (r >= 0)
		r = kri_sql_int(db,
		                "SELECT coalesce((SELECT CASE WHEN trust>=2 THEN t_wall_ns END FROM sample"
		                " ORDER BY seq DESC LIMIT 1),0)",
		                &last);
	sqlite3_close_v2(db);
	*ret_wanted = !(bundle->config.from_ns && last && last < bundle->config.from_ns) &&
	              !(bundle->config.to_ns && first && first >= bundle->config.to_ns);
	return r;
}

static int add_segment(struct bundle *bundle, const struct kri_segment_info *info)
{
	char path[PATH_MAX], copy[PATH_MAX], name[32], other[48];
	struct stat status;
	bool wanted = true;
	int r = 0;

	kri_segment_path(bundle->folder, info->first_seq, path, sizeof(path));
	snprintf(name, sizeof(name), "%020" PRId64 ".seg", info->first_seq);
	if (!info->bad && (bundle->config.from_ns || bundle->config.to_ns))
		r = is_wanted(bundle, path, &wanted);
	if (r < 0 || !wanted)
		return r;
	bundle->result.segments++;
	if (stat(path, &status))
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	/* Read-only: closed, or damaged and left as it is. */
	if (info->bad || !(status.st_mode & 0222)) {
		r = add(bundle, path, name);
	} else {
		if (snprintf(copy, sizeof(copy), "%s/%s", bundle->scratch, name) >= (int)sizeof(copy))
			return kryos_fail(-ENAMETOOLONG, "%s: the name is too long", bundle->scratch);
		r = copy_db(path, copy, "");
		r = r < 0 ? r : add(bundle, copy, name);
	}
	for (int i = 0; i < 2 && info->bad && r >= 0; i++) {
		if (i && !info->mended)
			break;
		snprintf(other, sizeof(other), "%s%s", name, i ? ".salvaged" : ".bad");
		snprintf(path, sizeof(path), "%s/%s", bundle->folder, other);
		r = add(bundle, path, other);
	}
	return r;
}

/* Who wrote the newest segment that tells. */
static int find_device(struct bundle *bundle, struct kryos_ctx *ctx)
{
	struct kryos_reader_device device = { .size = sizeof(device) };
	struct kryos_reader *reader = NULL;
	int r = kryos_reader_open(&reader, ctx, bundle->folder);

	if (r >= 0)
		r = kri_reader_public_key(reader, bundle->public_key, sizeof(bundle->public_key));
	if (r >= 0)
		r = kryos_reader_get_device(reader, &device);
	memcpy(bundle->device, device.device, sizeof(bundle->device));
	kryos_reader_close(reader);
	if (r >= 0 && !bundle->public_key[0])
		r = kryos_fail(-EOPNOTSUPP, "%s: its segments name no key, so nothing in it is signed", bundle->folder);
	return r;
}

static int open_key(struct bundle *bundle, struct kri_key **ret_key)
{
	char path[PATH_MAX], fingerprint[2 * KRI_SHA256_SIZE + 1];
	bool created;
	int r;

	snprintf(path, sizeof(path), "%s%s", bundle->config.key_path ? bundle->config.key_path : bundle->folder,
	         bundle->config.key_path ? "" : "/device.key");
	/* (kri_key_open would make one.) */
	if (access(path, R_OK))
		return kryos_fail(-errno, "%s: the device's key can't be read (%s), so the bundle can't be signed",
		                  path, strerror(errno));
	r = kri_key_open(ret_key, path, &created);
	if (r >= 0)
		r = kri_key_fingerprint(*ret_key, fingerprint);
	if (r >= 0 && strncmp(fingerprint, bundle->device, 32) != 0)
		r = kryos_fail(-EINVAL, "%s: is not the key of device %s", path, bundle->device);
	return r;
}

static int add_manifest(struct bundle *bundle, struct kri_key *key)
{
	char path[PATH_MAX], *text = NULL;
	uint8_t signature[KRI_SIGNATURE_SIZE];
	struct stat status;
	int r = 0;

	snprintf(path, sizeof(path), "%.4000s/MANIFEST", bundle->scratch);
	if (fflush(bundle->manifest) || stat(path, &status))
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	text = calloc(1, (size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	rewind(bundle->manifest);
	if (fread(text, 1, (size_t)status.st_size, bundle->manifest) != (size_t)status.st_size)
		r = kryos_fail(-EIO, "%s: can't be read", path);
	if (r >= 0)
		r = kri_tar_add(bundle->tar, path, "MANIFEST");
	if (r >= 0 && key)
		r = kri_key_sign(key, text, (size_t)status.st_size, signature);
	if (r >= 0 && key)
		r = write_scratch(bundle, "MANIFEST.sig", signature, sizeof(signature), path);
	if (r >= 0 && key)
		r = kri_tar_add(bundle->tar, path, "MANIFEST.sig");
	free(text);
	return r;
}

static int add_words(struct bundle *bundle)
{
	char path[PATH_MAX], text[sizeof(readme) + 300];
	int length = snprintf(
		    text, sizeof(text), readme, bundle->device,
		    bundle->config.is_unsigned
			    ? "It was made by somebody who can't read the device's key: the list is NOT signed, "
			      "step 4 can't be done.\n"
			    : ""),
	    r;

	r = write_scratch(bundle, "README.txt", text, (size_t)length, path);
	if (r >= 0)
		r = add(bundle, path, "README.txt");
	if (r >= 0)
		r = write_scratch(bundle, "device.pub", bundle->public_key, strlen(bundle->public_key), path);
	return r < 0 ? r : add(bundle, path, "device.pub");
}

static int write_all(struct bundle *bundle, struct kri_key *key)
{
	struct kri_segment_info *list = NULL;
	char path[PATH_MAX];
	int count = 0, r = kri_list_segments(bundle->folder, &list, &count);

	bundle->result.segments = 0;
	snprintf(path, sizeof(path), "%.4000s/MANIFEST", bundle->scratch);
	bundle->manifest = fopen(path, "w+e");
	bundle->tar = fopen(bundle->path, "we");
	if (r >= 0 && (!bundle->manifest || !bundle->tar))
		r = kryos_fail(-errno, "%s: %s", bundle->manifest ? bundle->path : path, strerror(errno));
	if (r >= 0)
		r = add_words(bundle);
	if (r >= 0)
		r = add_events(bundle);
	for (int i = 0; i < count && r >= 0; i++)
		r = add_segment(bundle, &list[i]);
	if (r >= 0)
		r = add_manifest(bundle, key);
	if (r >= 0)
		r = kri_tar_end(bundle->tar);
	free(list);
	if (bundle->manifest)
		fclose(bundle->manifest);
	if (bundle->tar && r >= 0 && (fflush(bundle->tar) || fsync(fileno(bundle->tar))))
		r = kryos_fail(-errno, "%s: %s", bundle->path, strerror(errno));
	if (bundle->tar && fclose(bundle->tar) && r >= 0)
		r = kryos_fail(-errno, "%s: %s", bundle->path, strerror(errno));
	return r;
}

int kryos_bundle_write(struct kryos_ctx *ctx, const char *folder, const char *path,
                       const struct kryos_bundle_config *config, struct kryos_bundle_result *ret_result)
{
	struct bundle bundle = { .config = { .size = sizeof(bundle.config) }, .folder = folder };
	struct kri_key *key = NULL;
	char why[400];
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!folder || !path || !*path || (ret_result && ret_result->size < sizeof(uint32_t)))
		return kryos_fail(-EINVAL, "bundle: no folder or file given, or the result's size is not set");
	r = kri_config_copy(&bundle.config, sizeof(bundle.config), config);
	if (r < 0)
		return r;
	bundle.result.size = sizeof(bundle.result);
	if (snprintf(bundle.path, sizeof(bundle.path), "%s.part", path) >= (int)sizeof(bundle.path) - 100)
		return kryos_fail(-ENAMETOOLONG, "%s: the name is too long", path);
	snprintf(bundle.scratch, sizeof(bundle.scratch), "%.3900s.XXXXXX", path);
	r = find_device(&bundle, ctx);
	if (r >= 0 && !bundle.config.is_unsigned)
		r = open_key(&bundle, &key);
	if (r >= 0 && !mkdtemp(bundle.scratch))
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (r >= 0) {
		r = write_all(&bundle, key);
		/* Retention may take a segment between. */
		for (int i = 1; i < TRIES && r == -ENOENT; i++)
			r = write_all(&bundle, key);
		if (r >= 0 && rename(bundle.path, path))
			r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
		snprintf(why, sizeof(why), "%s", r < 0 ? kryos_strerror(r) : "");
		kri_bundle_clear(bundle.scratch);
		if (r < 0) {
			unlink(bundle.path);
			r = kryos_fail(r, "%s", why);
		}
	}
	kri_key_free(key);
	bundle.result.bytes = kri_file_bytes(path);
	if (r >= 0 && ret_result)
		memcpy(ret_result, &bundle.result,
		       ret_result->size < sizeof(bundle.result) ? ret_result->size : sizeof(bundle.result));
	return r;
}
