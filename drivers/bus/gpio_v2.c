/* SPDX-License-Identifier: Apache-2.0 */
/* Lines through libgpiod 2.1 and later: the kernel's second interface, which debounces and counts edges. */
#include "core/core.h"
#include "gpio.h"
#include <gpiod.h>
#include <linux/gpio.h>
#include <stdio.h>
#include <stdlib.h>

struct line {
	struct gpiod_line_request *request;
	unsigned int offset;
};

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
	struct gpiod_chip_info *info = gpiod_chip_get_info(chip);
	size_t count = info ? gpiod_chip_info_get_num_lines(info) : 0;

	gpiod_chip_info_free(info);
	return (unsigned int)count;
}

static int get_info(void *chip, unsigned int offset, struct kri_gpio_info *ret_info)
{
	struct gpiod_line_info *info = gpiod_chip_get_line_info(chip, offset);
	const char *name, *consumer;

	if (!info)
		return -errno;
	name = gpiod_line_info_get_name(info);
	consumer = gpiod_line_info_get_consumer(info);
	ret_info->used = gpiod_line_info_is_used(info);
	snprintf(ret_info->name, sizeof(ret_info->name), "%s", name ? name : "");
	snprintf(ret_info->consumer, sizeof(ret_info->consumer), "%s", consumer ? consumer : "");
	gpiod_line_info_free(info);
	return 0;
}

static int fill(struct gpiod_line_settings *settings, const struct kryos_line_request *request)
{
	static const enum gpiod_line_bias bias[] = {
		[KRYOS_BIAS_PULL_UP] = GPIOD_LINE_BIAS_PULL_UP,
		[KRYOS_BIAS_PULL_DOWN] = GPIOD_LINE_BIAS_PULL_DOWN,
		[KRYOS_BIAS_OFF] = GPIOD_LINE_BIAS_DISABLED,
	};
	int r;

	gpiod_line_settings_set_active_low(settings, request->config.active_low);
	if (request->output) {
		r = gpiod_line_settings_set_direction(settings, GPIOD_LINE_DIRECTION_OUTPUT);
		return r < 0 ? r : gpiod_line_settings_set_output_value(settings, GPIOD_LINE_VALUE_INACTIVE);
	}
	r = gpiod_line_settings_set_direction(settings, GPIOD_LINE_DIRECTION_INPUT);
	if (r >= 0)
		r = gpiod_line_settings_set_bias(settings, bias[request->config.bias]);
	gpiod_line_settings_set_debounce_period_us(settings, (unsigned long)(request->config.debounce_ns / 1000));
	if (r >= 0 && request->edge)
		r = gpiod_line_settings_set_edge_detection(settings, GPIOD_LINE_EDGE_BOTH);
	return r;
}

static int request_line(struct gpiod_chip *chip, struct line *line, const struct kryos_line_request *request)
{
	struct gpiod_line_settings *settings = gpiod_line_settings_new();
	struct gpiod_line_config *config = gpiod_line_config_new();
	struct gpiod_request_config *with = gpiod_request_config_new();
	int r = settings && config && with ? 0 : -ENOMEM;

	if (r >= 0 && (fill(settings, request) < 0 ||
	               gpiod_line_config_add_line_settings(config, &line->offset, 1, settings) < 0))
		r = -errno;
	if (r >= 0) {
		gpiod_request_config_set_consumer(with, "kryos");
		line->request = gpiod_chip_request_lines(chip, with, config);
		r = line->request ? 0 : -errno;
	}
	gpiod_request_config_free(with);
	gpiod_line_config_free(config);
	gpiod_line_settings_free(settings);
	return r;
}

static int take_line(void *chip, unsigned int offset, const struct kryos_line_request *request, void **ret_line)
{
	struct line *line = calloc(1, sizeof(*line));
	int r;

	if (!line)
		return -ENOMEM;
	line->offset = offset;
	r = request_line(chip, line, request);
	if (r < 0) {
		free(line);
		return r;
	}
	gpiod_chip_close(chip);
	*ret_line = line;
	return 0;
}

static void release_line(void *data)
{
	struct line *line = data;

	gpiod_line_request_release(line->request);
	free(line);
}

static int get(void *data)
{
	struct line *line = data;
	enum gpiod_line_value value = gpiod_line_request_get_value(line->request, line->offset);

	return value == GPIOD_LINE_VALUE_ERROR ? -errno : value == GPIOD_LINE_VALUE_ACTIVE;
}

static int set(void *data, int active)
{
	struct line *line = data;
	enum gpiod_line_value value = active ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE;

	return gpiod_line_request_set_value(line->request, line->offset, value) < 0 ? -errno : 0;
}

static int get_fd(void *data)
{
	return gpiod_line_request_get_fd(((struct line *)data)->request);
}

static void decode(const void *bytes, struct kri_gpio_record *ret_record)
{
	const struct gpio_v2_line_event *event = bytes;

	ret_record->t_ns = (int64_t)event->timestamp_ns;
	ret_record->active = event->id == GPIO_V2_LINE_EVENT_RISING_EDGE;
	ret_record->number = event->line_seqno;
}

const struct kri_gpio_backend kri_gpio_backend = {
	.folder = "/dev",
	.record_size = sizeof(struct gpio_v2_line_event),
	.debounces = true,
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
