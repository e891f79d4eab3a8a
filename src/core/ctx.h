/* SPDX-License-Identifier: Apache-2.0 */
/* The context itself; only src/core looks inside. */
#ifndef KRI_CTX_H
#define KRI_CTX_H

#include "core.h"
#include <sys/types.h>

#define KRI_MAX_EVENTS 256
#define KRI_MAX_CHANNELS 4096

struct kri_channel {
	char name[64];
	char unit[16];
};

struct kri_event_node {
	struct kri_event_node *next;
	struct kryos_event event; /* its strings follow in the same block */
};

struct kryos_ctx {
	atomic_int refs;
	pid_t pid;
	/* Readers call out to the log and the clock; the writer is kryos_ctx_free, after which both are gone. */
	pthread_rwlock_t outside_lock;
	bool dead;
	struct kryos_ctx_config config;

	/* Context thread only. */
	int epoll_fd, event_fd, timer_fd;
	struct kri_timer *timers[2]; /* by due time; [0] on the context's clock, [1] real */
	struct kri_io *ios;
	struct kri_io wake_io, timer_io;

	pthread_mutex_t lock;        /* everything below */
	int64_t closing_deadline_ns; /* real; 0: not closing. A worker left behind asks too */
	struct kri_object *newest;
	struct kri_note *notes, **notes_tail;
	struct kri_event_node *events, **events_tail, *taken;
	unsigned int event_count, events_dropped;
	struct kri_tap *taps;
	struct kri_registration *registrations[KRI_KIND_COUNT];
	struct kri_channel **channels;
	uint32_t channel_count;
	struct {
		void *state;
		void (*destroy)(void *state);
	} slots[KRI_SLOT_COUNT];
	atomic_bool stop, awake;
};

int kri_loop_init(struct kryos_ctx *ctx);
void kri_loop_close(struct kryos_ctx *ctx);
void kri_wake(struct kryos_ctx *ctx); /* async-signal-safe */
void kri_events_free(struct kryos_ctx *ctx);

#endif
