/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real Mosquitto on a free port of 127.0.0.1, a subscriber that keeps what arrives, a proxy that
 * misbehaves on demand, and throwaway certificates. Everything lives below one scratch folder.
 */
#ifndef KRI_TEST_BROKER_H
#define KRI_TEST_BROKER_H

#include "proxy.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Starts a program that serves the test: argv[0] is looked for where system programs are, input is a
 * file (NULL: /dev/null), what it says is added to log. It ends with the test program, however that
 * ends. -1: it did not start.
 */
pid_t helper_start(const char *const *argv, const char *input, const char *log);
/* kill -9 and wait; *pid is -1 then. Nothing where there is none. */
void helper_end(pid_t *pid);

/* NULL if mosquitto and openssl are there; else which is missing. */
const char *broker_missing(void);
/* A port of 127.0.0.1 that nobody listens on, and that no other program is given as long as this one lives. */
uint16_t broker_free_port(void);

struct broker;
/* extra: further lines of mosquitto.conf; NULL: anonymous, no TLS. Waits until it listens. NULL: it did not start. */
struct broker *broker_start(const char *folder, uint16_t port, const char *extra);
/* kill -9 and wait. */
void broker_kill(struct broker *broker);
/* The same port and configuration again. */
bool broker_restart(struct broker *broker);
void broker_free(struct broker *broker);

/* Subscribes to everything at QoS 1, MQTT 3.1.1, and acknowledges. NULL: it could not. */
struct sink;
struct sink *sink_start(uint16_t port);
/* Lines "<retained 0|1> <topic> <payload>" that have come so far; borrowed until the next call. NULL: no such. */
const char *sink_line(struct sink *sink, size_t index);
/* Waits until there are count lines that contain text (NULL: any), at most ms. */
bool sink_wait(struct sink *sink, const char *text, size_t count, int ms);
size_t sink_count(struct sink *sink, const char *text);
/* What its lines take of the heap, for those who watch it. */
size_t sink_bytes(const struct sink *sink);
void sink_free(struct sink *sink);

/*
 * Makes in folder: ca.crt, server.crt/.key (127.0.0.1, localhost), other.crt/.key (for
 * elsewhere.example), expired.crt/.key, client.crt/.key, wrong-ca.crt, stranger.crt/.key (a client's
 * of that CA). False: openssl failed.
 */
bool certs_make(const char *folder);

#endif
