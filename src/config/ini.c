/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inih 55 joins an indented line to the value above it, takes ':' for '=', cuts names at 50 bytes
 * and lines at 200, drops what follows " ;" or a section's ']', and says nothing of a section
 * without entries. Which of these it does depends on how the distribution built it. So the reader
 * that feeds it looks at each line first, hands it only lines about which all builds agree, and
 * sees section headers itself.
 */
#include "config.h"
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE (256 * 1024)
#define MAX_LINE 197 /* INI_MAX_LINE of 200 less "\r\n" and the NUL */
#define MAX_NAME 49  /* MAX_NAME and MAX_SECTION of 50 less the NUL */
#define MAX_ERRORS 1000

struct mistake {
	int line;
	unsigned int order;
	char *text;
};

struct kri_ini {
	const char *path;
	const struct kri_ini_handler *handler;
	void *data;
	char *text, *next, *end; /* the whole file, and how far it is read */
	int line;
	bool in_section;
	bool pending; /* an entry was handed to inih and has not come back */
	bool no_memory;
	struct mistake *mistakes;
	unsigned int count, more;
};

void kri_ini_error(struct kri_ini *ini, int line, const char *format, ...)
{
	struct mistake *bigger;
	char *text;
	va_list args;
	int length;

	if (ini->count == MAX_ERRORS) {
		ini->more++;
		return;
	}
	bigger = realloc(ini->mistakes, (ini->count + 1) * sizeof(*bigger));
	if (!bigger) {
		ini->no_memory = true;
		return;
	}
	ini->mistakes = bigger;
	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0) {
		ini->no_memory = true;
		return;
	}
	ini->mistakes[ini->count] = (struct mistake){ .line = line, .order = ini->count, .text = text };
	ini->count++;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* False, and reported, when the bytes of a line are no text. */
static bool is_text(struct kri_ini *ini, const char *line, size_t count)
{
	size_t length;

	for (size_t i = 0; i < count; i += length) {
		length = kri_utf8_step(line + i, count - i);
		if (length == 0) {
			kri_ini_error(ini, ini->line,
			              "byte %zu of the line (0x%02x) is no UTF-8; only UTF-8 is allowed", i + 1,
			              (unsigned char)line[i]);
			return false;
		}
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f) {
			kri_ini_error(ini, ini->line,
			              "byte %zu of the line is a control character (0x%02x); only text is allowed",
			              i + 1, (unsigned char)line[i]);
			return false;
		}
	}
	return true;
}

/* A header that says nothing still ends the section above it. */
static void take_no_header(struct kri_ini *ini)
{
	ini->in_section = true;
	ini->handler->section(ini, ini->data, "", "", ini->line);
}

/* "[name]" or "[name label]". With a mistake, it is what it can be read as, for the sake of the entries below. */
static void take_header(struct kri_ini *ini, char *line)
{
	char *close = strchr(line, ']'), *name = line + 1, *label;

	ini->in_section = true;
	if (!close || close[1])
		kri_ini_error(
			ini, ini->line,
			"a section header must end in \"]\" with nothing behind it, as in [store] or [sensor fridge]");
	if (!close)
		close = line + strlen(line);
	*close = 0;
	while (is_blank(*name))
		name++;
	while (close > name && is_blank(close[-1]))
		*--close = 0;
	label = name + strcspn(name, " \t");
	if (*label)
		*label++ = 0;
	while (is_blank(*label))
		label++;
	if (!*name || strlen(name) > MAX_NAME || strlen(label) > MAX_NAME || strpbrk(label, " \t")) {
		kri_ini_error(ini, ini->line,
		              "a section header holds one name and at most one label of up to %d bytes, as in [sensor "
		              "fridge]",
		              MAX_NAME);
		if (strlen(name) > MAX_NAME || strlen(label) > MAX_NAME) {
			take_no_header(ini);
			return;
		}
		label[strcspn(label, " \t")] = 0;
	}
	ini->handler->section(ini, ini->data, name, label, ini->line);
}

/* True when line is "key = value" in a form that every inih takes alike. */
static bool is_entry(struct kri_ini *ini, const char *line)
{
	size_t key = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
	const char *at = line + key;

	while (is_blank(*at))
		at++;
	if (key == 0 || *at != '=') {
		kri_ini_error(ini, ini->line, "\"%.*s\" is no entry; key = value is allowed%s", 60, line,
		              key > 0 && *at == ':' ? ", with \"=\" and not \":\"" : "");
		return false;
	}
	if (key > MAX_NAME) {
		kri_ini_error(ini, ini->line, "\"%.*s...\" is too long a name; at most %d bytes are allowed", MAX_NAME,
		              line, MAX_NAME);
		return false;
	}
	for (const char *c = at + 1; *c; c++) {
		if (*c == ';' && (is_blank(c[-1]) || c == at + 1)) {
			kri_ini_error(ini, ini->line,
			              "\";\" behind a blank is not allowed; a comment needs a line of its own");
			return false;
		}
	}
	if (!ini->in_section) {
		kri_ini_error(ini, ini->line,
		              "\"%.*s\" stands in no section; a header such as [station] must come first", (int)key,
		              line);
		return false;
	}
	return true;
}

