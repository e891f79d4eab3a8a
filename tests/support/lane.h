/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One device of many: clock, store, relay, and a proxy of its own before a broker that all share. What
 * it appended and what an independent subscriber saw of it is compared by id, value and order.
 */
#ifndef KRI_TEST_LANE_H
#define KRI_TEST_LANE_H

#include "broker.h"
#include "support.h"
#include <kryos/testing/clock.h>

#define LANE_SAMPLES 2048
#define LANE_EVENTS 64
#define LANE_START INT64_C(1795165920000000000) /* 2026-11-20T09:12:00Z */

struct lane {
	char name[24]; /* of its topics */
	char *folder, url[64];
	unsigned int version;
	bool tls;
	struct proxy *proxy;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_relay *relay;
	uint32_t channel, long_channel; /* the latter's name has 63 bytes, so its records are larger */
	unsigned int appended, events;
	int64_t seqs[LANE_SAMPLES], at_ns[LANE_SAMPLES];
	int64_t worst_append_ns;
	unsigned int appended_without_link;
	int ups, downs;
	int down_code;
	char down_text[256];
	int dead_letters;
	int64_t dead_seq[16];
	char dead_reason[256]; /* the last one's */
};

struct lane *lane_new(const char *name, uint16_t broker_port, unsigned int version);
void lane_free(struct lane *lane); /* NULL is allowed */
/* Timeouts and a back-off that suit a test; url and topic are the lane's; for mqtts add ca and so on. */
struct kryos_relay_config lane_config(struct lane *lane);
void lane_open(struct lane *lane, const struct kryos_relay_config *config);
/* Appends samples one by one, each durable, and keeps the longest time that took. */
void lane_append(struct lane *lane, unsigned int count);
/* One that is larger than the others. */
void lane_append_large(struct lane *lane);
/* Adds a numbered event whose text is filled up with text. */
void lane_event(struct lane *lane, const char *text);
/* Processes, and takes the events of the context. */
void lane_go_on(struct lane *lane, int ms);
struct kryos_relay_status lane_status(struct lane *lane);
void lane_wait_for_link(struct lane *lane, enum kryos_link link, int ms);

struct verdict {
	unsigned int missing;    /* appended and never seen, except dead letters */
	unsigned int duplicates; /* seen again, with the same id and value */
	unsigned int disorder;   /* first arrivals out of order in their stream */
	unsigned int aliens;     /* an id or value that nobody appended */
	unsigned int events, event_duplicates;
	int64_t worst_ns; /* longest time from append to the moment this was called, of what is missing */
};
struct verdict lane_judge(struct lane *lane, struct sink *sink);
/* Until nothing is missing, at most ms; fails the test with what is wrong. */
struct verdict lane_expect_all(struct lane *lane, struct sink *sink, int ms);

#endif
