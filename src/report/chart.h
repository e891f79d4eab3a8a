/* SPDX-License-Identifier: Apache-2.0 */
/* A chart's inside, shared by its two files. */
#ifndef KRI_REPORT_CHART_H
#define KRI_REPORT_CHART_H

#include "draw.h"

struct kri_chart {
	struct kri_canvas *canvas;
	const struct kri_report_channel *channel;
	double x, y, width, height;
	double low, high;     /* millionths, at the bottom and the top */
	unsigned int hatches; /* bits 1 << enum kri_hatch that were drawn, for the legend */
};

double kri_chart_x(const struct kri_chart *chart, int64_t t_ns);
double kri_chart_y(const struct kri_chart *chart, int64_t micro);

/* strips.c */
void kri_draw_strips(struct kri_chart *chart);
void kri_draw_time_axis(struct kri_chart *chart);

#endif