/* Cuts the next line out of the file; NULL at its end. */
static char *next_line(struct kri_ini *ini, size_t *ret_count)
{
	char *line = ini->next, *newline;

	if (line >= ini->end)
		return NULL;
	newline = memchr(line, '\n', (size_t)(ini->end - line));
	ini->next = newline ? newline + 1 : ini->end;
	newline = newline ? newline : ini->end;
	if (newline > line && newline[-1] == '\r')
		newline--;
	while (newline > line && is_blank(newline[-1]))
		newline--;
	*newline = 0;
	*ret_count = (size_t)(newline - line);
	ini->line++;
	return line;
}

/* inih's reader, as fgets: one line, or an empty one in place of what it must not see. */
static char *read_line(char *buffer, int size, void *stream)
{
	struct kri_ini *ini = stream;
	char *line, *start;
	size_t count;

	if (ini->pending) {
		ini->pending = false;
		kri_ini_error(ini, ini->line, "this line could not be read");
	}
	line = next_line(ini, &count);
	if (!line)
		return NULL;
	strcpy(buffer, "\n");
	start = line + strspn(line, " \t");
	if (!is_text(ini, line, count)) {
		if (*start == '[')
			take_no_header(ini);
		return buffer;
	}
	if (!*start || *start == '#' || *start == ';')
		return buffer;
	if (count > MAX_LINE || (int)count + 2 > size) {
		kri_ini_error(ini, ini->line, "the line has %zu bytes; at most %d are allowed", count, MAX_LINE);
		if (*start == '[')
			take_no_header(ini);
	} else if (start != line) {
		kri_ini_error(ini, ini->line,
		              "the line is indented; entries and headers must begin in the first column");
		if (*start == '[')
			take_header(ini, start);
	} else if (*line == '[') {
		take_header(ini, line);
	} else if (is_entry(ini, line)) {
		snprintf(buffer, (size_t)size, "%s\n", line);
		ini->pending = true;
	}
	return buffer;
}

static int take_entry(void *user, const char *section, const char *name, const char *value)
{
	struct kri_ini *ini = user;

	(void)section;
	if (ini->pending) {
		ini->pending = false;
		ini->handler->entry(ini, ini->data, name, value, ini->line);
	}
	return 1;
}

static int by_line(const void *a, const void *b)
{
	const struct mistake *one = a, *other = b;

	if (one->line != other->line)
		return one->line < other->line ? -1 : 1;
	return one->order < other->order ? -1 : one->order > other->order;
}

static char *join(struct kri_ini *ini)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	qsort(ini->mistakes, ini->count, sizeof(*ini->mistakes), by_line);
	for (unsigned int i = 0; i < ini->count; i++)
		fprintf(stream, "%s%s:%d: %s", i ? "\n" : "", ini->path, ini->mistakes[i].line, ini->mistakes[i].text);
	if (ini->more)
		fprintf(stream, "\n%s: and %u more", ini->path, ini->more);
	if (fclose(stream) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int no_file(const char *path, int error)
{
	return kryos_fail(-error, "%s: %s", path, strerror(error));
}

static int load(struct kri_ini *ini)
{
	size_t count = 0;
	struct stat status;
	ssize_t got;
	int r = 0, fd;

	/* O_NONBLOCK: a FIFO in the file's place must not hang a start. */
	fd = open(ini->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return no_file(ini->path, errno);
	if (fstat(fd, &status) < 0) {
		r = no_file(ini->path, errno);
		goto close_file;
	}
	if (!S_ISREG(status.st_mode)) {
		r = kryos_fail(-EINVAL, "%s: this is no regular file", ini->path);
		goto close_file;
	}
	ini->text = malloc(MAX_FILE + 1);
	if (!ini->text) {
		r = -ENOMEM;
		goto close_file;
	}
	do {
		got = read(fd, ini->text + count, MAX_FILE + 1 - count);
		if (got > 0)
			count += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		r = no_file(ini->path, errno);
	else if (count > MAX_FILE)
		r = kryos_fail(KRYOS_ECONFIG, "%s: the file is longer than 256 KiB, which is the most allowed",
		               ini->path);
	ini->next = ini->text;
	ini->end = ini->text + count;
	if (count >= 3 && memcmp(ini->text, "\xef\xbb\xbf", 3) == 0)
		ini->next += 3; /* the mark that some editors put before UTF-8 */
close_file:
	close(fd);
	return r;
}

int kri_ini_read(const char *path, const struct kri_ini_handler *handler, void *data, char **ret_errors)
{
	struct kri_ini ini = { .path = path, .handler = handler, .data = data };
	int r = load(&ini);

	if (r == KRYOS_ECONFIG) {
		*ret_errors = strdup(kryos_strerror(r));
		r = *ret_errors ? r : -ENOMEM;
	}
	if (r < 0)
		goto free_text;
	if (ini_parse_stream(read_line, &ini, take_entry, &ini) == -2)
		ini.no_memory = true;
	if (handler->end)
		handler->end(&ini, data);
	if (ini.no_memory) {
		r = -ENOMEM;
	} else if (ini.count > 0) {
		*ret_errors = join(&ini);
		r = *ret_errors ? KRYOS_ECONFIG : -ENOMEM;
	}
	for (unsigned int i = 0; i < ini.count; i++)
		free(ini.mistakes[i].text);
	free(ini.mistakes);
free_text:
	free(ini.text);
	return r;
}
