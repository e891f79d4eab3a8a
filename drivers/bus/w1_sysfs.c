/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1-Wire thermometers through the kernel's w1_therm (Documentation/w1/slaves/w1_therm.rst). Reading
 * a chip's w1_slave converts and gives
 *
 *     50 05 4b 46 7f ff 0c 10 1c : crc=1c YES
 *     50 05 4b 46 7f ff 0c 10 1c t=85000
 *
 * The second line is the last reading that was right, so it is stale after a NO: it is not looked
 * at. Linux 6.1 gives an empty file, without an error, for a chip that was unplugged and, after one
 * conversion that it reads five times, for one whose checksum stays wrong; an unplugged chip is listed
 * for about ten more searches. userdata of the driver is the folder to use instead of /sys/bus/w1/devices.
 *
 * A conversion takes 750 ms. Where several chips with a supply of their own are on one master they convert together:
 * "trigger" to the master's therm_bulk_read converts all and returns when they are done, and the next reading of each
 * w1_slave gives what was converted then, however long ago. What nobody fetched, whether we had it converted or
 * another process, would be taken for a new reading: it is thrown away. Only root may write that file, unless a udev
 * rule says otherwise (examples/cryo_daemon/60-kryos.rules), and Linux 6.1 makes it for one master only, where there
 * are several. All other chips with a supply of their own are read at the same time (w1_reading.c).
 */
#include "w1_sysfs.h"
#include "core/core.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROOT "/sys/bus/w1/devices"
#define MAX_LISTED 256
#define MAX_TOGETHER 64
/* The chips of one round are read one after the other; for what is asked later a conversion is too old. */
#define FRESH_NS KRYOS_SECONDS(1)

struct w1_private {
	char root[512];
	/* Chips that were converted together and have not been read since, and when that was done. */
	char together[MAX_TOGETHER][16];
	size_t together_count;
	int64_t together_ns;
	bool untriggered; /* they were asked for, and have not been told to convert yet */
	struct kri_w1_readings readings;
};

/* "28-0316a2795bff": family and serial number as the kernel names a chip's folder. */
static bool is_chip_name(const char *name)
{
	size_t i;

	if (strlen(name) != 15 || name[2] != '-')
		return false;
	for (i = 0; i < 15; i++)
		if (i != 2 && !isxdigit((unsigned char)name[i]))
			return false;
	return true;
}

static int w1_open(void *priv, const char *name, void *userdata)
{
	struct w1_private *bus = priv;
	const char *root = userdata ? userdata : ROOT;

	if (strcmp(name, "w1") != 0)
		return kryos_fail(KRYOS_EDEVICE, "%s: no such bus; all 1-Wire buses together are called w1", name);
	if (strlen(root) >= sizeof(bus->root))
		return kryos_fail(-ENAMETOOLONG, "w1: the folder's name has more than %zu bytes",
		                  sizeof(bus->root) - 1);
	if (access(root, R_OK | X_OK) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return kryos_fail(-ENODEV, "w1: the kernel has no 1-Wire bus (there is no %s)", root);
		return kryos_fail(-errno, "w1: %s: %s", root, strerror(errno));
	}
	memcpy(bus->root, root, strlen(root) + 1);
	return 0;
}

static void w1_close(void *priv)
{
	struct w1_private *bus = priv;

	kri_w1_forget(&bus->readings);
}

static int w1_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	size_t i;

	(void)priv;
	if (!is_chip_name(place))
		return kryos_fail(KRYOS_EDEVICE,
		                  "\"%s\" is no 1-Wire device; one is written 28-0316a2795bff, as in " ROOT, place);
	*ret_address = (struct kryos_address){ .number = 0 };
	for (i = 0; place[i]; i++) /* the kernel's folders are in lower case */
		ret_address->text[i] = (char)tolower((unsigned char)place[i]);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Two hex digits and a blank. */
static int hex_byte(const char *text)
{
	int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

	return low < 0 || text[2] != ' ' ? -1 : high << 4 | low;
}

