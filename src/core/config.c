/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"
#include <inttypes.h>
#include <string.h>

static const struct {
	int64_t value, minimum, maximum;
} defaults[] = {
#define KRYOS_DEFAULT(section, key, symbol, kind, value, text, minimum, maximum, doc) { value, minimum, maximum },
#include "../config/defaults.def"
#undef KRYOS_DEFAULT
};

int64_t kri_default(enum kri_default_id id)
{
	return defaults[id].value;
}

int64_t kri_default_min(enum kri_default_id id)
{
	return defaults[id].minimum;
}

int64_t kri_default_max(enum kri_default_id id)
{
	return defaults[id].maximum;
}

int kri_config_copy(void *ret, size_t our_size, const void *config)
{
	const unsigned char *bytes = config;
	uint32_t size;

	if (!config) {
		size = (uint32_t)our_size;
		memcpy(ret, &size, sizeof(size));
		return 0;
	}
	memcpy(&size, config, sizeof(size));
	if (size < sizeof(size))
		return kryos_fail(-EINVAL, "config: size is %" PRIu32 "; set it to sizeof the struct", size);
	/* A newer program may know fields that we don't; that is harmless only while they are unset. */
	for (size_t i = our_size; i < size; i++)
		if (bytes[i])
			return kryos_fail(-EINVAL,
			                  "config: a field at offset %zu is set that this version does not know", i);
	memcpy(ret, config, size < our_size ? size : our_size);
	size = (uint32_t)our_size;
	memcpy(ret, &size, sizeof(size));
	return 0;
}

int kri_config_number(int64_t *value, enum kri_default_id id, const char *field)
{
	if (*value == 0) {
		*value = defaults[id].value;
		return 0;
	}
	if (*value < defaults[id].minimum || *value > defaults[id].maximum)
		return kryos_fail(-EINVAL, "%s: %" PRId64 " is not allowed; %" PRId64 " to %" PRId64, field, *value,
		                  defaults[id].minimum, defaults[id].maximum);
	return 0;
}
