/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KRI_BUNDLE_H
#define KRI_BUNDLE_H

#include "verify.h"

/* A folder of plain files, with it. */
void kri_bundle_clear(const char *folder);
/* bundle_check.c: the archive at path, unpacked into a folder of its own, which ret_folder names until it is cleared.
 */
int kri_bundle_open(const char *path, char *ret_folder, size_t size);
/* Whether the files there are as its list says, and who signed that. */
int kri_bundle_check(struct kri_check *check, const char *folder);
/* Once all was looked at: it must be a device whose records these are. */
void kri_bundle_check_signer(struct kri_check *check);

#endif
