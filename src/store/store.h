/* SPDX-License-Identifier: Apache-2.0 */
/* Store, inside: what the sampler, the relay and the station need of it beyond the public calls. */
#ifndef KRI_STORE_H
#define KRI_STORE_H

#include "../core/core.h"
#include <kryos/queue.h>
#include <kryos/reader.h>
#include <kryos/store.h>

struct kryos_time;

/* As kryos_store_open; first (NULL: none) is stored before anything that the open finds. */
int kri_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                   const struct kryos_store_config *config, const struct kryos_event *first);
/* Calls each with the name of all that is in force by that prefix. What it notes meanwhile need not be called with. */
void kri_store_each_noted(struct kryos_store *store, const char *prefix, void (*each)(void *data, const char *name),
                          void *data);
struct kryos_ctx *kri_store_get_ctx(struct kryos_store *store);
/* The device's id, 32 hex digits; lives as long as the store. */
const char *kri_store_get_device(struct kryos_store *store);
/* Of SQLite as it was loaded. */
const char *kri_store_library_version(void);
const char *kri_store_get_path(struct kryos_store *store);
/* The round number of the newest stored sample; rounds go on after it. */
uint32_t kri_store_get_last_round(struct kryos_store *store);
/*
 * The last sample of the newest segment that ends with a stamp that is trusted, and that stamp; 0 and 0 if none does.
 * Those behind it may be trusted too.
 */
int64_t kri_store_get_trusted_end(struct kryos_store *store, int64_t *ret_wall_ns);
/* What a channel measures of ("vaccine", ...), stored with it; before its first sample. Copied. Any thread. */
int kri_store_set_place(struct kryos_store *store, uint32_t channel, const char *place);

/*
 * What is in force from now on of what has that name (at most 63 bytes), as text without ";" of less than 470 bytes
 * ("": nothing), and who said so, at most 31 bytes without ";". type: KRYOS_EVENT_CALIBRATION where it is a channel,
 * KRYOS_EVENT_CONFIGURED where it is a part of the configuration, whose name has a blank and so is no channel's. 1: it
 * was something else before, by what the store knows, and that event was announced and is stored with the next commit;
 * 0: it was the same. -EAGAIN: 256 events wait. Any thread; does not block.
 */
int kri_store_note(struct kryos_store *store, enum kryos_event_type type, const char *name, const char *is,
                   const char *who);

/*
 * Keeps bytes by a key ([a-z0-9_.:-]) over restarts, instead of what it had (count 0: no more), and stores these
 * events: with one commit of state.db, so that after a cut both are there or neither. Copied. The events are not
 * announced: the caller does that at once, also where they wait for a place here. Without events the commit may come up
 * to 15 min later, with one that is due anyway, or at close. -EAGAIN: there is no place for the events, and nothing has
 * changed. Any thread; does not block.
 */
#define KRI_STATE_KEY_MAX 79
#define KRI_STATE_BYTES_MAX 65536
int kri_store_put_state(struct kryos_store *store, const char *key, const void *bytes, size_t count,
                        const struct kryos_event *events, size_t event_count);
/*
 * What was put last, in this run or before; free() it. ret_seq: the newest durable record at that time, so that samples
 * after it may not be counted yet, though some may be. Where state.db was lost it is what the newest segment began
 * with. -ENOENT. Any thread; does not block.
 */
int kri_store_get_state(struct kryos_store *store, const char *key, void **ret_bytes, size_t *ret_count,
                        int64_t *ret_seq);

/* When an event of that type was stored last, by any run. -ENOENT: never, or it is kept no more. Waits for the disk. */
int kri_store_get_newest(struct kryos_store *store, enum kryos_event_type type, struct kryos_time *ret_when);

/* As kryos_store_submit; done runs on the context thread with 0 or the error once the outcome is known. Until then data
 * must live. */
int kri_store_submit(struct kryos_store *store, const struct kryos_sample *samples, size_t count,
                     void (*done)(void *data, int result), void *data);
/* done is not called any more for this data. Context thread. */
void kri_store_forget(struct kryos_store *store, void *data);

/* As kryos_store_remove_queue, which waits 4 s. */
int kri_store_remove_queue(struct kryos_store *store, const char *name, int64_t timeout_ns);

/*
 * Whether samples wait for the writer, and how many groups of them it has come to an end with since open, well or not.
 * Any thread; does not block.
 */
bool kri_store_is_waiting(struct kryos_store *store, uint64_t *ret_attempts);

/* Calls wake (any thread; must not block or call back) when a queue may have records again. NULL: no more. */
void kri_queue_set_wake(struct kryos_queue *queue, void (*wake)(void *data), void *data);

/* How an open queue's lifetime is kept by a relay worker that hangs. */
struct kryos_queue *kri_queue_ref(struct kryos_queue *queue);
void kri_queue_unref(struct kryos_queue *queue);

#endif
