/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"
#include "core/core.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A TLS 1.3 server refuses a client's certificate only after the handshake: how long to listen for that. */
#define LINGER_NS KRYOS_SECONDS(1)

static const char *last_reason(void)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = error ? ERR_reason_error_string(error) : NULL;

	return reason ? reason : "the connection was closed";
}

static int check_file(const char *field, const char *path)
{
	FILE *file = fopen(path, "re");
	int r = file ? 0 : -errno;

	if (!file)
		return kryos_fail(KRYOS_ECONFIG, "%s: %s: %s; it must be a readable PEM file", field, path,
		                  strerror(-r));
	fclose(file);
	return 0;
}

int kri_tls_check(const char *ca, const char *cert, const char *key)
{
	SSL_CTX *ctx;
	int r = check_file("ca", ca);

	if (r >= 0 && cert)
		r = check_file("cert", cert);
	if (r >= 0 && key)
		r = check_file("key", key);
	if (r < 0)
		return r;
	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		return kryos_fail(-ENOMEM, "TLS: %s", last_reason());
	/* The key is not read: it may live in a chip that is not there yet. */
	if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
		r = kryos_fail(KRYOS_ECONFIG, "ca: %s: %s; it must hold certificates in PEM", ca, last_reason());
	else if (cert && SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		r = kryos_fail(KRYOS_ECONFIG, "cert: %s: %s; it must hold a certificate in PEM", cert, last_reason());
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

static bool wait_for(int fd, short events, int64_t until)
{
	struct pollfd ready = { .fd = fd, .events = events };
	int64_t left = until - kri_real_ns();

	return left > 0 && poll(&ready, 1, (int)(left / 1000000) + 1) > 0;
}

static int dial_one(const struct addrinfo *address, int64_t until)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
		error = errno;
		if (error == EINPROGRESS) {
			error = ETIMEDOUT;
			if (wait_for(fd, POLLOUT, until))
				getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
		}
	}
	if (!error)
		return fd;
	close(fd);
	return -error;
}

static int dial(const struct kri_tls_target *target, int64_t until)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found = NULL;
	char port[8];
	int r;

	snprintf(port, sizeof(port), "%u", target->port);
	if (getaddrinfo(target->host, port, &hints, &found))
		return -EHOSTUNREACH;
	r = -EHOSTUNREACH;
	for (const struct addrinfo *address = found; address && r < 0; address = address->ai_next)
		r = dial_one(address, until);
	freeaddrinfo(found);
	return r;
}

static SSL *session_new(SSL_CTX *ctx, const struct kri_tls_target *target, int fd)
{
	unsigned char protos[256];
	struct in_addr v4;
	SSL *ssl;

	SSL_CTX_load_verify_locations(ctx, target->ca, NULL);
	if (target->cert)
		SSL_CTX_use_certificate_chain_file(ctx, target->cert);
	if (target->key)
		SSL_CTX_use_PrivateKey_file(ctx, target->key, SSL_FILETYPE_PEM);
	/* Going on after a bad certificate is how we learn what is bad; nothing is sent over it. */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	ssl = SSL_new(ctx);
	if (!ssl)
		return NULL;
	if (target->alpn && strlen(target->alpn) < sizeof(protos)) {
		protos[0] = (unsigned char)strlen(target->alpn);
		memcpy(protos + 1, target->alpn, protos[0]);
		SSL_set_alpn_protos(ssl, protos, protos[0] + 1u);
	}
	if (inet_pton(AF_INET, target->host, &v4) != 1)
		SSL_set_tlsext_host_name(ssl, target->host);
	SSL_set_fd(ssl, fd);
	return ssl;
}

/* 1: done; 0: in vain; -1: no time left. */
static int shake_hands(SSL *ssl, int fd, int64_t until)
{
	for (;;) {
		int n = SSL_connect(ssl), error;

		if (n == 1)
			return 1;
		error = SSL_get_error(ssl, n);
		if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			return 0;
		if (!wait_for(fd, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until))
			return -1;
	}
}

