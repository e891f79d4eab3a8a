/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices that a driver of the kernel measures with, by the files it gives (Linux Documentation/filesystems/sysfs.rst):
 * one device is one bus, because a read of one may sleep for its whole conversion.
 *
 * A device is called by what its driver or the device tree says (its files name, label, type), or by its parent
 * ("1-0076", "spi0.0"). Numbers (hwmon3) are given anew at each start, in the order in which drivers happen to be
 * ready, so that one names another chip after a restart: they are refused. For the same reason the folder is kept open
 * as long as the bus is: once its device has gone, nothing that comes after under this number is read through it.
 *
 * userdata of the driver is the folder to use instead of /sys.
 */
#include "sysfs.h"
#include "core/core.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "/sys"

struct class
{
	const char *name, *folder;
	const char *number;   /* what its devices' folders begin with; "": the folder has the device's own name */
	const char *names[2]; /* the files that say what a device is called */
};

static const struct class classes[] = {
	{ "iio", "bus/iio/devices", "iio:device", { "name", "label" } },
	{ "hwmon", "class/hwmon", "hwmon", { "name", "label" } },
	{ "thermal", "class/thermal", "thermal_zone", { "type" } },
	{ "power_supply", "class/power_supply", "", { NULL } },
};

struct sysfs_private {
	int folder; /* O_PATH: files are opened below it */
	char path[PATH_MAX];
};

