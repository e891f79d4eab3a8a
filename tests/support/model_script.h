/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts for a store and its model: made from a seed, printed and read, made shorter. */
#ifndef KRI_TEST_MODEL_SCRIPT_H
#define KRI_TEST_MODEL_SCRIPT_H

#include "model_run.h"
#include <stdio.h>

void model_make_script(struct model_script *script, uint64_t seed);
/* One step in a line, as kept in tests/data/model/. */
void model_print_script(const struct model_script *script, FILE *stream);
/* false and a sentence in why: not a script. Lines that begin with # are skipped. */
bool model_read_script(struct model_script *script, FILE *stream, char *why, size_t size);
/*
 * Leaves out what the failure does not need, and makes numbers smaller, as long as `fails` says that it still does.
 */
void model_shrink_script(struct model_script *script, bool (*fails)(void *data, const struct model_script *script),
                         void *data);

#endif
