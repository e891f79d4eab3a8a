/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"
#include <errno.h>
#include <kryos/sys/bus.h>
#include <stdlib.h>

#if KRYOS_WITH_CRYPTO
#include <fcntl.h>
#include <libgen.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A PEM file of an Ed25519 key has 119 bytes; comments above it are allowed. */
#define PEM_MAX 16384

struct kri_key {
	EVP_PKEY *pkey;
	char *public_pem;
};

/* Without this an encrypted PEM file makes libcrypto ask for a passphrase on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *userdata)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)userdata;
	return -1;
}

/* The text of what is in bio, which is freed. */
static char *bio_text(BIO *bio)
{
	char *data = NULL, *text = NULL;
	long count = BIO_get_mem_data(bio, &data);

	if (count > 0)
		text = strndup(data, (size_t)count);
	BIO_free(bio);
	return text;
}

/* Takes pkey, also on failure. */
static int wrap(struct kri_key **ret_key, EVP_PKEY *pkey)
{
	struct kri_key *key = calloc(1, sizeof(*key));
	BIO *bio;

	if (!key) {
		EVP_PKEY_free(pkey);
		return -ENOMEM;
	}
	key->pkey = pkey;
	bio = BIO_new(BIO_s_mem());
	if (bio && PEM_write_bio_PUBKEY(bio, pkey) == 1)
		key->public_pem = bio_text(bio);
	else
		BIO_free(bio);
	if (!key->public_pem) {
		kri_key_free(key);
		return -ENOMEM;
	}
	*ret_key = key;
	return 0;
}

static int parse_private(struct kri_key **ret_key, const char *path, const char *pem, size_t count)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)count);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	if (!pkey)
		return kryos_fail(KRYOS_ECORRUPT, "%s: no unencrypted private key in PEM form", path);
	if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(pkey);
		return kryos_fail(KRYOS_ECORRUPT, "%s: a key of another kind, Ed25519 is needed", path);
	}
	return wrap(ret_key, pkey);
}

static int read_private(struct kri_key **ret_key, const char *path)
{
	char pem[PEM_MAX];
	size_t count = 0;
	ssize_t got = 1;
	int r, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	while (got > 0 && count < sizeof(pem)) {
		got = read(fd, pem + count, sizeof(pem) - count);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			count += (size_t)got;
	}
	if (got < 0)
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
	else if (count == sizeof(pem))
		r = kryos_fail(KRYOS_ECORRUPT, "%s: longer than the %d bytes a key file may have", path, PEM_MAX - 1);
	else
		r = parse_private(ret_key, path, pem, count);
	OPENSSL_cleanse(pem, sizeof(pem));
	close(fd);
	return r;
}

static int write_all(int fd, const char *text, size_t count)
{
	while (count > 0) {
		ssize_t done = write(fd, text, count);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		text += done;
		count -= (size_t)done;
	}
	return 0;
}

/* The rename is durable only once the folder is synced. */
static int sync_folder(const char *path)
{
	char *copy = strdup(path);
	int r = 0, fd;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return r;
}

/*
 * Never over a key that is there: two processes that start together must end with the same one.
 * -EEXIST: somebody else was first.
 */
static int rename_fresh(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* The file system cannot (NFS, older vfat). */
	if (access(to, F_OK) == 0)
		return -EEXIST;
	return rename(from, to) < 0 ? -errno : 0;
}

static int write_private(const char *path, const char *pem)
{
	uint8_t noise[8];
	char noise_text[2 * sizeof(noise) + 1], *temporary = NULL;
	int fd, r = kri_random(noise, sizeof(noise));

	if (r < 0)
		return r;
	kri_hex(noise, sizeof(noise), noise_text);
	if (asprintf(&temporary, "%s.new-%s", path, noise_text) < 0)
		return -ENOMEM;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		r = -errno;
		goto free_temporary;
	}
	r = write_all(fd, pem, strlen(pem));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		r = rename_fresh(temporary, path);
	if (r == 0)
		r = sync_folder(path);
	else
		unlink(temporary);
free_temporary:
	free(temporary);
	if (r < 0 && r != -EEXIST)
		return kryos_fail(r, "%s: no key could be made there: %s", path, strerror(-r));
	return r;
}

static int make_private(struct kri_key **ret_key, const char *path)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct kri_key *key = NULL;
	char *pem = NULL;
	BIO *bio;
	int r;

	if (!pkey)
		return kryos_fail(-EOPNOTSUPP, "libcrypto: Ed25519 is switched off in its configuration");
	r = wrap(&key, pkey);
	if (r < 0)
		return r;
	bio = BIO_new(BIO_s_mem());
	if (bio && PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1)
		pem = bio_text(bio);
	else
		BIO_free(bio);
	if (!pem) {
		r = -ENOMEM;
		goto free_key;
	}
	r = write_private(path, pem);
	OPENSSL_cleanse(pem, strlen(pem));
	free(pem);
	if (r < 0)
		goto free_key;
	*ret_key = key;
	return 0;

free_key:
	kri_key_free(key);
	return r;
}

int kri_key_open(struct kri_key **ret_key, const char *path, bool *ret_created)
{
	bool created = false;
	int r;

	/* What libcrypto notes in the thread's error queue here would confuse a later TLS call. */
	ERR_set_mark();
	r = read_private(ret_key, path);
	if (r == -ENOENT) {
		r = make_private(ret_key, path);
		created = r == 0;
		if (r == -EEXIST)
			r = read_private(ret_key, path);
	}
	ERR_pop_to_mark();
	if (r == 0)
		*ret_created = created;
	return r;
}