/* A small file as a string without its last newline; its length or -errno. */
static int read_file(int folder, const char *file, char *text, size_t size)
{
	int fd = openat(folder, file, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t r;

	if (fd < 0)
		return -errno;
	do {
		r = read(fd, text + length, size - 1 - length);
		if (r < 0 && errno != EINTR) {
			int error = errno;

			close(fd);
			return -error;
		}
		if (r > 0)
			length += (size_t)r;
	} while (r != 0 && length < size - 1);
	close(fd);
	if (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return (int)length;
}

/* The last component of what a link below folder points to; "" where it is none. */
static void link_end(int folder, const char *name, char *end, size_t size)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(folder, name, target, sizeof(target) - 1);
	const char *slash;

	target[length < 0 ? 0 : length] = '\0';
	slash = strrchr(target, '/');
	snprintf(end, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
}

/*
 * What a device hangs on, "1-0076": its link "device"; IIO has none, and its device lies within that. What hangs on
 * nothing lies in a folder that is called as the class is.
 */
static void parent_of(const char *entry_path, const char *class, int folder, char *parent, size_t size)
{
	char target[PATH_MAX];
	ssize_t length;
	char *slash;

	link_end(folder, "device", parent, size);
	if (*parent)
		return;
	length = readlink(entry_path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	slash = strrchr(target, '/');
	if (!slash)
		return;
	*slash = '\0';
	slash = strrchr(target, '/');
	if (!slash || strcmp(slash + 1, class) == 0)
		return;
	snprintf(parent, size, "%.*s", (int)size - 1, slash + 1);
}

struct search {
	const struct class *class;
	const char *wanted;
	unsigned int matches;
	int folder;
	char path[PATH_MAX];
	char alike[512], others[512]; /* for sentences */
};

/* "jc42 (0-0018)" */
static void add_to_list(char list[512], const char *name, const char *parent)
{
	size_t length = strlen(list);

	snprintf(list + length, 512 - length, "%s%s%s%s%s", length ? ", " : "", name, *parent ? " (" : "", parent,
	         *parent ? ")" : "");
}

static void consider(struct search *search, const char *class_path, const char *entry)
{
	char path[PATH_MAX], name[64] = "", parent[NAME_MAX + 1], text[64];
	bool matches;
	int folder;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", class_path, entry) >= sizeof(path))
		return;
	folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return;
	parent_of(path, search->class->name, folder, parent, sizeof(parent));
	if (!*search->class->number)
		snprintf(name, sizeof(name), "%.63s", entry);
	matches = strcmp(parent, search->wanted) == 0 || strcmp(name, search->wanted) == 0;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(search->class->names) && search->class->names[i]; i++) {
		if (read_file(folder, search->class->names[i], text, sizeof(text)) <= 0)
			continue;
		matches = matches || strcmp(text, search->wanted) == 0;
		if (!*name)
			strcpy(name, text);
	}
	add_to_list(matches ? search->alike : search->others, name, parent);
	if (matches && search->matches++ == 0) {
		search->folder = folder;
		strcpy(search->path, path);
		return;
	}
	close(folder);
}

/* In order of their names, so that what is said about them does not change with the kernel's order. */
static int consider_all(struct search *search, const char *class_path)
{
	struct dirent **entries;
	int count = scandir(class_path, &entries, NULL, versionsort);

	if (count < 0)
		return errno == ENOENT || errno == ENOTDIR
		               ? kryos_fail(-ENODEV, "the kernel has no %s devices (there is no %s)",
		                            search->class->name, class_path)
		               : kryos_fail(-errno, "%s: %s", class_path, strerror(errno));
	for (int i = 0; i < count; i++) {
		const char *entry = entries[i]->d_name;

		if (entry[0] != '.' && !strncmp(entry, search->class->number, strlen(search->class->number)))
			consider(search, class_path, entry);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static bool is_number(const struct class *class, const char *name)
{
	size_t length = strlen(class->number);

	return length && !strncmp(name, class->number, length) && name[length] &&
	       !name[length + strspn(name + length, "0123456789")];
}

static int judge_search(const struct search *search)
{
	const char *class = search->class->name, *others = *search->others ? search->others : "nothing";

	if (search->matches == 1)
		return 0;
	if (search->matches)
		return kryos_fail(KRYOS_EDEVICE,
		                  "%u devices are called so: %s; what one has for itself, its name or in brackets its "
		                  "parent, is its name here",
		                  search->matches, search->alike);
	if (is_number(search->class, search->wanted))
		return kryos_fail(KRYOS_EDEVICE,
		                  "the kernel gives the number in %s anew at each start; name the device, or in "
		                  "brackets its parent: %s",
		                  search->wanted, others);
	return kryos_fail(-ENODEV, "the kernel has no %s device called %s, but %s", class, search->wanted, others);
}

static const struct class *find_class(const char *name, const char *at)
{
	for (size_t i = 0; i < KRI_ARRAY_SIZE(classes); i++)
		if (at && strlen(classes[i].name) == (size_t)(at - name) &&
		    !strncmp(classes[i].name, name, (size_t)(at - name)))
			return &classes[i];
	return NULL;
}

static int sysfs_open(void *priv, const char *name, void *userdata)
{
	struct sysfs_private *bus = priv;
	const char *class_name = name + strlen("sysfs-"), *at = strchr(class_name, '@');
	struct search search = { .class = find_class(class_name, at), .folder = -1 };
	char class_path[PATH_MAX];
	int r;

	if (!search.class)
		return kryos_fail(KRYOS_EDEVICE, "%s: iio, hwmon, thermal and power_supply are read from the kernel",
		                  name);
	search.wanted = at + 1;
	if ((size_t)snprintf(class_path, sizeof(class_path), "%s/%s", userdata ? (const char *)userdata : ROOT,
	                     search.class->folder) >= sizeof(class_path))
		return kryos_fail(-ENAMETOOLONG, "the folder's name has more than %d bytes", PATH_MAX - 1);
	r = consider_all(&search, class_path);
	if (r >= 0)
		r = judge_search(&search);
	if (r < 0) {
		if (search.folder >= 0)
			close(search.folder);
		return r;
	}
	bus->folder = search.folder;
	strcpy(bus->path, search.path);
	return 0;
}

static void sysfs_close(void *priv)
{
	close(((struct sysfs_private *)priv)->folder);
}

/* What a place means its driver knows. */
static int sysfs_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	(void)priv;
	*ret_address = (struct kryos_address){ .number = 0 };
	snprintf(ret_address->text, sizeof(ret_address->text), "%s", place);
	return 0;
}

/* Whether the folder that is open is still the one of that name. */
static bool is_there(const struct sysfs_private *bus)
{
	struct stat one, other;

	return fstat(bus->folder, &one) == 0 && stat(bus->path, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

static int fail_gone(void)
{
	return kryos_fail(-ENODEV, "has gone: its driver was unbound, or it was unplugged");
}

/* Nothing is claimed, for the kernel's drivers serve all; but what was opened long ago may be no more. */
static int sysfs_claim(void *priv, const struct kryos_address *address)
{
	(void)address;
	return is_there(priv) ? 0 : fail_gone();
}

int kri_sysfs_result(int errnum)
{
	switch (errnum) {
	case ENXIO:     /* no acknowledge of its address */
	case EREMOTEIO: /* the same from some adapters, older Raspberry Pis' among them */
		return -ENODEV;
	case EPERM:
		return -EACCES;
	case ENODEV:
	case ENOENT:
	case ENODATA:
	case EAGAIN:
	case EBUSY:
	case ETIMEDOUT:
	case EACCES:
		return -errnum;
	default:
		return -EIO;
	}
}

static int fail_read(const struct sysfs_private *bus, const char *file, int error)
{
	int result = kri_sysfs_result(error);

	if ((result == -ENOENT || result == -ENODEV) && !is_there(bus))
		return fail_gone();
	switch (result) {
	case -ENOENT:
		return kryos_fail(result, "has no %s", file);
	case -ENODEV:
		return kryos_fail(result, "%s: nothing answers the kernel's driver (%s)", file, strerror(error));
	case -ENODATA:
		return kryos_fail(result, "%s: the kernel has no value at present", file);
	case -EBUSY:
		return kryos_fail(result, "%s: in use; does another program read the device's buffer?", file);
	case -EACCES:
		return kryos_fail(result, "%s/%s: not allowed for the user of this process", bus->path, file);
	default:
		return kryos_fail(result, "%s: %s", file, strerror(error));
	}
}

static int sysfs_read_text(void *priv, const struct kryos_address *address, const char *file, char *text, size_t size)
{
	struct sysfs_private *bus = priv;
	int r = read_file(bus->folder, file, text, size);

	(void)address;
	if (r < 0)
		return fail_read(bus, file, -r);
	if ((size_t)r == size - 1)
		return kryos_fail(-EIO, "%s: is longer than %zu bytes", file, size - 2);
	return r;
}

/* The files of the device, in the order of their names, numbers in that of numbers. */
static int sysfs_list(void *priv, kryos_found_fn found, void *userdata)
{
	struct sysfs_private *bus = priv;
	struct kryos_address file;
	struct dirent **entries;
	int count = scandir(bus->path, &entries, NULL, versionsort);
	bool there;

	if (count < 0)
		return fail_read(bus, "its folder", errno);
	/* That was by its path, where another may be by now. */
	there = is_there(bus);
	for (int i = 0; i < count; i++) {
		file = (struct kryos_address){ .number = 0 };
		if (there && entries[i]->d_name[0] != '.' && strlen(entries[i]->d_name) < sizeof(file.text)) {
			strcpy(file.text, entries[i]->d_name);
			found(userdata, &file);
		}
		free(entries[i]);
	}
	free(entries);
	return there ? 0 : fail_gone();
}

const struct kryos_bus_driver kri_bus_sysfs = {
	.size = sizeof(kri_bus_sysfs),
	.prefix = "sysfs-",
	.private_size = sizeof(struct sysfs_private),
	.open = sysfs_open,
	.close = sysfs_close,
	.parse = sysfs_parse,
	.claim = sysfs_claim,
	.list = sysfs_list,
	.read_text = sysfs_read_text,
};
