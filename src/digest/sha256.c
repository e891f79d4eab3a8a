/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"
#include <errno.h>
#include <kryos/sys/bus.h>
#include <stdlib.h>

#if KRYOS_WITH_CRYPTO
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

/*
 * The algorithm is fetched once per object: OpenSSL 3 looks it up by name under a lock at each
 * EVP_sha256() use, which costs more than hashing a row.
 */
struct kri_sha256 {
	EVP_MD *md;
	EVP_MD_CTX *md_ctx;
};

void kri_digest_end_thread(void)
{
	/* It would go with the thread, but a program that ends meanwhile would end with it still allocated. */
	OPENSSL_thread_stop();
}

int kri_sha256_new(struct kri_sha256 **ret_sha)
{
	struct kri_sha256 *sha = calloc(1, sizeof(*sha));
	int r = -ENOMEM;

	if (!sha)
		return -ENOMEM;
	/* What fails here must not be found later by a TLS connection of the same thread. */
	ERR_set_mark();
	sha->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!sha->md) {
		r = kryos_fail(-EOPNOTSUPP, "libcrypto: SHA-256 is switched off in its configuration");
		goto free_sha;
	}
	sha->md_ctx = EVP_MD_CTX_new();
	if (!sha->md_ctx)
		goto free_sha;
	ERR_clear_last_mark();
	*ret_sha = sha;
	return 0;

free_sha:
	ERR_pop_to_mark();
	kri_sha256_free(sha);
	return r;
}

void kri_sha256_free(struct kri_sha256 *sha)
{
	if (!sha)
		return;
	EVP_MD_CTX_free(sha->md_ctx);
	EVP_MD_free(sha->md);
	free(sha);
}

static int checked(int good)
{
	if (good == 1) {
		ERR_clear_last_mark();
		return 0;
	}
	ERR_pop_to_mark();
	return kryos_fail(-EIO, "libcrypto: SHA-256 failed");
}

int kri_sha256_begin(struct kri_sha256 *sha)
{
	ERR_set_mark();
	return checked(EVP_DigestInit_ex2(sha->md_ctx, sha->md, NULL));
}

int kri_sha256_update(struct kri_sha256 *sha, const void *data, size_t count)
{
	ERR_set_mark();
	return checked(EVP_DigestUpdate(sha->md_ctx, data, count));
}

int kri_sha256_finish(struct kri_sha256 *sha, uint8_t ret_hash[KRI_SHA256_SIZE])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int count = 0;
	int r;

	ERR_set_mark();
	r = checked(EVP_DigestFinal_ex(sha->md_ctx, hash, &count) == 1 && count == KRI_SHA256_SIZE);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < KRI_SHA256_SIZE; i++)
		ret_hash[i] = hash[i];
	return 0;
}

#else

struct kri_sha256 {
	char nothing;
};

static int unsupported(void)
{
	return kryos_fail(-EOPNOTSUPP, "SHA-256: this build has no libcrypto (KRYOS_WITH_CRYPTO)");
}

void kri_digest_end_thread(void)
{
}

int kri_sha256_new(struct kri_sha256 **ret_sha)
{
	(void)ret_sha;
	return unsupported();
}

void kri_sha256_free(struct kri_sha256 *sha)
{
	(void)sha;
}

int kri_sha256_begin(struct kri_sha256 *sha)
{
	(void)sha;
	return unsupported();
}

int kri_sha256_update(struct kri_sha256 *sha, const void *data, size_t count)
{
	(void)sha;
	(void)data;
	(void)count;
	return unsupported();
}

int kri_sha256_finish(struct kri_sha256 *sha, uint8_t ret_hash[KRI_SHA256_SIZE])
{
	(void)sha;
	(void)ret_hash;
	return unsupported();
}

#endif
