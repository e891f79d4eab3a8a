/* SPDX-License-Identifier: Apache-2.0 */
/* Store, for src/store only: what rooms above keep with the store (kri_store_put_state). */
#ifndef KRI_STORE_KEPT_H
#define KRI_STORE_KEPT_H

#include "private.h"

/* Its row's checksum; a segment's header has "seq crc hex" of it. */
#define KRI_KEPT_CRC "row_crc('state',key,seq,lower(hex(bytes)))"

/* At open, once state.db is what it will be. */
int kri_kept_load(struct kryos_store *store);
void kri_kept_free(struct kryos_store *store);
/* Writer thread. What waits is taken for a commit, written in its transaction, and waits no more if that went well. */
void kri_kept_take(struct kryos_store *store); /* store->lock held */
int kri_kept_write(struct kryos_store *store);
void kri_kept_settle(struct kryos_store *store, bool well); /* store->lock held */
/* When it wants a commit of its own (real time; INT64_MAX: not). store->lock held. */
int64_t kri_kept_due(const struct kryos_store *store);
/* What state.db has of it, as a segment's header repeats it; a result below 0 ends it. */
int kri_kept_list(struct kri_state *state, int (*each)(void *data, const char *key, const char *text), void *data);
/* From such a header, where state.db has nothing of that key. What its checksum does not hold for is passed over. */
int kri_kept_restore(struct kri_state *state, const char *key, const char *text);
/* From a state.db that was set aside, inside an open transaction: what can be read of it. */
int kri_kept_rescue(struct kri_state *state, sqlite3 *aside);

#endif
