/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPIO, inside: what the two versions of libgpiod are behind, and the thread that watches lines.
 *
 *     gpio.c        the bus driver: lines by name or place, who holds them, what an error means
 *     gpio_watch.c  edges, from the kernel's own records
 *     gpio_v1.c     libgpiod 1.6, or
 *     gpio_v2.c     libgpiod 2.1 and later: one of them is built
 */
#ifndef KRI_GPIO_H
#define KRI_GPIO_H

#include <kryos/sys/gpio.h>
#include <stdbool.h>

/* An edge as the kernel tells it. */
struct kri_gpio_record {
	int64_t t_ns; /* CLOCK_MONOTONIC since Linux 5.7 */
	int active;
	uint32_t number; /* of the line's edges, from 1; 0: they are not counted */
};

struct kri_gpio_info {
	char name[64]; /* "": it has none */
	char consumer[64];
	bool used;
};

/* Chips and lines are its own; calls give -errno. Any thread, one at a time for each chip and line. */
struct kri_gpio_backend {
	const char *folder; /* where gpiochip0 and so on are */
	size_t record_size; /* at most KRI_GPIO_RECORD_MAX bytes, of what is read from a line's descriptor */
	bool debounces;     /* the kernel does, for this backend */

	int (*open_chip)(const char *path, void **ret_chip);
	void (*close_chip)(void *chip);
	unsigned int (*count_lines)(void *chip);
	int (*get_info)(void *chip, unsigned int offset, struct kri_gpio_info *ret_info);
	/* Takes the chip over where it succeeds. */
	int (*take_line)(void *chip, unsigned int offset, const struct kryos_line_request *request, void **ret_line);
	void (*release_line)(void *line);
	int (*get)(void *line); /* 0, 1 */
	int (*set)(void *line, int active);
	int (*get_fd)(void *line); /* readable while edges wait */
	void (*decode)(const void *bytes, struct kri_gpio_record *ret_record);
};
#define KRI_GPIO_RECORD_MAX 64

extern const struct kri_gpio_backend kri_gpio_backend;
extern const struct kryos_bus_driver kri_bus_gpiod; /* its userdata: another backend, for tests */

/* gpio_watch.c: one for each bus, with a thread from the first line on. Its owner and each line hold it. */
struct kri_gpio_watch;
struct kri_gpio_watched {
	struct kri_gpio_watched *next;
	struct kri_gpio_watch *watch; /* NULL: not watched */
	uint64_t id;
	int fd;
	const struct kri_gpio_backend *backend;
	const struct kryos_line_request *request; /* lives as long as it is watched */
	uint32_t number;                          /* of the last edge */
	int64_t last_ns;
};
int kri_gpio_watch_new(struct kri_gpio_watch **ret_watch);
/* Ends the thread, and waits for that: it never blocks. Lines may still be in it. */
void kri_gpio_watch_stop(struct kri_gpio_watch *watch);
int kri_gpio_watch_add(struct kri_gpio_watch *watch, struct kri_gpio_watched *line);
/* After it the line's edge function is not called any more, and its descriptor may be closed. */
void kri_gpio_watch_remove(struct kri_gpio_watched *line);

/*
 * The instant of an edge on CLOCK_BOOTTIME, from the kernel's stamp, both clocks as they are now, and how long the
 * kernel waited before it told.
 */
int64_t kri_gpio_edge_time(int64_t stamp_ns, int64_t monotonic_ns, int64_t boot_ns, int64_t waited_ns);

#endif
