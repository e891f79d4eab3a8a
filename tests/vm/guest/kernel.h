/* SPDX-License-Identifier: Apache-2.0 */
/* What case programs do to the kernel: files of sysfs and debugfs, and its own drivers bound to chips. */
#ifndef KRI_VM_KERNEL_H
#define KRI_VM_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* All of a small file, as text without its last newline; or -errno. The path is a format. */
int kernel_read(char *text, size_t size, const char *path, ...) __attribute__((format(printf, 3, 4)));
/* Fails the test where the kernel refuses it. */
void kernel_write(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "i2c-7" is 7. */
int bus_number(const char *bus);
/* The kernel's driver for what is called type, at an address of the bus: bound, and let go if it is bound. */
void kernel_bind(const char *bus, const char *type, unsigned int address);
void kernel_unbind(const char *bus, unsigned int address);

#endif
