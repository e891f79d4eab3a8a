/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines through libgpiod 1.6 (Debian 11 and 12): the kernel's first interface, which does not debounce and
 * does not count edges.
 *
 * Its calls for edges pass struct timespec, which on 32 bits has another size in a program with 64-bit time
 * than in the library: none is used. Edges are read as the kernel writes them (linux/gpio.h).
 */
#include "core/core.h"
#include "gpio.h"
#include <gpiod.h>
#include <linux/gpio.h>
#include <stdio.h>

static int open_chip(const char *path, void **ret_chip)
{
	struct gpiod_chip *chip = gpiod_chip_open(path);

	if (!chip)
		return -errno;
	*ret_chip = chip;
	return 0;
}

static void close_chip(void *chip)
{
	gpiod_chip_close(chip);
}

static unsigned int count_lines(void *chip)
{
	return gpiod_chip_num_lines(chip);
}

static int get_info(void *chip, unsigned int offset, struct kri_gpio_info *ret_info)
{
	struct gpiod_line *line = gpiod_chip_get_line(chip, offset);
	const char *name, *consumer;

	if (!line || gpiod_line_update(line) < 0)
		return -errno;
	name = gpiod_line_name(line);
	consumer = gpiod_line_consumer(line);
	ret_info->used = gpiod_line_is_used(line);
	snprintf(ret_info->name, sizeof(ret_info->name), "%s", name ? name : "");
	snprintf(ret_info->consumer, sizeof(ret_info->consumer), "%s", consumer ? consumer : "");
	return 0;
}

static int flags_of(const struct kryos_line_request *request)
{
	static const int bias[] = {
		[KRYOS_BIAS_PULL_UP] = GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP,
		[KRYOS_BIAS_PULL_DOWN] = GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN,
		[KRYOS_BIAS_OFF] = GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE,
	};
	int flags = request->config.active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;

	return request->output ? flags : flags | bias[request->config.bias];
}

static int take_line(void *chip, unsigned int offset, const struct kryos_line_request *request, void **ret_line)
{
	struct gpiod_line *line = gpiod_chip_get_line(chip, offset);
	struct gpiod_line_request_config config = { .consumer = "kryos", .flags = flags_of(request) };

	if (request->output)
		config.request_type = GPIOD_LINE_REQUEST_DIRECTION_OUTPUT;
	else if (request->edge)
		config.request_type = GPIOD_LINE_REQUEST_EVENT_BOTH_EDGES;
	else
		config.request_type = GPIOD_LINE_REQUEST_DIRECTION_INPUT;
	if (!line || gpiod_line_request(line, &config, 0) < 0)
		return -errno;
	*ret_line = line;
	return 0;
}

static void release_line(void *line)
{
	gpiod_line_close_chip(line);
}

static int get(void *line)
{
	int r = gpiod_line_get_value(line);

	return r < 0 ? -errno : r;
}

static int set(void *line, int active)
{
	return gpiod_line_set_value(line, active) < 0 ? -errno : 0;
}

static int get_fd(void *line)
{
	int fd = gpiod_line_event_get_fd(line);

	return fd < 0 ? -errno : fd;
}

static void decode(const void *bytes, struct kri_gpio_record *ret_record)
{
	const struct gpioevent_data *event = bytes;

	ret_record->t_ns = (int64_t)event->timestamp;
	ret_record->active = event->id == GPIOEVENT_EVENT_RISING_EDGE;
	ret_record->number = 0;
}

const struct kri_gpio_backend kri_gpio_backend = {
	.folder = "/dev",
	.record_size = sizeof(struct gpioevent_data),
	.debounces = false,
	.open_chip = open_chip,
	.close_chip = close_chip,
	.count_lines = count_lines,
	.get_info = get_info,
	.take_line = take_line,
	.release_line = release_line,
	.get = get,
	.set = set,
	.get_fd = get_fd,
	.decode = decode,
};
