/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digest, inside: the one room that includes libcrypto; and CRC32C, which needs no library.
 *
 * Without libcrypto (KRYOS_WITH_CRYPTO off) kri_sha256_new and the key calls give -EOPNOTSUPP.
 * Any thread, one object per thread at a time.
 */
#ifndef KRI_DIGEST_H
#define KRI_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KRI_SHA256_SIZE 32
#define KRI_SIGNATURE_SIZE 64

/* CRC32C (Castagnoli, reflected 0x82f63b78, RFC 3720 B.4): continue from crc, 0 to begin. */
uint32_t kri_crc32c(uint32_t crc, const void *data, size_t count);

/* Random bytes from getrandom(2). -errno. */
int kri_random(void *ret_bytes, size_t count);

/* lower-case hex, NUL-terminated: text of 2 * count + 1 bytes. */
void kri_hex(const void *data, size_t count, char *text);
/* -EINVAL unless text is exactly 2 * count hex digits. */
int kri_unhex(const char *text, void *ret_data, size_t count);

/* Frees what libcrypto keeps for the calling thread; the last thing a thread of ours that used this room does. */
void kri_digest_end_thread(void);

/* SHA-256, reusable: begin, update*, finish. */
struct kri_sha256;
int kri_sha256_new(struct kri_sha256 **ret_sha);
void kri_sha256_free(struct kri_sha256 *sha); /* NULL is allowed */
int kri_sha256_begin(struct kri_sha256 *sha);
int kri_sha256_update(struct kri_sha256 *sha, const void *data, size_t count);
int kri_sha256_finish(struct kri_sha256 *sha, uint8_t ret_hash[KRI_SHA256_SIZE]);

/* Ed25519 keys (RFC 8032), PEM files. */
struct kri_key;
/*
 * Reads the private key at path, or makes one there: written to a temporary file, synced, renamed,
 * folder synced, mode 0600. *ret_created tells. -EACCES, -EROFS, ..., KRYOS_ECORRUPT: not an
 * Ed25519 key (the text names the file).
 */
int kri_key_open(struct kri_key **ret_key, const char *path, bool *ret_created);
/* A public key from PEM text. KRYOS_ECORRUPT. */
int kri_key_from_public(struct kri_key **ret_key, const char *pem, size_t pem_count);
void kri_key_free(struct kri_key *key); /* NULL is allowed */
int kri_key_sign(struct kri_key *key, const void *data, size_t count, uint8_t ret_signature[KRI_SIGNATURE_SIZE]);
/* 0: good; KRYOS_ECRC: not this key's signature of this data. */
int kri_key_verify(struct kri_key *key, const void *data, size_t count, const uint8_t signature[KRI_SIGNATURE_SIZE]);
/* The public half as PEM ("-----BEGIN PUBLIC KEY-----..."), NUL-terminated; lives as long as the key. */
const char *kri_key_public_pem(const struct kri_key *key);
/* SHA-256 of the raw 32-byte public key, in hex. */
int kri_key_fingerprint(const struct kri_key *key, char ret_text[2 * KRI_SHA256_SIZE + 1]);

#endif
