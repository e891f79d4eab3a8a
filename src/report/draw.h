/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drawing: one canvas of A4 pages, whatever becomes of them. The same calls are made twice: first to count the pages,
 * then to draw them. Lengths are points (1/72 inch), from the page's top left corner.
 */
#ifndef KRI_REPORT_DRAW_H
#define KRI_REPORT_DRAW_H

#include "report.h"
#include <cairo.h>
#include <stdio.h>

#define KRI_PAGE_WIDTH 595.276
#define KRI_PAGE_HEIGHT 841.89
#define KRI_LEFT 42.0
#define KRI_RIGHT (KRI_PAGE_WIDTH - 42.0)
#define KRI_WIDTH (KRI_RIGHT - KRI_LEFT)
#define KRI_TOP 74.0
#define KRI_BOTTOM (KRI_PAGE_HEIGHT - 52.0)

#define KRI_GREY 0.38 /* of secondary words and lines: 7 to 1 on white */
#define KRI_BLACK 0.0

enum kri_align { KRI_ALIGN_LEFT, KRI_ALIGN_RIGHT, KRI_ALIGN_CENTRE };
enum kri_face { KRI_FACE_PLAIN, KRI_FACE_BOLD, KRI_FACE_MONO };
enum kri_hatch { KRI_HATCH_HEAT, KRI_HATCH_FREEZE, KRI_HATCH_OTHER, KRI_HATCH_GAP, KRI_HATCH_RETIRED };

struct kri_canvas {
	const struct kri_report *report;
	enum kri_language language;
	cairo_t *cr;
	int page, pages; /* pages 0: they are being counted */
	double y;        /* where the next thing goes */
	bool zone_changes;
	char zone[256];
	double size; /* of the type that is set */
	enum kri_face face;
	bool is_heading; /* of a heading nothing else has been drawn yet below */
	/* Ends a page and gives the surface of the next one; cr is NULL at the end. */
	int (*turn)(struct kri_canvas *canvas);
	void *turn_data;
	FILE *layer; /* takes each text as an invisible SVG element, to be searched, selected and read aloud; NULL: none
	              */
	int error;
};

/* canvas.c */
void kri_type(struct kri_canvas *canvas, double size, enum kri_face face, double grey);
double kri_text_width(struct kri_canvas *canvas, const char *text);
/* One line on the baseline y; what does not fit in width ends in an ellipsis. 0: as wide as it is. */
void kri_text(struct kri_canvas *canvas, double x, double y, double width, enum kri_align align, const char *text);
/* As many lines as it takes, at most lines; the first baseline is y. draw false: only counts. Returns how many. */
int kri_text_lines(struct kri_canvas *canvas, double x, double y, double width, int lines, enum kri_align align,
                   bool draw, const char *text);
/* The next page where less than height is left. */
void kri_need(struct kri_canvas *canvas, double height);
void kri_new_page(struct kri_canvas *canvas);
void kri_heading(struct kri_canvas *canvas, const char *text, double with); /* with: what has to follow on its page */
/* A paragraph over the width. */
void kri_paragraph(struct kri_canvas *canvas, const char *text);
void kri_rule_line(struct kri_canvas *canvas, double y, double width, double grey);
void kri_fill_hatch(struct kri_canvas *canvas, double x, double y, double width, double height, enum kri_hatch hatch);
const char *kri_say(const struct kri_canvas *canvas, enum kri_word word);
/* A local time; with its offset where that changes within the period. buffer of KRI_LOCAL_TEXT. */
char *kri_moment(const struct kri_canvas *canvas, int64_t t_wall_ns, char *buffer);

#define KRI_TABLE_MAX 12
struct kri_table {
	int columns;
	double widths[KRI_TABLE_MAX]; /* shares of KRI_WIDTH */
	enum kri_align aligns[KRI_TABLE_MAX];
	const char *heads[KRI_TABLE_MAX];
	double size;
	enum kri_face first_face; /* of the first column */
};
void kri_table_begin(struct kri_canvas *canvas, const struct kri_table *table);
void kri_table_row(struct kri_canvas *canvas, const struct kri_table *table, const char *const *cells);

/* chart.c */
void kri_draw_chart(struct kri_canvas *canvas, const struct kri_report_channel *channel);
enum kri_hatch kri_hatch_of(const struct kryos_rule *rule);

/* pages.c: what stands on each page; all of the report, from the first page to the last. */
void kri_draw_frame(struct kri_canvas *canvas);
void kri_draw_report(struct kri_canvas *canvas);
/* parts.c */
void kri_draw_verdict(struct kri_canvas *canvas); /* how many excursions */
void kri_draw_summary(struct kri_canvas *canvas);
void kri_draw_contacts(struct kri_canvas *canvas);
/* episodes.c */
void kri_draw_episodes(struct kri_canvas *canvas);
/* holdover.c */
void kri_draw_holdover(struct kri_canvas *canvas);
/* gaps.c */
void kri_draw_gaps(struct kri_canvas *canvas);
/* statistics.c */
void kri_draw_statistics(struct kri_canvas *canvas);
void kri_draw_days(struct kri_canvas *canvas);
/* records.c: a word, and what it says beside it */
void kri_draw_line(struct kri_canvas *canvas, const char *word, const char *text);
void kri_draw_device(struct kri_canvas *canvas);
void kri_draw_seals(struct kri_canvas *canvas);
void kri_draw_signature(struct kri_canvas *canvas);

#endif
