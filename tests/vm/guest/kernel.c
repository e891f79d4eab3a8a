/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int kernel_read(char *text, size_t size, const char *path, ...)
{
	char name[512];
	va_list list;
	ssize_t length;
	int fd, error;

	va_start(list, path);
	vsnprintf(name, sizeof(name), path, list);
	va_end(list);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	error = errno;
	close(fd);
	if (length < 0)
		return -error;
	text[length] = '\0';
	if (length > 0 && text[length - 1] == '\n')
		text[length - 1] = '\0';
	return 0;
}

void kernel_write(const char *path, const char *format, ...)
{
	char text[512];
	va_list list;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail_msg("\"%s\" to %s: %s", text, path, strerror(errno));
	close(fd);
}

int bus_number(const char *bus)
{
	if (strncmp(bus, "i2c-", 4) != 0)
		fail_msg("\"%s\" is no I2C bus; i2c-0, i2c-1, ... are", bus);
	return atoi(bus + 4);
}

void kernel_bind(const char *bus, const char *type, unsigned int address)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/i2c/devices/%s/new_device", bus);
	kernel_write(path, "%s 0x%02x", type, address);
}

void kernel_unbind(const char *bus, unsigned int address)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/i2c/devices/%d-%04x", bus_number(bus), address);
	if (access(path, F_OK) < 0)
		return;
	snprintf(path, sizeof(path), "/sys/bus/i2c/devices/%s/delete_device", bus);
	kernel_write(path, "0x%02x", address);
}
