/* SPDX-License-Identifier: Apache-2.0 */
#include "summary.h"
#include "digest.h"
#include <errno.h>
#include <kryos/sys/bus.h>
#include <stdio.h>
#include <string.h>
#if KRYOS_WITH_CRYPTO
#include <openssl/crypto.h>
#endif

const char *kri_digest_library_version(void)
{
#if KRYOS_WITH_CRYPTO
	return OpenSSL_version(OPENSSL_VERSION_STRING);
#else
	return "none";
#endif
}

static int finish(struct kri_sha256 *sha, int r, char ret_text[KRI_SUMMARY_SIZE])
{
	uint8_t hash[KRI_SHA256_SIZE];

	if (r >= 0)
		r = kri_sha256_finish(sha, hash);
	if (r >= 0)
		kri_hex(hash, sizeof(hash), ret_text);
	kri_sha256_free(sha);
	return r;
}

int kri_summary_of_file(const char *path, char ret_text[KRI_SUMMARY_SIZE])
{
	struct kri_sha256 *sha = NULL;
	FILE *file = fopen(path, "re");
	char bytes[16384];
	size_t count;
	int r;

	if (!file)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	r = kri_sha256_new(&sha);
	if (r >= 0)
		r = kri_sha256_begin(sha);
	while (r >= 0 && (count = fread(bytes, 1, sizeof(bytes), file)) > 0)
		r = kri_sha256_update(sha, bytes, count);
	if (r >= 0 && ferror(file))
		r = kryos_fail(-EIO, "%s: can't be read", path);
	fclose(file);
	return finish(sha, r, ret_text);
}
