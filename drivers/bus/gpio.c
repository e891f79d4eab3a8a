/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPIO lines of the kernel, all chips together: "gpio". A place is a line's name ("GPIO17"), looked up over
 * all chips each time it is taken, because chips come and go and are numbered as they come; or "gpiochip0/17".
 */
#include "gpio.h"
#include "access.h"
#include "core/core.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gpio_bus {
	const struct kri_gpio_backend *backend;
	struct kri_gpio_watch *watch;
};

struct gpio_line {
	const struct kri_gpio_backend *backend;
	void *line;
	char where[80]; /* "GPIO17 (gpiochip0/17)" */
	struct kryos_line_request request;
	struct kri_gpio_watched watched;
};

static int gpio_open(void *priv, const char *name, void *userdata)
{
	struct gpio_bus *bus = priv;

	if (strcmp(name, "gpio") != 0)
		return kryos_fail(KRYOS_EDEVICE, "%s: no such bus; all GPIO chips together are called gpio", name);
	bus->backend = userdata ? userdata : &kri_gpio_backend;
	return kri_gpio_watch_new(&bus->watch);
}

static void gpio_close(void *priv)
{
	struct gpio_bus *bus = priv;

	kri_gpio_watch_stop(bus->watch);
	bus->watch = NULL;
}

/* "gpiochip0/17": the length of the chip's name and the offset; false: it is a line's name. */
static bool is_place_of_chip(const char *place, int *ret_length, unsigned int *ret_offset)
{
	const char *slash = strchr(place, '/');
	size_t digits = slash ? strspn(slash + 1, "0123456789") : 0;

	if (strncmp(place, "gpiochip", 8) != 0 || !slash || slash == place + 8 ||
	    strspn(place + 8, "0123456789") != (size_t)(slash - place) - 8 || !digits || digits > 6 ||
	    slash[1 + digits])
		return false;
	*ret_length = (int)(slash - place);
	*ret_offset = (unsigned int)strtoul(slash + 1, NULL, 10);
	return true;
}

static int gpio_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	unsigned int offset;
	int length;

	(void)priv;
	if (!place[0] || strlen(place) >= sizeof(ret_address->text) ||
	    (strchr(place, '/') && !is_place_of_chip(place, &length, &offset)))
		return kryos_fail(KRYOS_EDEVICE,
		                  "\"%.70s\" is no line; its name, as in GPIO17, or gpiochip0/17 is allowed", place);
	*ret_address = (struct kryos_address){ .number = 0 };
	strcpy(ret_address->text, place);
	return 0;
}

/* A search through all chips. */
struct search {
	const struct kri_gpio_backend *backend;
	const char *name;
	unsigned int found, chips;
	char chip[32];
	unsigned int offset;
	struct kri_gpio_info info;
	char places[160], names[400]; /* where it is; what else there is */
	unsigned int left_out;
	int denied; /* the error of a chip that could not be opened */
	char denied_path[PATH_MAX];
};

static void add_word(char *words, size_t size, unsigned int *left_out, const char *word)
{
	size_t length = strlen(words);

	if (length + strlen(word) + 3 > size)
		++*left_out;
	else
		snprintf(words + length, size - length, "%s%s", length ? ", " : "", word);
}

static void look_at_line(struct search *search, const char *chip, unsigned int offset, const struct kri_gpio_info *info)
{
	unsigned int ignored = 0;
	char place[64];

	if (!info->name[0])
		return;
	if (strcmp(info->name, search->name) != 0) {
		add_word(search->names, sizeof(search->names), &search->left_out, info->name);
		return;
	}
	snprintf(place, sizeof(place), "%.30s/%u", chip, offset);
	add_word(search->places, sizeof(search->places), &ignored, place);
	if (search->found++)
		return;
	snprintf(search->chip, sizeof(search->chip), "%.31s", chip);
	search->offset = offset;
	search->info = *info;
}

