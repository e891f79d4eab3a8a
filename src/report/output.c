/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One drawing, three outputs. PDF has pages of its own. SVG has none, so each page is drawn to an SVG of its own, and
 * these stand one below the other in one file, or in sections of an HTML page. cairo names its glyphs and clips alike
 * in each, so names get their page's number.
 */
#include "draw.h"
#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE_GAP 12

struct sink {
	enum kri_report_form form;
	FILE *file;
	bool counting;
	char *page; /* the SVG of the page that is being drawn */
	size_t page_size;
	FILE *page_stream;
	char *layer;
	size_t layer_size;
};

static cairo_status_t write_bytes(void *closure, const unsigned char *bytes, unsigned int count)
{
	return fwrite(bytes, 1, count, closure) == count ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static int fail_cairo(cairo_status_t status)
{
	if (status == CAIRO_STATUS_NO_MEMORY)
		return kryos_fail(-ENOMEM, "out of memory");
	return kryos_fail(-EIO, "drawing: %s", cairo_status_to_string(status));
}

static int begin_drawing(struct kri_canvas *canvas, cairo_surface_t *surface)
{
	cairo_font_options_t *options = cairo_font_options_create();

	/* The same widths on every surface, or pages would be counted otherwise than they are drawn. */
	cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
	canvas->cr = cairo_create(surface);
	cairo_set_font_options(canvas->cr, options);
	cairo_font_options_destroy(options);
	cairo_surface_destroy(surface);
	return cairo_status(canvas->cr) ? fail_cairo(cairo_status(canvas->cr)) : 0;
}

static int end_drawing(struct kri_canvas *canvas)
{
	cairo_surface_t *surface;
	cairo_status_t status;

	if (!canvas->cr)
		return 0;
	surface = cairo_surface_reference(cairo_get_target(canvas->cr));
	status = cairo_status(canvas->cr);
	cairo_destroy(canvas->cr);
	canvas->cr = NULL;
	cairo_surface_finish(surface);
	if (!status)
		status = cairo_surface_status(surface);
	cairo_surface_destroy(surface);
	return status ? fail_cairo(status) : 0;
}

/* The page's number before each name that is given or referred to. */
static void copy_svg(const char *svg, int page, FILE *file)
{
	static const char *const marks[] = { " id=\"", "href=\"#", "url(#" };
	const char *at = strstr(svg, "<svg");

	at = at ? strchr(at, '>') : NULL;
	for (at = at ? at + 1 : svg; *at && strncmp(at, "</svg>", 6) != 0;) {
		size_t mark = 0;

		while (mark < 3 && strncmp(at, marks[mark], strlen(marks[mark])) != 0)
			mark++;
		if (mark == 3) {
			fputc(*at++, file);
			continue;
		}
		fprintf(file, "%sp%d-", marks[mark], page);
		at += strlen(marks[mark]);
	}
}

static void put_page(struct kri_canvas *canvas, struct sink *sink)
{
	if (sink->form == KRI_REPORT_HTML) {
		fprintf(sink->file,
		        "<section id=\"page-%d\"><svg xmlns=\"http://www.w3.org/2000/svg\" "
		        "xmlns:xlink=\"http://www.w3.org/1999/xlink\" viewBox=\"0 0 %.3f %.3f\">",
		        canvas->page, KRI_PAGE_WIDTH, KRI_PAGE_HEIGHT);
	} else {
		fprintf(sink->file, "<svg y=\"%.3f\" width=\"%.3f\" height=\"%.3f\" viewBox=\"0 0 %.3f %.3f\">\n",
		        (canvas->page - 1) * (KRI_PAGE_HEIGHT + PAGE_GAP), KRI_PAGE_WIDTH, KRI_PAGE_HEIGHT,
		        KRI_PAGE_WIDTH, KRI_PAGE_HEIGHT);
	}
	fprintf(sink->file, "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>");
	copy_svg(sink->page, canvas->page, sink->file);
	fprintf(sink->file,
	        "<g class=\"text\" fill=\"black\" fill-opacity=\"0\" font-family=\"sans-serif\">\n%s</g></svg>%s\n",
	        sink->layer, sink->form == KRI_REPORT_HTML ? "</section>" : "");
}

static int end_svg_page(struct kri_canvas *canvas, struct sink *sink)
{
	int r = end_drawing(canvas);

	if (sink->page_stream && fclose(sink->page_stream) != 0 && r >= 0)
		r = kryos_fail(-ENOMEM, "out of memory");
	if (canvas->layer && fclose(canvas->layer) != 0 && r >= 0)
		r = kryos_fail(-ENOMEM, "out of memory");
	sink->page_stream = canvas->layer = NULL;
	if (r >= 0 && canvas->page > 0)
		put_page(canvas, sink);
	free(sink->page);
	free(sink->layer);
	sink->page = sink->layer = NULL;
	return r;
}

static int begin_svg_page(struct kri_canvas *canvas, struct sink *sink)
{
	sink->page_stream = open_memstream(&sink->page, &sink->page_size);
	canvas->layer = open_memstream(&sink->layer, &sink->layer_size);
	if (!sink->page_stream || !canvas->layer)
		return kryos_fail(-ENOMEM, "out of memory");
	return begin_drawing(canvas, cairo_svg_surface_create_for_stream(write_bytes, sink->page_stream, KRI_PAGE_WIDTH,
	                                                                 KRI_PAGE_HEIGHT));
}

static cairo_surface_t *new_pdf(struct kri_canvas *canvas, struct sink *sink)
{
	cairo_surface_t *surface =
		cairo_pdf_surface_create_for_stream(write_bytes, sink->file, KRI_PAGE_WIDTH, KRI_PAGE_HEIGHT);
	time_t printed = (time_t)(canvas->report->config.printed_ns / KRYOS_SECONDS(1));
	struct tm tm;
	char when[64];

	gmtime_r(&printed, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, kri_say(canvas, KRI_WORD_TITLE));
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "kryosctl report");
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, when);
	return surface;
}

