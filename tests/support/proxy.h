/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwards connections of 127.0.0.1 to a port, or does worse. It works on bytes; where it is told how
 * the stream is framed (MQTT packets, TLS records) it also knows borders, so that a fault can be put
 * on the third PUBLISH, on each PUBACK, or in the middle of the second record of a handshake.
 */
#ifndef KRI_TEST_PROXY_H
#define KRI_TEST_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proxy;
struct proxy *proxy_start(uint16_t to_port);
uint16_t proxy_port(const struct proxy *proxy);
void proxy_free(struct proxy *proxy);
unsigned int proxy_connections(struct proxy *proxy);

/* For new connections, and for what flows over old ones. */
enum proxy_mode {
	PROXY_PASS,
	PROXY_CLOSE,    /* accept, then close */
	PROXY_SWALLOW,  /* accept, never answer */
	PROXY_ONE_WAY,  /* forward to the broker, swallow its answers */
	PROXY_TAKE_OVER /* itself a broker of MQTT 5, where another client takes over at once */
};
void proxy_set_mode(struct proxy *proxy, enum proxy_mode mode);
/* Cuts what is connected. */
void proxy_cut(struct proxy *proxy);
/* Cuts each connection so many bytes after its beginning, to the broker; 0: never. */
void proxy_set_limit(struct proxy *proxy, size_t bytes);
/* Forwards new connections to another port: the host has a new server. */
void proxy_set_target(struct proxy *proxy, uint16_t to_port);

/* New connections offer so little room that a sender is soon held up. */
void proxy_set_narrow(struct proxy *proxy);

enum proxy_frame {
	PROXY_BYTES, /* whatever one read gives */
	PROXY_MQTT,
	PROXY_TLS
};
enum proxy_way { PROXY_UP /* to the broker */, PROXY_BACK /* from it */ };

/* Types that a script can name: MQTT 3.1.1 table 2.1, RFC 8446 5.1. */
enum {
	MQTT_CONNECT = 1,
	MQTT_CONNACK = 2,
	MQTT_PUBLISH = 3,
	MQTT_PUBACK = 4,
	MQTT_PINGREQ = 12,
	MQTT_PINGRESP = 13,
	TLS_HANDSHAKE = 22,
	TLS_DATA = 23
};

/* What happens at the packet that a script names, and from then on. */
enum proxy_fault {
	PROXY_NOTHING,
	PROXY_DELAY,     /* this and all later packets of that way come ms later */
	PROXY_DRIP,      /* and in single bytes, one each ms (as long as there are any) */
	PROXY_CUT,       /* FIN to both */
	PROXY_RESET,     /* RST to both */
	PROXY_HOLE,      /* what comes that way is read and forgotten */
	PROXY_HOLE_BOTH, /* and the other way too */
	PROXY_HALF_OPEN, /* nobody reads any more, and nobody closes: the peer lost its power */
	PROXY_STALL,     /* nobody reads for ms */
	PROXY_TWICE,     /* the packet comes twice */
	PROXY_LOSE,      /* the packet alone is forgotten, as by a broker that does not answer */
	PROXY_REFUSE,    /* a PUBLISH is answered by an MQTT 5 PUBACK with reason, and not forwarded */
	PROXY_BYE        /* it is answered by an MQTT 5 DISCONNECT with reason, and FIN */
};
#define PROXY_MIDDLE SIZE_MAX

struct proxy_script {
	enum proxy_fault fault;
	enum proxy_way way;
	unsigned int type; /* of packet; 0: any */
	unsigned int nth;  /* of those of one connection, from 1; 0: each */
	const char *text;  /* only packets that contain it; NULL: any. Lives as long as the script */
	size_t bytes;      /* so much of the packet is still forwarded; PROXY_MIDDLE: half of it */
	unsigned int ms;
	unsigned char reason;
	unsigned int times; /* on so many connections; 0: on each */
};
/* Replaces the script, for new and old connections; NULL: none. What has happened to a connection stays. */
void proxy_set_script(struct proxy *proxy, const struct proxy_script *script);
/* For new connections. */
void proxy_set_frame(struct proxy *proxy, enum proxy_frame frame);

struct proxy_tally {
	unsigned int packets[2][32]; /* by way and type, MQTT and TLS only */
	unsigned int struck;         /* how often the script did its worst */
	unsigned int max_unacked;    /* PUBLISHes that waited for their PUBACK at a time, on one connection */
};
struct proxy_tally proxy_get_tally(struct proxy *proxy);

#endif
