/* SPDX-License-Identifier: Apache-2.0 */
/* Proxy, inside: one connection, and what a script does to it. */
#ifndef KRI_TEST_PROXY_FLOW_H
#define KRI_TEST_PROXY_FLOW_H

#include "proxy.h"

struct chunk {
	struct chunk *next;
	int64_t due_ms;
	size_t count, at;
	unsigned char data[];
};

/* One way of a connection. */
struct flow {
	unsigned char *in; /* not yet a whole packet */
	size_t in_count, in_capacity;
	struct chunk *first, *last; /* waits to be written */
	size_t out_count;
	unsigned int delay_ms, drip_ms;
	int64_t drip_at_ms;
	bool hole;
};

enum ending { GOES_ON, ENDS, RESETS };
struct pair {
	int fds[2]; /* client, server; -1: none. A flow goes from fds[way] to fds[!way] */
	bool used;
	struct flow flows[2];
	enum proxy_frame frame;
	size_t forwarded; /* to the broker */
	unsigned int matched, unacked;
	bool struck;
	enum ending ending;      /* when all is written */
	int64_t frozen_until_ms; /* INT64_MAX: for ever */
};

/* The script and the counters of the whole proxy, as its thread sees them. */
struct plot {
	struct proxy_script script;
	struct proxy_tally tally;
	unsigned int connections_struck;
};

int64_t proxy_now_ms(void);
/* Takes in what was read; whole packets go out, as the script wants it. */
void flow_take(struct pair *pair, struct plot *plot, enum proxy_way way, const unsigned char *data, size_t count);
/* Writes what is due. False: the connection is broken. */
bool flow_write(struct pair *pair, enum proxy_way way, int64_t now_ms);
/* When something is due; INT64_MAX: nothing. */
int64_t flow_due(const struct pair *pair, enum proxy_way way);
void flow_clear(struct flow *flow);

#endif