static void date_of(const ASN1_TIME *time, char text[32])
{
	struct tm tm;

	snprintf(text, 32, "?");
	if (ASN1_TIME_to_tm(time, &tm))
		strftime(text, 32, "%Y-%m-%d %H:%M UTC", &tm);
}

static int judge_certificate(SSL *ssl, const struct kri_tls_target *target, char *text, size_t capacity)
{
	long verdict = SSL_get_verify_result(ssl);
	X509 *cert = SSL_get1_peer_certificate(ssl);
	char from[32] = "?", until[32] = "?", subject[80] = "?";
	int r = 0;

	if (cert) {
		date_of(X509_get0_notBefore(cert), from);
		date_of(X509_get0_notAfter(cert), until);
		X509_NAME_oneline(X509_get_subject_name(cert), subject, sizeof(subject));
	}
	if (verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CERT_NOT_YET_VALID) {
		snprintf(text, capacity, "%s:%u: %s (%s, valid %s to %s)", target->host, target->port,
		         X509_verify_cert_error_string(verdict), subject, from, until);
		r = KRYOS_EAUTH;
	} else if (verdict != X509_V_OK) {
		snprintf(text, capacity, "%s:%u: its certificate (%s) is not from the CA in ca: %s", target->host,
		         target->port, subject, X509_verify_cert_error_string(verdict));
		r = KRYOS_EAUTH;
	} else if (!cert || (X509_check_host(cert, target->host, 0, 0, NULL) != 1 &&
	                     X509_check_ip_asc(cert, target->host, 0) != 1)) {
		snprintf(text, capacity, "%s:%u: its certificate (%s) is for another host than \"%s\"", target->host,
		         target->port, subject, target->host);
		r = KRYOS_EAUTH;
	}
	X509_free(cert);
	return r;
}

static int listen_for_refusal(SSL *ssl, const struct kri_tls_target *target, int fd, char *text, size_t capacity)
{
	int64_t until = kri_real_ns() + LINGER_NS;
	char byte;

	for (;;) {
		int n, error;

		ERR_clear_error();
		n = SSL_read(ssl, &byte, 1);
		if (n > 0)
			return 0;
		error = SSL_get_error(ssl, n);
		if (error == SSL_ERROR_WANT_READ && wait_for(fd, POLLIN, until))
			continue;
		if (error == SSL_ERROR_WANT_READ)
			return 0;
		snprintf(text, capacity, "%s:%u: refused us in TLS: %s", target->host, target->port, last_reason());
		return KRYOS_EAUTH;
	}
}

static int explain_tls(const struct kri_tls_target *target, int fd, int64_t until, char *text, size_t capacity)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx ? session_new(ctx, target, fd) : NULL;
	int r;

	ERR_clear_error();
	if (!ssl) {
		SSL_CTX_free(ctx);
		return 0;
	}
	switch (shake_hands(ssl, fd, until)) {
	case 1:
		r = judge_certificate(ssl, target, text, capacity);
		if (!r)
			r = listen_for_refusal(ssl, target, fd, text, capacity);
		break;
	case 0:
		snprintf(text, capacity, "%s:%u: TLS failed: %s", target->host, target->port, last_reason());
		r = KRYOS_EAUTH;
		break;
	default:
		snprintf(text, capacity, "%s:%u: no answer to the TLS handshake", target->host, target->port);
		r = -ETIMEDOUT;
		break;
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

int kri_tls_explain(const struct kri_tls_target *target, int64_t timeout_ns, char *text, size_t capacity, bool *ret_tls)
{
	int64_t until = kri_real_ns() + timeout_ns;
	int fd = dial(target, until), r = 0;

	*ret_tls = false;
	if (fd < 0) {
		snprintf(text, capacity, "%s:%u: %s", target->host, target->port, strerror(-fd));
		return fd;
	}
	if (target->tls)
		r = explain_tls(target, fd, until, text, capacity);
	close(fd);
	*ret_tls = r == KRYOS_EAUTH;
	return r;
}
