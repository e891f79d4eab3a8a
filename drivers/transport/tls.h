/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Paho 1.3 does not tell: why a connection could not be made. Its ssl_error_cb says
 * "certificate verify failed" for an expired certificate and a wrong CA alike, and nothing at all
 * for a wrong name or a refused TCP connection. So after a failure the same is tried once more here,
 * by hand, up to where it fails.
 */
#ifndef KRI_TLS_H
#define KRI_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kri_tls_target {
	const char *host;
	uint16_t port;
	bool tls;
	const char *ca, *cert, *key, *alpn; /* alpn, cert, key: NULL: none */
};

/* Are the files what they should be? KRYOS_ECONFIG with a sentence that names the field. */
int kri_tls_check(const char *ca, const char *cert, const char *key);

/*
 * Tries to connect, at most timeout_ns, and writes into text why it does not go. Returns the code:
 * KRYOS_EAUTH and *ret_tls for certificates, -errno for what is below; 0 if it went well. Sends nothing but a
 * handshake. On a thread that blocks SIGPIPE.
 */
int kri_tls_explain(const struct kri_tls_target *target, int64_t timeout_ns, char *text, size_t capacity,
                    bool *ret_tls);

#endif
