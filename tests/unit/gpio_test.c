/* SPDX-License-Identifier: Apache-2.0 */
/* The GPIO bus driver over a backend of our own: finding lines, what errors mean, edges. */
#include "../../drivers/bus/gpio.h"
#include "core/core.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES 4

struct wire {
	const char *name, *consumer;
	int level;
	bool taken;
	int ends[2]; /* the kernel's side of its descriptor is [1] */
	struct kryos_line_request request;
};

struct chip {
	const char *name;
	bool gone;
	int refuses; /* opening it */
	struct wire wires[LINES];
	unsigned int opened;
};

struct record {
	int64_t t_ns;
	uint32_t active, number;
};

struct bench {
	char *folder;
	struct kri_gpio_backend backend;
	void *bus;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct kryos_edge edges[64];
	size_t count;
};

static struct chip chips[3];

static int fake_open(const char *path, void **ret_chip)
{
	const char *name = strrchr(path, '/') + 1;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(chips); i++) {
		if (!chips[i].name || chips[i].gone || strcmp(chips[i].name, name) != 0)
			continue;
		if (chips[i].refuses)
			return chips[i].refuses;
		chips[i].opened++;
		*ret_chip = &chips[i];
		return 0;
	}
	return -ENOENT;
}

static void fake_close(void *chip)
{
	((struct chip *)chip)->opened--;
}

static unsigned int fake_count(void *chip)
{
	(void)chip;
	return LINES;
}

static int fake_info(void *data, unsigned int offset, struct kri_gpio_info *ret_info)
{
	struct chip *chip = data;
	const struct wire *wire = &chip->wires[offset];

	*ret_info = (struct kri_gpio_info){ .used = wire->consumer || wire->taken };
	snprintf(ret_info->name, sizeof(ret_info->name), "%s", wire->name ? wire->name : "");
	snprintf(ret_info->consumer, sizeof(ret_info->consumer), "%s", wire->consumer ? wire->consumer : "");
	return 0;
}

static int fake_take(void *data, unsigned int offset, const struct kryos_line_request *request, void **ret_line)
{
	struct chip *chip = data;
	struct wire *wire = &chip->wires[offset];

	if (request->config.bias == KRYOS_BIAS_PULL_DOWN)
		return -EINVAL; /* as an old kernel says to any bias */
	wire->taken = true;
	wire->request = *request;
	if (request->output)
		wire->level = (int)request->config.active_low;
	assert_int_equal(pipe2(wire->ends, O_CLOEXEC), 0);
	*ret_line = wire;
	return 0;
}

static struct chip *chip_of(const struct wire *wire)
{
	size_t i = 0;

	while (wire < chips[i].wires || wire >= chips[i].wires + LINES)
		i++;
	return &chips[i];
}

static void fake_release(void *line)
{
	struct wire *wire = line;

	wire->taken = false;
	close(wire->ends[0]);
	if (wire->ends[1] >= 0)
		close(wire->ends[1]);
	chip_of(wire)->opened--;
}

static int fake_get(void *line)
{
	struct wire *wire = line;

	return chip_of(wire)->gone ? -ENODEV : wire->level != (int)wire->request.config.active_low;
}

static int fake_set(void *line, int active)
{
	struct wire *wire = line;

	if (chip_of(wire)->gone)
		return -ENODEV;
	wire->level = active != (int)wire->request.config.active_low;
	return 0;
}

static int fake_fd(void *line)
{
	return ((struct wire *)line)->ends[0];
}

static void fake_decode(const void *bytes, struct kri_gpio_record *ret_record)
{
	const struct record *record = bytes;

	*ret_record = (struct kri_gpio_record){ record->t_ns, (int)record->active, record->number };
}

