/* SPDX-License-Identifier: Apache-2.0 */
/* Folders as the kernel's /sys has them, for the bus driver sysfs. */
#ifndef KRI_TEST_KERNEL_TREE_H
#define KRI_TEST_KERNEL_TREE_H

/*
 * A device of a class, "hwmon3" of "hwmon", on a parent "1-0018" ("": it has none), with its link where the class has
 * it. Returns its folder below root, in a buffer that lives until 16 more are made.
 */
const char *kernel_device(const char *root, const char *class, const char *number, const char *parent);
/* A file of it, with what is in it. NULL: takes it away. */
void kernel_file(const char *folder, const char *file, const char *text);
/* Unbinds its driver: folder and link go. */
void kernel_remove(const char *root, const char *class, const char *number, const char *parent);

#endif
