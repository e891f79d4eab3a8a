/* SPDX-License-Identifier: Apache-2.0 */
/* A trace, strict as for cryo_daemon --simulate and free as for kryosctl evaluate: refused, or rows as it is asked for.
 */
#include "evaluate/trace.h"
#include "fuzz.h"

static void read_as(const char *path, const struct kri_trace_format *format)
{
	struct kri_trace trace;

	if (kri_trace_read(&trace, path, format) < 0) {
		FUZZ_MUST(!trace.rows && !trace.count && !trace.channels);
		return;
	}
	FUZZ_MUST(trace.count > 0);
	for (size_t i = 0; i < trace.count; i++) {
		const struct kri_trace_row *row = &trace.rows[i];

		FUZZ_MUST(row->celsius_micro >= format->min_micro && row->celsius_micro <= format->max_micro);
		FUZZ_MUST(row->t_wall_ns >= 0 && row->line > 1);
		FUZZ_MUST(format->any_order || i == 0 || row->t_wall_ns > trace.rows[i - 1].t_wall_ns);
		FUZZ_MUST(trace.channels ? row->channel < trace.channel_count : row->channel == 0);
	}
	kri_trace_free(&trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kri_trace_format format = { .min_micro = -55000000,
		                           .max_micro = 125000000,
		                           .out_of_range = "out of range" };
	const char *path = fuzz_file(data, size);

	read_as(path, &format);
	format.any_time = format.any_order = format.channels = format.states = true;
	read_as(path, &format);
	return 0;
}