static void look_at_chip(struct search *search, const char *name)
{
	struct kri_gpio_info info;
	char path[PATH_MAX];
	unsigned int count;
	void *chip;
	int r;

	snprintf(path, sizeof(path), "%s/%s", search->backend->folder, name);
	r = search->backend->open_chip(path, &chip);
	if (r < 0) {
		/* One that went between the list and this was not there. */
		if (r != -ENOENT && r != -ENODEV && r != -ENXIO && !search->denied) {
			search->denied = r;
			strcpy(search->denied_path, path);
		}
		return;
	}
	search->chips++;
	count = search->backend->count_lines(chip);
	for (unsigned int offset = 0; offset < count; offset++)
		if (search->backend->get_info(chip, offset, &info) >= 0)
			look_at_line(search, name, offset, &info);
	search->backend->close_chip(chip);
}

static int is_chip(const struct dirent *entry)
{
	return strncmp(entry->d_name, "gpiochip", 8) == 0 &&
	       entry->d_name[8 + strspn(entry->d_name + 8, "0123456789")] == '\0';
}

static int fail_open(int result, const char *path)
{
	if (result == -EACCES || result == -EPERM)
		return kri_fail_access(path, "gpio");
	return kryos_fail(result, "%s: %s", path, strerror(-result));
}

static int fail_none(const struct search *search)
{
	if (search->denied)
		return fail_open(search->denied, search->denied_path);
	if (!search->chips)
		return kryos_fail(-ENODEV, "there is no line %s: this machine has no GPIO chip (no %s/gpiochip0)",
		                  search->name, search->backend->folder);
	if (!search->names[0])
		return kryos_fail(-ENODEV, "there is no line %s, nor any that has a name; gpiochip0/17 is allowed",
		                  search->name);
	if (search->left_out)
		return kryos_fail(-ENODEV, "there is no line %s; there is %s and %u more", search->name, search->names,
		                  search->left_out);
	return kryos_fail(-ENODEV, "there is no line %s; there is %s", search->name, search->names);
}