static void add_chip(struct bench *bench, unsigned int index, const char *name, const char *first, const char *second)
{
	int fd = open(in(bench->folder, name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	chips[index] = (struct chip){ .name = name };
	chips[index].wires[0].name = first;
	chips[index].wires[2].name = second;
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	memset(chips, 0, sizeof(chips));
	bench->folder = scratch_new();
	bench->backend = (struct kri_gpio_backend){
		.folder = bench->folder,
		.record_size = sizeof(struct record),
		.open_chip = fake_open,
		.close_chip = fake_close,
		.count_lines = fake_count,
		.get_info = fake_info,
		.take_line = fake_take,
		.release_line = fake_release,
		.get = fake_get,
		.set = fake_set,
		.get_fd = fake_fd,
		.decode = fake_decode,
	};
	pthread_mutex_init(&bench->lock, NULL);
	kri_cond_init(&bench->changed);
	bench->bus = calloc(1, kri_bus_gpiod.private_size);
	assert_ok(kri_bus_gpiod.open(bench->bus, "gpio", &bench->backend));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kri_bus_gpiod.close(bench->bus);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(chips); i++)
		assert_int_equal(chips[i].opened, 0);
	free(bench->bus);
	pthread_cond_destroy(&bench->changed);
	pthread_mutex_destroy(&bench->lock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static void on_edge(void *data, const struct kryos_edge *edge)
{
	struct bench *bench = data;

	pthread_mutex_lock(&bench->lock);
	assert_true(bench->count < KRI_ARRAY_SIZE(bench->edges));
	bench->edges[bench->count++] = *edge;
	pthread_cond_broadcast(&bench->changed);
	pthread_mutex_unlock(&bench->lock);
}

static void wait_for_edges(struct bench *bench, size_t count)
{
	int r = 0;

	pthread_mutex_lock(&bench->lock);
	while (bench->count < count && r >= 0)
		r = kri_cond_wait(&bench->changed, &bench->lock, KRYOS_SECONDS(20));
	pthread_mutex_unlock(&bench->lock);
	assert_ok(r);
}

static int open_with(struct bench *bench, const char *place, const struct kryos_line_request *request, void **ret_line)
{
	struct kryos_address address;
	int r = kri_bus_gpiod.parse(bench->bus, place, &address);

	if (r < 0)
		return r;
	*ret_line = calloc(1, kri_bus_gpiod.line->private_size);
	r = kri_bus_gpiod.line->open(*ret_line, bench->bus, &address, request);
	if (r < 0)
		free(*ret_line);
	return r;
}

static const struct kryos_line_request reading = { .config = { .bias = KRYOS_BIAS_PULL_UP,
	                                                       .debounce_ns = KRYOS_MILLISECONDS(50) } };

static int open_line(struct bench *bench, const char *place, void **ret_line)
{
	return open_with(bench, place, &reading, ret_line);
}

static void close_line(void *line)
{
	kri_bus_gpiod.line->close(line);
	free(line);
}

static void line_is_found_by_name_over_all_chips_or_by_place(void **state)
{
	struct bench *bench = *state;
	void *line = NULL;

	add_chip(bench, 0, "gpiochip0", "GPIO17", "GPIO18");
	add_chip(bench, 1, "gpiochip1", "expander0", "door");
	assert_ok(open_line(bench, "door", &line));
	assert_true(chips[1].wires[2].taken);
	assert_int_equal(kri_bus_gpiod.line->get(line), 0);
	chips[1].wires[2].level = 1;
	assert_int_equal(kri_bus_gpiod.line->get(line), 1);
	close_line(line);
	assert_false(chips[1].wires[2].taken);
	assert_ok(open_line(bench, "gpiochip1/3", &line));
	assert_true(chips[1].wires[3].taken);
	close_line(line);
}

static void line_that_is_not_there_is_told_with_those_that_are(void **state)
{
	struct bench *bench = *state;
	void *line;

	assert_fails(-ENODEV, open_line(bench, "GPIO71", &line));
	assert_says(-ENODEV, "this machine has no GPIO chip");
	add_chip(bench, 0, "gpiochip2", "GPIO2", "GPIO3");
	add_chip(bench, 1, "gpiochip10", "ID_SDA", "ID_SCL");
	assert_fails(-ENODEV, open_line(bench, "GPIO71", &line));
	assert_string_equal(kryos_strerror(-ENODEV), "there is no line GPIO71; there is GPIO2, GPIO3, ID_SDA, ID_SCL");
	assert_fails(-ENODEV, open_line(bench, "gpiochip2/4", &line));
	assert_says(-ENODEV, "gpiochip2 has no line 4; 0 to 3 are there");
	assert_fails(-ENODEV, open_line(bench, "gpiochip7/1", &line));
	assert_says(-ENODEV, "there is no ");
	assert_fails(KRYOS_EDEVICE, open_line(bench, "gpiochip0/", &line));
	assert_says(KRYOS_EDEVICE, "is no line");
	assert_fails(KRYOS_EDEVICE, open_line(bench, "chip/1", &line));
}

static void many_names_are_cut_and_counted(void **state)
{
	static char names[3 * 2][64];
	struct bench *bench = *state;
	void *line;

	for (unsigned int i = 0; i < 6; i++)
		snprintf(names[i], sizeof(names[i]), "%u%059d", i, 0);
	add_chip(bench, 0, "gpiochip0", names[0], names[1]);
	add_chip(bench, 1, "gpiochip1", names[2], names[3]);
	add_chip(bench, 2, "gpiochip2", names[4], names[5]);
	chips[2].wires[3].name = "another";
	assert_fails(-ENODEV, open_line(bench, "GPIO71", &line));
	assert_says(-ENODEV, names[5]);
	chips[2].wires[3].name = names[0];
	assert_fails(-ENODEV, open_line(bench, "GPIO71", &line));
	assert_says(-ENODEV, " and 1 more");
}

static void name_of_two_lines_is_refused_with_both_places(void **state)
{
	struct bench *bench = *state;
	void *line;

	add_chip(bench, 0, "gpiochip0", "door", NULL);
	add_chip(bench, 1, "gpiochip1", NULL, "door");
	assert_fails(KRYOS_EDEVICE, open_line(bench, "door", &line));
	assert_string_equal(kryos_strerror(KRYOS_EDEVICE),
	                    "2 lines are called door, name one of them: gpiochip0/0, gpiochip1/2");
}

static void who_holds_a_line_is_named(void **state)
{
	struct bench *bench = *state;
	void *line, *second;

	add_chip(bench, 0, "gpiochip0", "GPIO17", "GPIO18");
	chips[0].wires[0].consumer = "spi0 CS1";
	assert_fails(-EBUSY, open_line(bench, "GPIO17", &line));
	assert_string_equal(kryos_strerror(-EBUSY), "GPIO17 (gpiochip0/0) is held by \"spi0 CS1\"");
	assert_ok(open_line(bench, "GPIO18", &line));
	assert_fails(-EBUSY, open_line(bench, "gpiochip0/2", &second));
	assert_says(-EBUSY, "gpiochip0/2 is held by");
	close_line(line);
}

static void chip_that_may_not_be_opened_says_which_group_may(void **state)
{
	struct bench *bench = *state;
	void *line;

	add_chip(bench, 0, "gpiochip0", "GPIO17", NULL);
	chips[0].refuses = -EACCES;
	assert_fails(-EACCES, open_line(bench, "GPIO17", &line));
	assert_says(-EACCES, "gpiochip0: not allowed; its group is \"");
	assert_fails(-EACCES, open_line(bench, "gpiochip0/0", &line));
	/* One that may be opened is looked through all the same. */
	add_chip(bench, 1, "gpiochip1", "door", NULL);
	assert_ok(open_line(bench, "door", &line));
	close_line(line);
}

static void kernel_that_knows_no_bias_is_told_apart(void **state)
{
	struct kryos_line_request request = reading;
	struct bench *bench = *state;
	void *line;

	add_chip(bench, 0, "gpiochip0", "GPIO17", NULL);
	request.config.bias = KRYOS_BIAS_PULL_DOWN;
	assert_fails(-EIO, open_with(bench, "GPIO17", &request, &line));
	assert_says(-EIO, "bias = off is allowed");
}

static void chip_that_went_is_absent_and_found_under_another_number(void **state)
{
	struct kryos_line_request request = reading;
	struct bench *bench = *state;
	struct wire *wire = &chips[0].wires[0];
	void *line;

	add_chip(bench, 0, "gpiochip3", "GPIO17", NULL);
	request.edge = on_edge;
	request.data = bench;
	assert_ok(open_with(bench, "GPIO17", &request, &line));
	/* The kernel hangs its descriptor up, too. */
	chips[0].gone = true;
	close(wire->ends[1]);
	wire->ends[1] = -1;
	assert_fails(-ENODEV, kri_bus_gpiod.line->get(line));
	assert_string_equal(kryos_strerror(-ENODEV), "GPIO17 (gpiochip3/0): its chip has gone");
	close_line(line);
	assert_fails(-ENODEV, open_line(bench, "GPIO17", &line));
	add_chip(bench, 1, "gpiochip4", "GPIO17", NULL);
	assert_ok(open_line(bench, "GPIO17", &line));
	assert_true(chips[1].wires[0].taken);
	close_line(line);
}

static void write_edges(struct wire *wire, const struct record *records, size_t count)
{
	assert_int_equal(write(wire->ends[1], records, count * sizeof(*records)), count * sizeof(*records));
}

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Both clocks within a tenth of a millisecond. */
static void read_clocks(int64_t *ret_mono, int64_t *ret_boot)
{
	do {
		*ret_mono = monotonic_ns();
		*ret_boot = kri_real_ns();
	} while (monotonic_ns() - *ret_mono > KRYOS_MILLISECONDS(1) / 10);
}

static void edges_are_told_with_their_time_and_what_was_lost(void **state)
{
	struct kryos_line_request request = reading;
	struct bench *bench = *state;
	struct record records[] = { { 30, 1, 7 }, { 20, 0, 8 }, { 10, 1, 12 } };
	int64_t mono, boot;
	void *line, *other;

	read_clocks(&mono, &boot);
	for (int i = 0; i < 3; i++)
		records[i].t_ns = mono - KRYOS_MILLISECONDS(records[i].t_ns);
	add_chip(bench, 0, "gpiochip0", "GPIO17", "GPIO18");
	request.edge = on_edge;
	request.data = bench;
	assert_ok(open_with(bench, "GPIO17", &request, &line));
	assert_ok(open_with(bench, "GPIO18", &request, &other));
	write_edges(&chips[0].wires[0], records, 3);
	wait_for_edges(bench, 3);
	for (int i = 0; i < 3; i++) {
		int64_t at = boot - KRYOS_MILLISECONDS(30 - 10 * i);

		assert_int_equal(bench->edges[i].active, i != 1);
		assert_int_equal(bench->edges[i].settled, 0);
		assert_int_equal(bench->edges[i].lost, i == 2 ? 3 : 0);
		/* The clocks were not read at once, here or there. */
		assert_in_range(bench->edges[i].t_boot_ns, at - KRYOS_MILLISECONDS(1), at + KRYOS_MILLISECONDS(1));
	}
	/* One line that goes says nothing of another. */
	close_line(line);
	write_edges(&chips[0].wires[2], records, 1);
	wait_for_edges(bench, 4);
	close_line(other);
}

static void debounced_edges_are_dated_back(void **state)
{
	struct kryos_line_request request = reading;
	struct bench *bench = *state;
	struct record record = { 0, 1, 1 };
	int64_t boot;
	void *line;

	read_clocks(&record.t_ns, &boot);
	bench->backend.debounces = true;
	add_chip(bench, 0, "gpiochip0", "GPIO17", NULL);
	request.edge = on_edge;
	request.data = bench;
	assert_ok(open_with(bench, "GPIO17", &request, &line));
	write_edges(&chips[0].wires[0], &record, 1);
	wait_for_edges(bench, 1);
	assert_int_equal(bench->edges[0].settled, 1);
	assert_in_range(bench->edges[0].t_boot_ns, boot - KRYOS_MILLISECONDS(51), boot - KRYOS_MILLISECONDS(49));
	close_line(line);
}

static void edge_time_counts_sleep_and_mistrusts_other_clocks(void **state)
{
	(void)state;
	/* 100 s were slept since the boot. */
	assert_int_equal(kri_gpio_edge_time(900, 1000, 100001000, 0), 100000900);
	assert_int_equal(kri_gpio_edge_time(900, 1000, 100001000, 50), 100000850);
	/* Real time, before Linux 5.7. */
	assert_int_equal(kri_gpio_edge_time(INT64_C(1795000000000000000), 1000, 100001000, 0), 100001000);
}

static void output_is_inactive_at_first_and_when_it_is_let_go(void **state)
{
	struct kryos_line_request request = { .output = 1, .config = { .active_low = 1 } };
	struct bench *bench = *state;
	struct wire *wire = &chips[0].wires[0];
	void *line;

	add_chip(bench, 0, "gpiochip0", "GPIO22", NULL);
	assert_ok(open_with(bench, "GPIO22", &request, &line));
	assert_int_equal(wire->level, 1);
	assert_ok(kri_bus_gpiod.line->set(line, 1));
	assert_int_equal(wire->level, 0);
	close_line(line);
	assert_int_equal(wire->level, 1);
	assert_ok(open_with(bench, "GPIO22", &request, &line));
	chips[0].gone = true;
	assert_fails(-ENODEV, kri_bus_gpiod.line->set(line, 1));
	close_line(line);
}

static void line_may_outlive_its_bus(void **state)
{
	struct kryos_line_request request = reading;
	struct bench *bench = *state;
	void *line;

	add_chip(bench, 0, "gpiochip0", "GPIO17", NULL);
	request.edge = on_edge;
	request.data = bench;
	assert_ok(open_with(bench, "GPIO17", &request, &line));
	kri_bus_gpiod.close(bench->bus);
	close_line(line);
	assert_ok(kri_bus_gpiod.open(bench->bus, "gpio", &bench->backend));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(line_is_found_by_name_over_all_chips_or_by_place),
		CASE(line_that_is_not_there_is_told_with_those_that_are),
		CASE(many_names_are_cut_and_counted),
		CASE(name_of_two_lines_is_refused_with_both_places),
		CASE(who_holds_a_line_is_named),
		CASE(chip_that_may_not_be_opened_says_which_group_may),
		CASE(kernel_that_knows_no_bias_is_told_apart),
		CASE(chip_that_went_is_absent_and_found_under_another_number),
		CASE(edges_are_told_with_their_time_and_what_was_lost),
		CASE(debounced_edges_are_dated_back),
		CASE(edge_time_counts_sleep_and_mistrusts_other_clocks),
		CASE(output_is_inactive_at_first_and_when_it_is_let_go),
		CASE(line_may_outlive_its_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
