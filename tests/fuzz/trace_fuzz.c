/* SPDX-License-Identifier: Apache-2.0 */
/* A trace for cryo_daemon --simulate: either refused, or rows that a DS18B20 can measure, each later than the last. */
#include "fuzz.h"
#include "trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace trace;

	if (trace_read(&trace, fuzz_file(data, size)) < 0) {
		FUZZ_MUST(!trace.rows && !trace.count);
		return 0;
	}
	FUZZ_MUST(trace.count > 0);
	for (size_t i = 0; i < trace.count; i++) {
		FUZZ_MUST(trace.rows[i].celsius_micro >= -55000000 && trace.rows[i].celsius_micro <= 125000000);
		FUZZ_MUST(trace.rows[i].t_wall_ns >= 0);
		FUZZ_MUST(i == 0 || trace.rows[i].t_wall_ns > trace.rows[i - 1].t_wall_ns);
	}
	trace_free(&trace);
	return 0;
}
