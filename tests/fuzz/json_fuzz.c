/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside, as commands bring it: what is taken is written such that it is taken as the same again. */
#include "fuzz.h"
#include "json/json.h"
#include <errno.h>
#include <kryos/kryos.h>
#include <stdlib.h>
#include <string.h>

/* Looks at everything, as a handler would. */
static void walk(const struct kri_json *value, unsigned int depth)
{
	const struct kri_json *child;
	const char *key = NULL, *text;
	double number;
	int64_t whole;
	bool truth;

	FUZZ_MUST(depth <= 33);
	for (unsigned int i = 0; (child = kri_json_at(value, i, &key)); i++) {
		if (kri_json_is_object(value) && key) {
			(void)!kri_json_get_string(value, key, &text);
			if (kri_json_get_int(value, key, &whole))
				FUZZ_MUST(kri_json_get_double(value, key, &number) && (double)whole == number);
			(void)!kri_json_get_bool(value, key, &truth);
			FUZZ_MUST(kri_json_get(value, key));
		}
		walk(child, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kri_json *value = NULL, *again = NULL;
	char *one, *other;

	if (kri_json_parse(&value, (const char *)data, size) < 0) {
		FUZZ_MUST(!value && *kryos_strerror(-EINVAL));
		return 0;
	}
	walk(value, 0);
	one = kri_json_print(value);
	FUZZ_MUST(one);
	FUZZ_MUST(kri_json_parse(&again, one, strlen(one)) >= 0);
	other = kri_json_print(again);
	FUZZ_MUST(other && strcmp(one, other) == 0);
	free(one);
	free(other);
	kri_json_free(value);
	kri_json_free(again);
	return 0;
}