static int turn(struct kri_canvas *canvas)
{
	struct sink *sink = canvas->turn_data;
	int r = 0;

	if (!sink->counting && sink->form != KRI_REPORT_PDF) {
		r = end_svg_page(canvas, sink);
		if (r >= 0)
			r = begin_svg_page(canvas, sink);
	} else if (!canvas->cr) {
		r = begin_drawing(canvas, sink->counting ? cairo_recording_surface_create(CAIRO_CONTENT_COLOR, NULL)
		                                         : new_pdf(canvas, sink));
	} else if (!sink->counting) {
		cairo_show_page(canvas->cr);
	}
	canvas->page++;
	if (r >= 0)
		kri_draw_frame(canvas);
	return r;
}

/* Without any font cairo draws nothing and says nothing. */
static int check_font(struct kri_canvas *canvas)
{
	int r = begin_drawing(canvas, cairo_recording_surface_create(CAIRO_CONTENT_COLOR, NULL));

	if (r < 0)
		return r;
	kri_type(canvas, 10, KRI_FACE_PLAIN, KRI_BLACK);
	if (kri_text_width(canvas, "0") <= 0)
		r = kryos_fail(-ENOENT, "there is no font; the package fonts-dejavu-core has those that a report uses");
	if (r < 0)
		(void)end_drawing(canvas);
	else
		r = end_drawing(canvas);
	return r;
}

static int draw(const struct kri_report *report, struct sink *sink, int *pages)
{
	struct kri_canvas canvas = {
		.report = report, .language = report->config.language, .pages = *pages, .turn = turn, .turn_data = sink
	};
	int r = sink->counting ? check_font(&canvas) : 0, ended;

	if (r >= 0) {
		kri_draw_report(&canvas);
		r = canvas.error;
	}
	*pages = canvas.page;
	ended = sink->counting || sink->form == KRI_REPORT_PDF ? end_drawing(&canvas) : end_svg_page(&canvas, sink);
	return r < 0 ? r : ended;
}

static void put_head(const struct kri_report *report, const struct sink *sink, int pages)
{
	const char *title = kri_word(report->config.language, KRI_WORD_TITLE),
		   *code = kri_language_code(report->config.language);

	if (sink->form == KRI_REPORT_HTML)
		fprintf(sink->file,
		        "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
		        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n<style>\n"
		        "@page { size: A4; margin: 0 }\nbody { margin: 0; background: #ddd }\n"
		        "section { width: 210mm; max-width: 100%%; margin: 4mm auto; background: #fff; "
		        "box-shadow: 0 0 2mm #999 }\nsvg { display: block; width: 100%% }\n"
		        "@media print { body { background: #fff } section { margin: 0; box-shadow: none; "
		        "break-after: page } section:last-child { break-after: auto } }\n</style>\n</head>\n<body>\n",
		        code, title);
	if (sink->form == KRI_REPORT_SVG)
		fprintf(sink->file,
		        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
		        "xmlns:xlink=\"http://www.w3.org/1999/xlink\" xml:lang=\"%s\" width=\"%.3fpt\" "
		        "height=\"%.3fpt\" "
		        "viewBox=\"0 0 %.3f %.3f\">\n<title>%s</title>\n",
		        code, KRI_PAGE_WIDTH, pages * (KRI_PAGE_HEIGHT + PAGE_GAP) - PAGE_GAP, KRI_PAGE_WIDTH,
		        pages * (KRI_PAGE_HEIGHT + PAGE_GAP) - PAGE_GAP, title);
}

static int write_to(const struct kri_report *report, enum kri_report_form form, FILE *file)
{
	struct sink sink = { .form = form, .file = file, .counting = true };
	int pages = 0, r = draw(report, &sink, &pages);

	if (r < 0)
		return r;
	sink.counting = false;
	put_head(report, &sink, pages);
	r = draw(report, &sink, &pages);
	if (form == KRI_REPORT_HTML)
		fputs("</body>\n</html>\n", file);
	if (form == KRI_REPORT_SVG)
		fputs("</svg>\n", file);
	return r;
}

int kri_report_write(const struct kri_report *report, enum kri_report_form form, const char *path)
{
	char *beside = NULL;
	FILE *file;
	int r;

	if (asprintf(&beside, "%s.part", path) < 0)
		return kryos_fail(-ENOMEM, "out of memory");
	file = fopen(beside, "we");
	if (!file) {
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
		free(beside);
		return r;
	}
	r = write_to(report, form, file);
	if (r >= 0 && (fflush(file) == EOF || ferror(file) || fsync(fileno(file)) < 0))
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (fclose(file) == EOF && r >= 0)
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (r >= 0 && rename(beside, path) < 0)
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (r < 0)
		unlink(beside);
	free(beside);
	return r;
}
