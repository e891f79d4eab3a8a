/* SPDX-License-Identifier: Apache-2.0 */
#include "../config/config.h"
#include "relay.h"
#include <stdio.h>
#include <string.h>

#define PLACEHOLDER "{device}"

int kri_topic_check(const char *field, const char *topic)
{
	size_t count = topic ? strlen(topic) : 0, step;
	unsigned int slashes = 0;

	if (!count)
		return kryos_fail(KRYOS_ECONFIG, "%s: is empty; allowed are 1 to %d bytes", field, KRI_TOPIC_MAX);
	if (count > KRI_TOPIC_MAX)
		return kryos_fail(KRYOS_ECONFIG, "%s: \"%.40s...\" has %zu bytes; at most %d are allowed", field, topic,
		                  count, KRI_TOPIC_MAX);
	if (topic[0] == '$')
		return kryos_fail(KRYOS_ECONFIG,
		                  "%s: \"%s\" begins with \"$\", which belongs to the broker; it must not", field,
		                  topic);
	for (size_t i = 0; i < count; i += step) {
		unsigned char c = (unsigned char)topic[i];

		step = kri_utf8_step(topic + i, count - i);
		if (!step)
			return kryos_fail(KRYOS_ECONFIG, "%s: byte %zu is no UTF-8; a topic is valid UTF-8", field, i);
		if (c == '+' || c == '#')
			return kryos_fail(KRYOS_ECONFIG,
			                  "%s: \"%s\" has the wildcard \"%c\"; + and # are not allowed in a topic "
			                  "that is published to",
			                  field, topic, c);
		/* MQTT 5, 1.5.4: control characters should not be used, and a receiver may close over them. */
		if (c < 0x20 || c == 0x7f)
			return kryos_fail(KRYOS_ECONFIG, "%s: byte %zu is a control character; none is allowed", field,
			                  i);
		slashes += c == '/';
	}
	if (slashes > KRI_TOPIC_SLASHES)
		return kryos_fail(KRYOS_ECONFIG,
		                  "%s: \"%s\" has %u slashes; at most %d are allowed (with the /sample, /event or "
		                  "/state that is added)",
		                  field, topic, slashes, KRI_TOPIC_SLASHES);
	return 0;
}

int kri_topic_make(char *buffer, const char *field, const char *pattern, const char *device, const char *leaf)
{
	char topic[2 * KRI_TOPIC_MAX];
	const char *at = strstr(pattern, PLACEHOLDER);
	int n, r;

	if (at)
		n = snprintf(topic, sizeof(topic), "%.*s%s%s%s%s", (int)(at - pattern), pattern, device,
		             at + strlen(PLACEHOLDER), leaf ? "/" : "", leaf ? leaf : "");
	else
		n = snprintf(topic, sizeof(topic), "%s%s%s", pattern, leaf ? "/" : "", leaf ? leaf : "");
	if (n < 0 || (size_t)n >= sizeof(topic))
		return kryos_fail(KRYOS_ECONFIG, "%s: \"%.40s...\" is too long; at most %d bytes are allowed", field,
		                  pattern, KRI_TOPIC_MAX);
	if (strpbrk(topic, "{}"))
		return kryos_fail(KRYOS_ECONFIG, "%s: \"%s\": the only placeholder is " PLACEHOLDER ", once", field,
		                  pattern);
	if (pattern[0] == 0 || pattern[strlen(pattern) - 1] == '/')
		return kryos_fail(KRYOS_ECONFIG, "%s: \"%s\" must not be empty or end with \"/\"", field, pattern);
	r = kri_topic_check(field, topic);
	if (r < 0)
		return r;
	memcpy(buffer, topic, (size_t)n + 1);
	return 0;
}
