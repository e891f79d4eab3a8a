/* SPDX-License-Identifier: Apache-2.0 */
#include "gpio_sim.h"
#include "kernel.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG "/sys/kernel/config/gpio-sim/kryos"
#define TRACE "/sys/kernel/debug/tracing/instances/kryos"
#define EVENT TRACE "/events/gpio/gpio_value"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name, *hog;
} lines[] = {
	[DOOR] = { "door", NULL },     [MAINS] = { "mains", NULL },        [LAMP] = { "lamp", NULL },
	[TAKEN] = { "taken", "led0" }, [OTHER] = { "kryos test 4", NULL }, [BUZZER] = { "buzzer", NULL },
};
static char sim[200], chip[32]; /* the chip's folder in sysfs, "gpiochip0" */

static void make_folder(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		fail_msg("%s: %s", path, strerror(errno));
}

void gpio_sim_come(void)
{
	char device[64] = "", node[100];

	kernel_write(CONFIG "/live", "1");
	assert_int_equal(kernel_read(device, sizeof(device), CONFIG "/dev_name"), 0);
	assert_int_equal(kernel_read(chip, sizeof(chip), CONFIG "/bank0/chip_name"), 0);
	snprintf(sim, sizeof(sim), "/sys/devices/platform/%s/%s", device, chip);
	snprintf(node, sizeof(node), "/dev/%s", chip);
	for (int i = 0; i < 200 && access(node, F_OK) < 0; i++)
		usleep(10000);
}

void gpio_sim_go(void)
{
	kernel_write(CONFIG "/live", "0");
}

int gpio_sim_make(void **state)
{
	char path[160];

	(void)state;
	if (access("/sys/kernel/config/gpio-sim", F_OK) < 0)
		assert_int_equal(mount("configfs", "/sys/kernel/config", "configfs", 0, NULL), 0);
	make_folder(CONFIG);
	make_folder(CONFIG "/bank0");
	kernel_write(CONFIG "/bank0/num_lines", "8");
	for (size_t i = 0; i < COUNT(lines); i++) {
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu", i);
		make_folder(path);
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu/name", i);
		kernel_write(path, "%s", lines[i].name);
		if (!lines[i].hog)
			continue;
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu/hog", i);
		make_folder(path);
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu/hog/name", i);
		kernel_write(path, "%s", lines[i].hog);
	}
	gpio_sim_come();
	return 0;
}

int gpio_sim_remove(void **state)
{
	char path[160];

	(void)state;
	gpio_sim_go();
	for (size_t i = 0; i < COUNT(lines); i++) {
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu/hog", i);
		assert_int_equal(lines[i].hog ? rmdir(path) : 0, 0);
		snprintf(path, sizeof(path), CONFIG "/bank0/line%zu", i);
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(rmdir(CONFIG "/bank0"), 0);
	assert_int_equal(rmdir(CONFIG), 0);
	return 0;
}

const char *gpio_sim_chip(void)
{
	return chip;
}

int gpio_sim_open_pull(unsigned int line)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/sim_gpio%u/pull", sim, line);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

void gpio_sim_pull(unsigned int line, int level)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/sim_gpio%u/pull", sim, line);
	kernel_write(path, "%s", level ? "pull-up" : "pull-down");
}

int gpio_sim_level(unsigned int line)
{
	char text[16] = "";

	assert_int_equal(kernel_read(text, sizeof(text), "%s/sim_gpio%u/value", sim, line), 0);
	return atoi(text);
}

bool gpio_trace_begin(void)
{
	if (access("/sys/kernel/debug/tracing/events/gpio/gpio_value", F_OK) < 0)
		return false;
	make_folder(TRACE);
	kernel_write(TRACE "/trace_clock", "mono");
	kernel_write(EVENT "/filter", "get == 0");
	kernel_write(EVENT "/enable", "1");
	return true;
}

/* "TASK-PID [CPU] FLAGS 12.345678: gpio_value: 1016 set 1" */
size_t gpio_trace_end(struct gpio_driven *ret_driven, size_t size)
{
	FILE *file = fopen(TRACE "/trace", "re");
	int64_t seconds, micros;
	size_t count = 0;
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *at = strstr(line, ": gpio_value: ");

		if (!at)
			continue;
		assert_true(count < size);
		while (at > line && at[-1] != ' ')
			at--;
		if (sscanf(at, "%" SCNd64 ".%" SCNd64 ": gpio_value: %*u set %d", &seconds, &micros,
		           &ret_driven[count].level) != 3)
			fail_msg("the kernel's trace has \"%s\"", line);
		ret_driven[count++].t_ns = seconds * 1000000000 + micros * 1000;
	}
	fclose(file);
	assert_int_equal(rmdir(TRACE), 0);
	return count;
}
