/* SPDX-License-Identifier: Apache-2.0 */
/* Until the store keeps state: events go there one by one, and a restart makes the state again from the samples. */
#include "private.h"

int kri_seam_put_state(struct kryos_store *store, const char *key, const void *bytes, size_t count,
                       const struct kryos_event *events, size_t event_count)
{
	int r = 0;

	(void)key;
	(void)bytes;
	(void)count;
	for (size_t i = 0; i < event_count && r >= 0; i++)
		r = kryos_store_add_event(store, &events[i]);
	return r;
}

int kri_seam_get_state(struct kryos_store *store, const char *key, void **ret_bytes, size_t *ret_count,
                       int64_t *ret_seq)
{
	(void)store;
	(void)ret_bytes;
	(void)ret_count;
	(void)ret_seq;
	return kryos_fail(-ENOENT, "%s: no state is kept", key);
}
