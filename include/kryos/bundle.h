/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundle: a store, or the part of it between two times, as one file for somebody who trusts nobody: a plain tar archive
 * of its segments, its events with all seals, the device's public key, a list of checksums signed with the device's
 * key, and a README with the commands (tar, sha256sum, openssl, sqlite3) that check it without anything of ours.
 * kryos_verify checks it too. The format is docs/store-format.md.
 */
#ifndef KRYOS_BUNDLE_H
#define KRYOS_BUNDLE_H

#include <kryos/base.h>

KRYOS_BEGIN

struct kryos_ctx;

struct kryos_bundle_config {
	uint32_t size;
	uint32_t is_unsigned; /* 1: without a signature, for who can't read the key; the README says so */
	int64_t from_ns,
		to_ns;        /* wall time: only segments with samples from from_ns on and before to_ns; 0: no limit */
	const char *key_path; /* the device's key; NULL: "<folder>/device.key" */
};
#define KRYOS_BUNDLE_CONFIG(...) KRYOS_CONFIG_OF(kryos_bundle_config, __VA_ARGS__)

struct kryos_bundle_result {
	uint32_t size;
	uint32_t segments;
	int64_t bytes; /* of the file */
};

/*
 * Writes a bundle of the store in folder to the file path, beside a process that writes the store or not. A segment
 * that is still written comes as a copy that is whole. The file is there once it is complete. Fill result's size; NULL:
 * not wanted. -EACCES: the key, or a segment, is not for this user; -ENOENT: there is no store, or no key; -EOPNOTSUPP:
 * a build without libcrypto. Waits for the disk.
 */
KRYOS_API int kryos_bundle_write(struct kryos_ctx *ctx, const char *folder, const char *path,
                                 const struct kryos_bundle_config *config, struct kryos_bundle_result *ret_result);

KRYOS_END
#endif