int kri_key_from_public(struct kri_key **ret_key, const char *pem, size_t pem_count)
{
	EVP_PKEY *pkey = NULL;
	BIO *bio = NULL;
	int r;

	if (pem_count >= PEM_MAX)
		return kryos_fail(KRYOS_ECORRUPT, "public key: longer than %d bytes", PEM_MAX - 1);
	ERR_set_mark();
	bio = BIO_new_mem_buf(pem, (int)pem_count);
	pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;
	BIO_free(bio);
	if (!pkey) {
		r = kryos_fail(KRYOS_ECORRUPT, "public key: not in PEM form");
	} else if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(pkey);
		r = kryos_fail(KRYOS_ECORRUPT, "public key: of another kind, Ed25519 is needed");
	} else {
		r = wrap(ret_key, pkey);
	}
	ERR_pop_to_mark();
	return r;
}

void kri_key_free(struct kri_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key->public_pem);
	free(key);
}

/* Ed25519 hashes by itself: no digest is named, and the one-shot calls are the only ones (RFC 8032 5.1.6). */
int kri_key_sign(struct kri_key *key, const void *data, size_t count, uint8_t ret_signature[KRI_SIGNATURE_SIZE])
{
	uint8_t signature[KRI_SIGNATURE_SIZE];
	size_t size = sizeof(signature);
	EVP_MD_CTX *md_ctx;
	int good;

	ERR_set_mark();
	md_ctx = EVP_MD_CTX_new();
	good = md_ctx && EVP_DigestSignInit(md_ctx, NULL, NULL, NULL, key->pkey) == 1 &&
	       EVP_DigestSign(md_ctx, signature, &size, data, count) == 1 && size == sizeof(signature);
	EVP_MD_CTX_free(md_ctx);
	ERR_pop_to_mark();
	if (!good)
		return kryos_fail(-EOPNOTSUPP, "key: cannot sign; it is a public key only");
	memcpy(ret_signature, signature, sizeof(signature));
	return 0;
}

int kri_key_verify(struct kri_key *key, const void *data, size_t count, const uint8_t signature[KRI_SIGNATURE_SIZE])
{
	EVP_MD_CTX *md_ctx;
	int good;

	ERR_set_mark();
	md_ctx = EVP_MD_CTX_new();
	if (!md_ctx) {
		ERR_pop_to_mark();
		return -ENOMEM;
	}
	good = EVP_DigestVerifyInit(md_ctx, NULL, NULL, NULL, key->pkey) == 1 &&
	       EVP_DigestVerify(md_ctx, signature, KRI_SIGNATURE_SIZE, data, count) == 1;
	EVP_MD_CTX_free(md_ctx);
	ERR_pop_to_mark();
	if (!good)
		return kryos_fail(KRYOS_ECRC, "signature: not made by this key for this data");
	return 0;
}

const char *kri_key_public_pem(const struct kri_key *key)
{
	return key->public_pem;
}

int kri_key_fingerprint(const struct kri_key *key, char ret_text[2 * KRI_SHA256_SIZE + 1])
{
	uint8_t raw[32], hash[KRI_SHA256_SIZE];
	size_t size = sizeof(raw);
	int good;

	ERR_set_mark();
	good = EVP_PKEY_get_raw_public_key(key->pkey, raw, &size) == 1 && size == sizeof(raw) &&
	       EVP_Q_digest(NULL, "SHA256", NULL, raw, size, hash, NULL) == 1;
	ERR_pop_to_mark();
	if (!good)
		return kryos_fail(-EIO, "libcrypto: the key's fingerprint could not be made");
	kri_hex(hash, sizeof(hash), ret_text);
	return 0;
}

#else

struct kri_key {
	char nothing;
};

static int unsupported(void)
{
	return kryos_fail(-EOPNOTSUPP, "keys: this build has no libcrypto (KRYOS_WITH_CRYPTO)");
}

int kri_key_open(struct kri_key **ret_key, const char *path, bool *ret_created)
{
	(void)ret_key;
	(void)path;
	(void)ret_created;
	return unsupported();
}

int kri_key_from_public(struct kri_key **ret_key, const char *pem, size_t pem_count)
{
	(void)ret_key;
	(void)pem;
	(void)pem_count;
	return unsupported();
}

void kri_key_free(struct kri_key *key)
{
	(void)key;
}

int kri_key_sign(struct kri_key *key, const void *data, size_t count, uint8_t ret_signature[KRI_SIGNATURE_SIZE])
{
	(void)key;
	(void)data;
	(void)count;
	(void)ret_signature;
	return unsupported();
}

int kri_key_verify(struct kri_key *key, const void *data, size_t count, const uint8_t signature[KRI_SIGNATURE_SIZE])
{
	(void)key;
	(void)data;
	(void)count;
	(void)signature;
	return unsupported();
}

const char *kri_key_public_pem(const struct kri_key *key)
{
	(void)key;
	return "";
}

int kri_key_fingerprint(const struct kri_key *key, char ret_text[2 * KRI_SHA256_SIZE + 1])
{
	(void)key;
	(void)ret_text;
	return unsupported();
}

#endif
