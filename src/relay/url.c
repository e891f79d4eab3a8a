/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define ALLOWED "allowed is scheme://host[:port], e.g. mqtts://broker.example.org:8883"

static int fail(const char *field, const char *text, const char *what)
{
	return kryos_fail(KRYOS_ECONFIG, "%s: \"%.200s\": %s; " ALLOWED, field, text, what);
}

static bool parse_port(const char *text, uint16_t *ret_port)
{
	unsigned int port = 0;

	if (!*text || strlen(text) > 5)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		port = port * 10 + (unsigned int)(*text - '0');
	}
	if (port < 1 || port > 65535)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

/* RFC 952/1123 letters, plus "_", which real networks have. */
static bool is_host(const char *host)
{
	if (!*host || *host == '.' || *host == '-')
		return false;
	for (const char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".-_", *c))
			return false;
		else if (c[0] == '.' && c[1] == '.')
			return false;
	return true;
}

static void classify(struct kri_url *url)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (url->v6) {
		url->numeric = true;
		url->loopback = inet_pton(AF_INET6, url->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
	} else if (inet_pton(AF_INET, url->host, &v4) == 1) {
		url->numeric = true;
		url->loopback = ntohl(v4.s_addr) >> 24 == 127;
	} else {
		url->loopback = !strcasecmp(url->host, "localhost");
	}
}

int kri_url_parse(struct kri_url *ret_url, const char *field, const char *text)
{
	struct kri_url url = { 0 };
	const char *rest, *port = NULL;
	struct in6_addr v6;
	size_t count;

	if (!text || !*text)
		return kryos_fail(KRYOS_ECONFIG, "%s: is missing; " ALLOWED, field);
	rest = strstr(text, "://");
	if (!rest || rest == text || (size_t)(rest - text) >= sizeof(url.scheme))
		return fail(field, text, "it has no scheme");
	for (const char *c = text; c < rest; c++)
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c))
			return fail(field, text, "the scheme is of lower-case letters");
	memcpy(url.scheme, text, (size_t)(rest - text));
	rest += 3;
	if (*rest == '[') {
		rest++;
		count = strcspn(rest, "]");
		if (rest[count] != ']' || count >= sizeof(url.host))
			return fail(field, text, "\"]\" is missing");
		memcpy(url.host, rest, count);
		if (inet_pton(AF_INET6, url.host, &v6) != 1)
			return fail(field, text, "that is no IPv6 address");
		url.v6 = true;
		rest += count + 1;
		if (*rest && *rest != ':')
			return fail(field, text, "only \":port\" may follow the address");
	} else {
		if (strchr(rest, '@'))
			return kryos_fail(KRYOS_ECONFIG, /* without the URL: a password is no text for a log */
			                  "%s: a user goes to username, a password to password_file; " ALLOWED, field);
		if (strpbrk(rest, "/?#"))
			return fail(field, text, "nothing may follow host and port; the topic has a key of its own");
		count = strcspn(rest, ":");
		if (count >= sizeof(url.host))
			return fail(field, text, "the host is longer than 255 bytes");
		memcpy(url.host, rest, count);
		if (!is_host(url.host))
			return fail(field, text, "that is no host");
		rest += count;
	}
	if (*rest == ':')
		port = rest + 1;
	if (port && !parse_port(port, &url.port))
		return fail(field, text, "the port is 1 to 65535");
	classify(&url);
	*ret_url = url;
	return 0;
}
