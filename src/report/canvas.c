/* SPDX-License-Identifier: Apache-2.0 */
#include "../config/config.h"
#include "draw.h"
#include <stdlib.h>
#include <string.h>

#define LEADING 1.38

static const char *const families[] = { "DejaVu Sans", "DejaVu Sans", "DejaVu Sans Mono" };

void kri_type(struct kri_canvas *canvas, double size, enum kri_face face, double grey)
{
	cairo_select_font_face(canvas->cr, families[face], CAIRO_FONT_SLANT_NORMAL,
	                       face == KRI_FACE_BOLD ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_font_size(canvas->cr, size);
	cairo_set_source_rgb(canvas->cr, grey, grey, grey);
	canvas->size = size;
	canvas->face = face;
}

static double bytes_width(struct kri_canvas *canvas, const char *text, size_t count)
{
	cairo_text_extents_t extents;
	char part[1024];

	if (count >= sizeof(part))
		count = sizeof(part) - 1;
	memcpy(part, text, count);
	part[count] = 0;
	cairo_text_extents(canvas->cr, part, &extents);
	return extents.x_advance;
}

double kri_text_width(struct kri_canvas *canvas, const char *text)
{
	return bytes_width(canvas, text, strlen(text));
}

/* Text from elsewhere: what is no UTF-8 would stop all drawing, and control characters are no text. */
static size_t clean(const char *text, char *buffer, size_t size)
{
	size_t at = 0;

	while (*text && at + 5 < size) {
		size_t step = kri_utf8_step(text, strlen(text));

		if (step == 0 || (step == 1 && ((unsigned char)*text < ' ' || *text == 127)) ||
		    (step == 3 && (unsigned char)text[0] == 0xef && (unsigned char)text[1] == 0xbf &&
		     (unsigned char)text[2] >= 0xbe)) {
			buffer[at++] = step == 1 ? ' ' : '?';
			text += step ? step : 1;
			continue;
		}
		memcpy(buffer + at, text, step);
		at += step;
		text += step;
	}
	buffer[at] = 0;
	return at;
}

static void put_layer(struct kri_canvas *canvas, double x, double y, double width, const char *text)
{
	fprintf(canvas->layer, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" textLength=\"%.1f\">", x, y,
	        canvas->size, width);
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", canvas->layer);
			break;
		case '<':
			fputs("&lt;", canvas->layer);
			break;
		case '>':
			fputs("&gt;", canvas->layer);
			break;
		default:
			fputc(*text, canvas->layer);
		}
	}
	fputs("</text>\n", canvas->layer);
}

static void show(struct kri_canvas *canvas, double x, double y, double width, enum kri_align align, const char *text)
{
	double own = kri_text_width(canvas, text);

	if (!*text)
		return;
	if (align == KRI_ALIGN_RIGHT)
		x += width - own;
	else if (align == KRI_ALIGN_CENTRE)
		x += (width - own) / 2;
	cairo_move_to(canvas->cr, x, y);
	cairo_show_text(canvas->cr, text);
	if (canvas->layer)
		put_layer(canvas, x, y, own, text);
}

/* How many bytes of text, whole characters, are at most that wide. */
static size_t fit(struct kri_canvas *canvas, const char *text, double width)
{
	size_t count = strlen(text), good = 0;

	while (good < count) {
		size_t step = kri_utf8_step(text + good, count - good);

		if (bytes_width(canvas, text, good + step) > width)
			break;
		good += step;
	}
	return good;
}

void kri_text(struct kri_canvas *canvas, double x, double y, double width, enum kri_align align, const char *text)
{
	char line[1024];
	size_t count = clean(text, line, sizeof(line) - 4);

	if (width > 0 && bytes_width(canvas, line, count) > width + 0.01) {
		count = fit(canvas, line, width - kri_text_width(canvas, "…"));
		while (count && line[count - 1] == ' ')
			count--;
		strcpy(line + count, "…");
	}
	show(canvas, x, y, width, align, line);
}

/* How much of text makes a line: up to the last blank that fits, or in the middle of a word that is too long. */
static size_t break_line(struct kri_canvas *canvas, const char *text, double width)
{
	size_t count = fit(canvas, text, width), at = count;

	if (!text[count])
		return count;
	while (at > 0 && text[at] != ' ')
		at--;
	if (at > 0)
		return at;
	return count ? count : kri_utf8_step(text, strlen(text));
}

int kri_text_lines(struct kri_canvas *canvas, double x, double y, double width, int lines, enum kri_align align,
                   bool draw, const char *text)
{
	char all[4096], line[1024];
	const char *at = all;
	int count = 0;

	clean(text, all, sizeof(all));
	while (*at && count < lines) {
		size_t length = break_line(canvas, at, width);
		bool is_last = count + 1 == lines;

		if (length >= sizeof(line))
			length = sizeof(line) - 1;
		memcpy(line, at, length);
		line[length] = 0;
		if (draw && is_last && at[length])
			kri_text(canvas, x, y, width, align, at);
		else if (draw)
			show(canvas, x, y, width, align, line);
		at += length;
		at += strspn(at, " ");
		y += canvas->size * LEADING;
		count++;
	}
	return count;
}

