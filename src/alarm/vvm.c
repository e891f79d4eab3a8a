/* SPDX-License-Identifier: Apache-2.0 */
/* Vaccine vial monitors: the share of a life that a day at a temperature uses, k = a exp(-b / T). */
#include "alarm.h"
#include "exposure.h"
#include <math.h>
#include <string.h>

#define ZERO_CELSIUS_K 273.15

static const char *const names[KRYOS_VVM_COUNT] = { "vvm2", "vvm7", "vvm14", "vvm30" };
static const char *const model_names[] = { "goldwood-diesburg-2018", "two-point" };

/* Goldwood and Diesburg 2018, Vaccine, S0264410X17315852; per day. */
static const struct {
	double a, b;
} published[KRYOS_VVM_COUNT] = {
	[KRYOS_VVM2] = { 1.4422e17, 12429 },
	[KRYOS_VVM7] = { 2.1532e18, 13652 },
	[KRYOS_VVM14] = { 1.0766e18, 13652 },
	[KRYOS_VVM30] = { 5.1131e17, 13657 },
};

/* WHO/PQS/E006/IN05, table 1a: days to the end point at 37 C, and at a second temperature. That of the others at 5 C is
 * given as a least only, so theirs is 25 C. */
static const struct {
	double days_at_37, days, celsius;
} anchors[KRYOS_VVM_COUNT] = {
	[KRYOS_VVM2] = { 2, 225, 5 },
	[KRYOS_VVM7] = { 7, 45, 25 },
	[KRYOS_VVM14] = { 14, 90, 25 },
	[KRYOS_VVM30] = { 30, 193, 25 },
};

const char *kryos_vvm_name(unsigned int vvm)
{
	return vvm < KRYOS_VVM_COUNT ? names[vvm] : "?";
}

bool kri_vvm_parse(const char *list, uint32_t *ret_kinds)
{
	uint32_t kinds = 0;

	for (const char *word = list;; word++) {
		size_t length;
		unsigned int vvm = 0;

		word += strspn(word, " ");
		length = strcspn(word, ", ");
		while (vvm < KRYOS_VVM_COUNT &&
		       (strlen(names[vvm]) != length || strncmp(names[vvm], word, length) != 0))
			vvm++;
		if (vvm == KRYOS_VVM_COUNT)
			return false;
		kinds |= 1U << vvm;
		word += length;
		word += strspn(word, " ");
		if (!*word) {
			*ret_kinds = kinds;
			return true;
		}
		if (*word != ',')
			return false;
	}
}

const char *kryos_vvm_model_name(unsigned int model)
{
	return model < KRI_ARRAY_SIZE(model_names) ? model_names[model] : "?";
}

double kri_vvm_aging(unsigned int model, unsigned int vvm, double celsius)
{
	double kelvin = celsius + ZERO_CELSIUS_K, hot = 37 + ZERO_CELSIUS_K, other, b;

	if (model == KRYOS_VVM_GOLDWOOD_DIESBURG_2018)
		return published[vvm].a * exp(-published[vvm].b / kelvin);
	other = anchors[vvm].celsius + ZERO_CELSIUS_K;
	b = log(anchors[vvm].days / anchors[vvm].days_at_37) / (1 / other - 1 / hot);
	return exp(b * (1 / hot - 1 / kelvin)) / anchors[vvm].days_at_37;
}