int kri_w1_parse_slave(const char *text, const char *name, uint8_t scratchpad[9])
{
	uint8_t bytes[9], crc;
	const char *line_end = strchr(text, '\n'), *verdict = text;
	int i, byte;

	if (!*text)
		return kryos_fail(-EIO, "%s: read empty: bad checksum or unplugged", name);
	if (!line_end)
		return kryos_fail(-EIO, "%s: w1_slave ends within its first line", name);
	for (i = 0; i < 9; i++, verdict += 3) {
		byte = hex_byte(verdict);
		if (byte < 0)
			return kryos_fail(-EIO, "%s: w1_slave does not begin with nine bytes", name);
		bytes[i] = (uint8_t)byte;
	}
	if (strncmp(verdict, ": crc=", 6) != 0 || hex_byte(verdict + 6) < 0)
		return kryos_fail(-EIO, "%s: w1_slave has no \": crc=\" after nine bytes", name);
	verdict += 9;
	if (strncmp(verdict, "NO\n", 3) == 0)
		return kryos_fail(KRYOS_ECRC, "%s: the kernel found a bad checksum", name);
	if (strncmp(verdict, "YES\n", 4) != 0)
		return kryos_fail(-EIO, "%s: w1_slave says neither YES nor NO", name);
	crc = kryos_crc8_maxim(bytes, 8);
	if (crc != bytes[8])
		return kryos_fail(KRYOS_ECRC, "%s: checksum 0x%02x, but the bytes give 0x%02x", name, bytes[8], crc);
	memcpy(scratchpad, bytes, sizeof(bytes));
	return 0;
}

/* Reads all of a small file as a string: one read may give a part. 0, or -errno. */
static int read_text(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t r;

	do {
		r = read(fd, text + length, size - 1 - length);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0)
			length += (size_t)r;
	} while (r != 0 && length < size - 1);
	text[length] = '\0';
	return 0;
}

/* No such file: the chip is gone, or its folder is there and no thermometer driver was bound to it. */
static int fail_missing(const char *root, const char *name)
{
	char path[640];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (access(path, F_OK) == 0)
		return kryos_fail(-EIO, "%s has no w1_slave file; is the kernel module w1_therm loaded?", name);
	return kryos_fail(-ENODEV, "%s is not on any 1-Wire bus", name);
}

/* A number in a file of a chip, or with "../" of its master, as the kernel's links go; -EIO: none, or no number. */
static int read_number(const struct w1_private *bus, const char *chip, const char *file)
{
	char path[640], text[32], *end;
	long number;
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s/%s", bus->root, chip, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -EIO;
	r = read_text(fd, text, sizeof(text));
	close(fd);
	if (r < 0)
		return -EIO;
	number = strtol(text, &end, 10);
	return end == text || number < -1 || number > 100000 ? -EIO : (int)number;
}

/*
 * Whether the thermometers on this chip's master may convert together: two at least, all with a supply of their own,
 * for a data line that feeds them may not carry more than one conversion.
 */
static bool may_convert_together(struct w1_private *bus, const char *chip)
{
	char path[640];
	struct dirent *entry;
	bool may = true;
	DIR *folder;

	bus->together_count = 0;
	snprintf(path, sizeof(path), "%s/%s/..", bus->root, chip);
	folder = opendir(path);
	while (folder && may && (entry = readdir(folder))) {
		if (!is_chip_name(entry->d_name))
			continue;
		may = bus->together_count < MAX_TOGETHER && read_number(bus, entry->d_name, "ext_power") == 1;
		if (may)
			memcpy(bus->together[bus->together_count++], entry->d_name, 16);
	}
	if (folder)
		closedir(folder);
	return may && bus->together_count > 1;
}

static int64_t boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The kernel says nothing where its command reached no chip; but then it does not wait for the conversion. */
static bool trigger_together(const struct w1_private *bus, const char *chip)
{
	static const char command[] = "trigger\n";
	int conversion_ms = read_number(bus, chip, "conv_time"), fd;
	int64_t begin = boot_ns();
	char path[640];
	bool done;

	snprintf(path, sizeof(path), "%s/%s/../therm_bulk_read", bus->root, chip);
	fd = conversion_ms < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, command, strlen(command)) == (ssize_t)strlen(command);
	close(fd);
	return done && boot_ns() - begin >= KRYOS_MILLISECONDS(conversion_ms);
}

/* Whether this chip has been converted together with others just now; it is no more from then on. */
static bool take_together(struct w1_private *bus, const char *chip)
{
	size_t i;

	if (boot_ns() - bus->together_ns > FRESH_NS)
		bus->together_count = 0;
	for (i = 0; i < bus->together_count; i++)
		if (strcmp(bus->together[i], chip) == 0) {
			memcpy(bus->together[i], bus->together[--bus->together_count], sizeof(bus->together[i]));
			return true;
		}
	return false;
}

static bool convert_together(struct w1_private *bus, const char *chip)
{
	if (take_together(bus, chip))
		return true;
	if (may_convert_together(bus, chip) && trigger_together(bus, chip)) {
		bus->together_ns = boot_ns();
		return take_together(bus, chip);
	}
	bus->together_count = 0;
	return false;
}