const char *kri_say(const struct kri_canvas *canvas, enum kri_word word)
{
	return kri_word(canvas->language, word);
}

char *kri_moment(const struct kri_canvas *canvas, int64_t t_wall_ns, char *buffer)
{
	return kri_local_text(t_wall_ns, canvas->zone_changes, buffer);
}

void kri_new_page(struct kri_canvas *canvas)
{
	double size = canvas->size;
	enum kri_face face = canvas->face;

	if (canvas->error < 0)
		return;
	canvas->error = canvas->turn(canvas);
	canvas->y = KRI_TOP;
	if (canvas->error >= 0)
		kri_type(canvas, size, face, KRI_BLACK);
}

void kri_need(struct kri_canvas *canvas, double height)
{
	if (canvas->y + height > KRI_BOTTOM && canvas->y > KRI_TOP)
		kri_new_page(canvas);
}

void kri_rule_line(struct kri_canvas *canvas, double y, double width, double grey)
{
	cairo_set_source_rgb(canvas->cr, grey, grey, grey);
	cairo_set_line_width(canvas->cr, width);
	cairo_move_to(canvas->cr, KRI_LEFT, y);
	cairo_line_to(canvas->cr, KRI_RIGHT, y);
	cairo_stroke(canvas->cr);
}

void kri_heading(struct kri_canvas *canvas, const char *text, double with)
{
	int lines;

	if (canvas->y > KRI_TOP)
		canvas->y += 16;
	kri_type(canvas, 11, KRI_FACE_BOLD, KRI_BLACK);
	lines = kri_text_lines(canvas, 0, 0, KRI_WIDTH, 3, KRI_ALIGN_LEFT, false, text);
	kri_need(canvas, 24 + 15 * (lines - 1) + with);
	kri_type(canvas, 11, KRI_FACE_BOLD, KRI_BLACK);
	kri_text_lines(canvas, KRI_LEFT, canvas->y + 11, KRI_WIDTH, 3, KRI_ALIGN_LEFT, true, text);
	canvas->y += 20 + 15 * (lines - 1);
}

void kri_paragraph(struct kri_canvas *canvas, const char *text)
{
	int lines = kri_text_lines(canvas, 0, 0, KRI_WIDTH, 40, KRI_ALIGN_LEFT, false, text);
	double height = lines * canvas->size * LEADING;

	kri_need(canvas, height);
	kri_text_lines(canvas, KRI_LEFT, canvas->y + canvas->size, KRI_WIDTH, 40, KRI_ALIGN_LEFT, true, text);
	canvas->y += height + 2;
}

/* Lines across the clipped rectangle, rising (1), falling (-1), upright (0). */
static void strokes(struct kri_canvas *canvas, double x, double y, double width, double height, int slope, double step)
{
	double shift = slope ? height : 0;

	for (double at = x - shift; at < x + width + shift; at += step) {
		cairo_move_to(canvas->cr, at, slope > 0 ? y + height : y);
		cairo_line_to(canvas->cr, at + shift, slope > 0 ? y : y + height);
	}
	cairo_stroke(canvas->cr);
}

void kri_fill_hatch(struct kri_canvas *canvas, double x, double y, double width, double height, enum kri_hatch hatch)
{
	static const double tints[][3] = { [KRI_HATCH_HEAT] = { 0.98, 0.86, 0.82 },
		                           [KRI_HATCH_FREEZE] = { 0.82, 0.90, 0.98 },
		                           [KRI_HATCH_OTHER] = { 0.95, 0.92, 0.80 },
		                           [KRI_HATCH_GAP] = { 0.93, 0.93, 0.93 } };
	cairo_t *cr = canvas->cr;

	cairo_save(cr);
	cairo_rectangle(cr, x, y, width, height);
	cairo_clip(cr);
	/* Out of service may be any of the others too. */
	if (hatch != KRI_HATCH_RETIRED) {
		cairo_set_source_rgb(cr, tints[hatch][0], tints[hatch][1], tints[hatch][2]);
		cairo_paint(cr);
	}
	cairo_set_source_rgb(cr, 0.45, 0.45, 0.45);
	cairo_set_line_width(cr, 0.4);
	switch (hatch) {
	case KRI_HATCH_HEAT:
		strokes(canvas, x, y, width, height, 1, 5);
		break;
	case KRI_HATCH_FREEZE:
		strokes(canvas, x, y, width, height, -1, 5);
		break;
	case KRI_HATCH_OTHER:
		strokes(canvas, x, y, width, height, 1, 7);
		strokes(canvas, x, y, width, height, -1, 7);
		break;
	case KRI_HATCH_GAP:
		cairo_set_source_rgb(cr, 0.6, 0.6, 0.6);
		strokes(canvas, x, y, width, height, 0, 2.5);
		break;
	case KRI_HATCH_RETIRED:
		for (double at = y + 1.5; at < y + height; at += 4) {
			cairo_move_to(cr, x, at);
			cairo_line_to(cr, x + width, at);
		}
		cairo_stroke(cr);
		break;
	}
	cairo_restore(cr);
}
