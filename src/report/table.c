/* SPDX-License-Identifier: Apache-2.0 */
/* Tables over the whole width, whose head is repeated on each page. */
#include "draw.h"

#define LEADING 1.38
#define PADDING 3.0
#define GAP 6.0
#define MAX_LINES 12

static double width_of(const struct kri_table *table, int column)
{
	return table->widths[column] * KRI_WIDTH - GAP;
}

static void set_type(struct kri_canvas *canvas, const struct kri_table *table, int column, bool is_head)
{
	enum kri_face face = is_head ? KRI_FACE_BOLD : column == 0 ? table->first_face : KRI_FACE_PLAIN;

	kri_type(canvas, table->size, face, KRI_BLACK);
}

static int lines_of(struct kri_canvas *canvas, const struct kri_table *table, const char *const *cells, bool is_head)
{
	int most = 1;

	for (int i = 0; i < table->columns; i++) {
		int lines;

		set_type(canvas, table, i, is_head);
		lines = kri_text_lines(canvas, 0, 0, width_of(table, i), MAX_LINES, KRI_ALIGN_LEFT, false, cells[i]);
		most = lines > most ? lines : most;
	}
	return most;
}

static double height_of(const struct kri_table *table, int lines)
{
	return lines * table->size * LEADING + PADDING;
}

static void draw_row(struct kri_canvas *canvas, const struct kri_table *table, const char *const *cells, bool is_head)
{
	double x = KRI_LEFT, height = height_of(table, lines_of(canvas, table, cells, is_head));

	for (int i = 0; i < table->columns; i++) {
		set_type(canvas, table, i, is_head);
		kri_text_lines(canvas, x, canvas->y + table->size + 1, width_of(table, i), MAX_LINES, table->aligns[i],
		               true, cells[i]);
		x += table->widths[i] * KRI_WIDTH;
	}
	canvas->y += height;
	kri_rule_line(canvas, canvas->y, is_head ? 0.7 : 0.25, is_head ? KRI_BLACK : 0.7);
	canvas->y += 1;
}

void kri_table_begin(struct kri_canvas *canvas, const struct kri_table *table)
{
	double head = height_of(table, lines_of(canvas, table, table->heads, true));

	kri_need(canvas, head + height_of(table, 2));
	draw_row(canvas, table, table->heads, true);
}

void kri_table_row(struct kri_canvas *canvas, const struct kri_table *table, const char *const *cells)
{
	double height = height_of(table, lines_of(canvas, table, cells, false)) + 1;

	if (canvas->y + height > KRI_BOTTOM) {
		kri_new_page(canvas);
		draw_row(canvas, table, table->heads, true);
	}
	draw_row(canvas, table, cells, false);
}