int kri_w1_read_slave(const char *root, const char *chip, uint8_t scratchpad[9])
{
	char path[640], text[512];
	int fd, r, error;

	snprintf(path, sizeof(path), "%s/%s/w1_slave", root, chip);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	error = errno;
	if (fd < 0 && (error == ENOENT || error == ENOTDIR || error == ENODEV))
		return fail_missing(root, chip);
	if (fd < 0)
		return kryos_fail(-error, "%s: %s: %s", chip, path, strerror(error));
	r = read_text(fd, text, sizeof(text));
	close(fd);
	if (r == -ENODEV || r == -ENOENT) /* unregistered while it was read */
		return kryos_fail(-ENODEV, "%s is not on any 1-Wire bus", chip);
	if (r < 0)
		return kryos_fail(-EIO, "%s: %s", chip, strerror(-r));
	return kri_w1_parse_slave(text, chip, scratchpad);
}

static bool is_together(const struct w1_private *bus, const char *chip)
{
	for (size_t i = 0; i < bus->together_count; i++)
		if (strcmp(bus->together[i], chip) == 0)
			return true;
	return false;
}

/* Those of a master are triggered by the first reading: so long do threads that were begun meanwhile convert too. */
static void w1_begin(void *priv, const struct kryos_address *address)
{
	struct w1_private *bus = priv;
	char path[640];

	if (bus->untriggered && is_together(bus, address->text))
		return;
	snprintf(path, sizeof(path), "%s/%s/../therm_bulk_read", bus->root, address->text);
	if (!bus->untriggered && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 &&
	    may_convert_together(bus, address->text)) {
		bus->untriggered = true;
		return;
	}
	/* What can't be begun, or somebody else had converted, is read when it is asked for. */
	if (read_number(bus, address->text, "../therm_bulk_read") <= 0 &&
	    read_number(bus, address->text, "ext_power") == 1)
		(void)!kri_w1_begin(&bus->readings, bus->root, address->text);
}

static void trigger_those_that_wait(struct w1_private *bus)
{
	if (!bus->untriggered)
		return;
	bus->untriggered = false;
	if (trigger_together(bus, bus->together[0]))
		bus->together_ns = boot_ns();
	else
		bus->together_count = 0;
}

static int w1_read_scratchpad(void *priv, const struct kryos_address *address, uint8_t scratchpad[9])
{
	struct w1_private *bus = priv;
	int r;

	trigger_those_that_wait(bus);
	if (kri_w1_take(&bus->readings, address->text, scratchpad, &r))
		return r;
	if (!convert_together(bus, address->text) && read_number(bus, address->text, "../therm_bulk_read") > 0)
		(void)kri_w1_read_slave(bus->root, address->text, scratchpad); /* what somebody had converted */
	return kri_w1_read_slave(bus->root, address->text, scratchpad);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* In order of their names, so that what is said about them does not change with the kernel's order. */
static int w1_list(void *priv, kryos_found_fn found, void *userdata)
{
	struct w1_private *bus = priv;
	struct kryos_address address;
	char names[MAX_LISTED][16];
	struct dirent *entry;
	size_t count = 0, i;
	DIR *folder = opendir(bus->root);

	if (!folder)
		return kryos_fail(errno == ENOENT ? -ENODEV : -errno, "w1: %s: %s", bus->root, strerror(errno));
	while (count < MAX_LISTED && (entry = readdir(folder)))
		if (is_chip_name(entry->d_name))
			memcpy(names[count++], entry->d_name, 16);
	closedir(folder);
	qsort(names, count, sizeof(names[0]), compare);
	for (i = 0; i < count; i++) {
		address = (struct kryos_address){ .number = 0 };
		memcpy(address.text, names[i], sizeof(names[i]));
		found(userdata, &address);
	}
	return 0;
}

static void w1_each(void (*found)(void *data, const char *name), void *data, void *userdata)
{
	if (access(userdata ? userdata : ROOT, R_OK | X_OK) == 0)
		found(data, "w1");
}

const struct kryos_bus_driver kri_bus_w1_sysfs = {
	.size = sizeof(kri_bus_w1_sysfs),
	.prefix = "w1",
	.private_size = sizeof(struct w1_private),
	.open = w1_open,
	.close = w1_close,
	.parse = w1_parse,
	.begin = w1_begin,
	.read_scratchpad = w1_read_scratchpad,
	.list = w1_list,
	.each = w1_each,
};
