/* SPDX-License-Identifier: Apache-2.0 */
/* kryosctl evaluate: what its files share. */
#ifndef KRYOSCTL_EVALUATE_H
#define KRYOSCTL_EVALUATE_H

#include "kryosctl.h"

/* What was found of one channel. */
struct finding {
	const struct kryos_evaluation *evaluation;
	unsigned int channel;
	struct kryos_evaluation_summary summary;
	struct kryos_exposure_result exposure;
};

/* evaluate_show.c */
struct kri_json *finding_json(const struct options *options, const struct finding *finding);
void print_evaluation(const struct options *options, const struct finding *finding);

#endif