static int find_by_name(struct search *search)
{
	struct dirent **entries = NULL;
	int count = scandir(search->backend->folder, &entries, is_chip, versionsort);

	if (count < 0)
		return kryos_fail(-errno, "gpio: %s: %s", search->backend->folder, strerror(errno));
	for (int i = 0; i < count; i++) {
		look_at_chip(search, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (search->found > 1)
		return kryos_fail(KRYOS_EDEVICE, "%u lines are called %s, name one of them: %s", search->found,
		                  search->name, search->places);
	return search->found ? 0 : fail_none(search);
}

/* Opens the chip of a line that was found or named. */
static int open_chip(struct search *search, void **ret_chip)
{
	const struct kri_gpio_backend *backend = search->backend;
	char path[PATH_MAX];
	unsigned int count;
	int r;

	snprintf(path, sizeof(path), "%s/%s", backend->folder, search->chip);
	r = backend->open_chip(path, ret_chip);
	if (r == -ENOENT || r == -ENXIO || r == -ENODEV)
		return kryos_fail(-ENODEV, "there is no %s", path);
	if (r < 0)
		return fail_open(r, path);
	count = backend->count_lines(*ret_chip);
	if (search->offset >= count)
		r = kryos_fail(-ENODEV, "%s has no line %u; 0 to %u are there", search->chip, search->offset,
		               count ? count - 1 : 0);
	else
		r = backend->get_info(*ret_chip, search->offset, &search->info);
	if (r < 0)
		backend->close_chip(*ret_chip);
	return r;
}

/* Finds a line and opens its chip. */
static int find(const struct kri_gpio_backend *backend, const char *place, struct search *search, void **ret_chip)
{
	int length, r = 0;

	*search = (struct search){ .backend = backend, .name = place };
	if (is_place_of_chip(place, &length, &search->offset))
		snprintf(search->chip, sizeof(search->chip), "%.*s", length < 31 ? length : 31, place);
	else
		r = find_by_name(search);
	return r < 0 ? r : open_chip(search, ret_chip);
}

static int fail_held(const struct search *search, const char *where)
{
	return kryos_fail(-EBUSY, "%s is held by \"%s\"", where,
	                  search->info.consumer[0] ? search->info.consumer : "somebody who gave no name");
}

static int fail_line(int result, const char *where, const struct kryos_line_request *request)
{
	switch (-result) {
	case ENODEV:
	case ENXIO:
	case ENOENT:
	case ESHUTDOWN:
		return kryos_fail(-ENODEV, "%s: its chip has gone", where);
	case EACCES:
	case EPERM:
		return kryos_fail(-EACCES, "%s: not allowed: %s", where, strerror(-result));
	case EINVAL:
		if (request && !request->output)
			return kryos_fail(
				-EIO,
				"%s: the kernel refuses it as an input with this bias; before Linux 5.5 none can be "
				"set, and bias = off is allowed",
				where);
		return kryos_fail(-EIO, "%s: the kernel refuses it: %s", where, strerror(-result));
	default:
		return kryos_fail(-EIO, "%s: %s", where, strerror(-result));
	}
}

static void where_is(const struct search *search, const char *place, char where[80])
{
	if (strchr(place, '/'))
		snprintf(where, 80, "%s", place);
	else
		snprintf(where, 80, "%.40s (%.24s/%u)", place, search->chip, search->offset);
}

static int line_open(void *priv, void *bus_priv, const struct kryos_address *address,
                     const struct kryos_line_request *request)
{
	struct gpio_bus *bus = bus_priv;
	struct gpio_line *line = priv;
	struct search search;
	void *chip;
	int r = find(bus->backend, address->text, &search, &chip);

	if (r < 0)
		return r;
	where_is(&search, address->text, line->where);
	r = search.info.used ? -EBUSY : bus->backend->take_line(chip, search.offset, request, &line->line);
	if (r < 0) {
		r = r == -EBUSY ? fail_held(&search, line->where) : fail_line(r, line->where, request);
		bus->backend->close_chip(chip);
		return r;
	}
	line->backend = bus->backend;
	line->request = *request;
	if (request->edge) {
		line->watched.backend = bus->backend;
		line->watched.request = &line->request;
		line->watched.fd = bus->backend->get_fd(line->line);
		r = line->watched.fd < 0 ? fail_line(line->watched.fd, line->where, NULL)
		                         : kri_gpio_watch_add(bus->watch, &line->watched);
	}
	if (r < 0)
		bus->backend->release_line(line->line);
	return r;
}

static void line_close(void *priv)
{
	struct gpio_line *line = priv;

	kri_gpio_watch_remove(&line->watched);
	/* The kernel leaves the level to the chip when a line is let go. What fails here is gone already. */
	if (line->request.output)
		(void)!line->backend->set(line->line, 0);
	line->backend->release_line(line->line);
}

static int line_get(void *priv)
{
	struct gpio_line *line = priv;
	int r = line->backend->get(line->line);

	return r < 0 ? fail_line(r, line->where, NULL) : r;
}

static int line_set(void *priv, int active)
{
	struct gpio_line *line = priv;
	int r = line->backend->set(line->line, active);

	return r < 0 ? fail_line(r, line->where, NULL) : 0;
}

static const struct kryos_line_ops line_ops = {
	.size = sizeof(line_ops),
	.private_size = sizeof(struct gpio_line),
	.open = line_open,
	.close = line_close,
	.get = line_get,
	.set = line_set,
};

const struct kryos_bus_driver kri_bus_gpiod = {
	.size = sizeof(kri_bus_gpiod),
	.prefix = "gpio",
	.private_size = sizeof(struct gpio_bus),
	.open = gpio_open,
	.close = gpio_close,
	.parse = gpio_parse,
	.line = &line_ops,
};
