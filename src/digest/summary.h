/* SPDX-License-Identifier: Apache-2.0 */
/* Digest, inside: for rooms that only name things by their hash. */
#ifndef KRI_SUMMARY_H
#define KRI_SUMMARY_H

#define KRI_SUMMARY_SIZE 65

/* SHA-256 in hex of a file's bytes, as sha256sum prints it. -errno; -EOPNOTSUPP: no libcrypto. */
int kri_summary_of_file(const char *path, char ret_text[KRI_SUMMARY_SIZE]);
/* Of libcrypto as it was loaded; "none": this build has none. */
const char *kri_digest_library_version(void);

#endif
