/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sensor, inside: device strings, the buses of a context, chips on them, and measuring without waiting.
 *
 * Each bus of a context has one worker. A chip (struct kryos_dev) is made on any thread without
 * touching its bus; what touches the bus runs as a job on the bus's worker.
 */
#ifndef KRI_SENSOR_H
#define KRI_SENSOR_H

#include "../core/core.h"
#include <kryos/channel.h>
#include <kryos/sensor.h>
#include <kryos/sys/gpio.h>
#include <kryos/sys/sensor.h>

/* device_string.c */

#define KRI_DEVICE_MAX 160

/* "bme280@i2c-1:0x76"; place is "" where none is written; of "rtc@/dev/rtc0" bus is the path. */
struct kri_device {
	char text[KRI_DEVICE_MAX];
	char driver[32];
	char bus[104]; /* as written it has at most 63 characters */
	char place[64];
};

/* KRYOS_EDEVICE with a sentence. Looks at the text alone: an unknown driver or bus is not noticed. */
int kri_device_parse(const char *text, struct kri_device *ret_device);
/* The sensor driver of that name; KRYOS_EDEVICE lists those there are. */
int kri_device_find_sensor(struct kryos_ctx *ctx, const struct kri_device *device,
                           const struct kryos_sensor_driver **ret_driver);
/*
 * Whether bus ("i2c-1") is of kind ("i2c"), and place is one such a bus can have. KRYOS_EDEVICE. Where the kind is
 * "sysfs", bus is a device of the kernel ("bme280") and becomes the name of its bus ("sysfs-iio@bme280").
 */
int kri_device_check_bus(struct kri_device *device, const char *kind);

/* options.c */

/* The value that text says, or -EINVAL with a sentence that does not name the option. */
int kri_option_parse(const struct kryos_option_info *info, const char *text, int64_t *ret_value);
/* NULL: the driver has none of that name. ret_place may be NULL. */
const struct kryos_option_info *kri_option_find(const struct kryos_sensor_driver *driver, const char *name,
                                                size_t *ret_place);
/* "wires=3 element=pt1000" over the defaults; text may be NULL. -EINVAL names the option. */
int kri_options_parse(const struct kryos_sensor_driver *driver, const char *text,
                      int64_t ret_values[KRYOS_SENSOR_MAX_OPTIONS]);
/* The channels a chip has at that place with these options. */
int kri_sensor_describe(const struct kryos_sensor_driver *driver, const char *place, const int64_t *options,
                        struct kryos_description *ret_description);

/* mux.c: I2C multiplexers, between a bus and some of its chips. On the bus's worker, but where said. */

/* A channel of one. */
struct kri_mux_place {
	unsigned int address; /* 0: none; the chip is on the bus itself */
	unsigned int channel;
};
/* Those of one bus. */
struct kri_muxes {
	atomic_uint there;  /* a bit for each address from 0x70 that a chip in use is, or was, behind */
	unsigned int known; /* those whose open channels are known */
	uint8_t open[8];
	/* How many chips that are in use have an address: on the bus itself, behind channels, behind each of them. */
	pthread_mutex_t lock;
	unsigned int alone[128], behind[128], users[8];
};
void kri_muxes_init(struct kri_muxes *muxes);
void kri_muxes_destroy(struct kri_muxes *muxes);
/* Takes "0x70.3:" off the front of a place; nothing where none stands there. Pure. KRYOS_EDEVICE. */
int kri_mux_parse(const char *place, struct kri_mux_place *ret_place, const char **ret_chip);
struct kryos_address kri_mux_address(unsigned int mux);
/*
 * A chip comes into use. KRYOS_EDEVICE: others that are in use would answer with it, as what is on the bus itself does
 * whatever channel is open. Any thread.
 */
int kri_muxes_take(struct kri_muxes *muxes, const struct kri_mux_place *place, unsigned int chip);
void kri_muxes_give_back(struct kri_muxes *muxes, const struct kri_mux_place *place, unsigned int chip);
/* Nothing is known of what is open. */
void kri_muxes_forget(struct kri_muxes *muxes);
/* Opens the way to a place and closes all others. -EIO: the multiplexer does not acknowledge; KRYOS_ECHIP: it is none.
 */
int kri_muxes_select(struct kri_muxes *muxes, const struct kryos_bus_driver *driver, void *priv,
                     const struct kri_mux_place *place);
/*
 * Whose fault it is that nobody acknowledges at a place that was selected: 0: the chip's; 1: the multiplexer lost the
 * channel, so that a second try is worth it; < 0: the multiplexer's.
 */
int kri_muxes_blame(struct kri_muxes *muxes, const struct kryos_bus_driver *driver, void *priv,
                    const struct kri_mux_place *place);

/* bus.c */

struct kri_bus;

/* The bus of that name, made but not opened if it is new; KRYOS_EDEVICE lists the kinds there are. Give back by unref.
 */
int kri_bus_get(struct kryos_ctx *ctx, const struct kri_device *device, struct kri_bus **ret_bus);
void kri_bus_unref(struct kri_bus *bus);
struct kryos_ctx *kri_bus_ctx(struct kri_bus *bus);
const char *kri_bus_name(const struct kri_bus *bus);
struct kri_worker *kri_bus_worker(struct kri_bus *bus);
/* As kri_worker_call; remembers a job that did not end, so that kri_bus_hangs() is true until one does. */
int kri_bus_call(struct kri_bus *bus, struct kri_job *job, int64_t timeout_ns);
bool kri_bus_hangs(struct kri_bus *bus);

struct kri_muxes *kri_bus_muxes(struct kri_bus *bus);

/* On the bus's worker only. Opens it if it is not open. */
int kri_bus_ready(struct kri_bus *bus);
/* It was stuck, and has been freed for this chip. */
void kri_bus_freed(struct kri_bus *bus, const char *device, int code);
/* It has gone (an adapter that was unplugged): the next kri_bus_ready opens it anew. */
void kri_bus_lost(struct kri_bus *bus);
/*
 * Driver and private block. The generation changes with each opening, so that resolved addresses are of one; while it
 * is 0 the bus is not open, and no slot of the driver may be called.
 */
const struct kryos_bus_driver *kri_bus_driver(const struct kri_bus *bus, void **ret_priv, unsigned int *ret_generation);

/* The sensors of a context, for unique names. -EEXIST. */
int kri_bus_claim_name(struct kryos_ctx *ctx, const char *name);
void kri_bus_release_name(struct kryos_ctx *ctx, const char *name);

/* dev.c: one chip. Reference counted: a job holds one, so that a bus that hangs keeps what it uses. */

/*
 * A chip by device string on a bus of kind "i2c", "spi", "w1" (NULL: any). Does not block and does
 * not touch the bus. KRYOS_EDEVICE, -ENOMEM.
 */
int kri_dev_open(struct kryos_ctx *ctx, const char *device, const char *kind, struct kryos_dev **ret_dev);
/*
 * For a chip that stays in use until kri_dev_give_back or its end: KRYOS_EDEVICE, with a sentence, where it and another
 * one in use would answer together. A look at what is on the bus itself goes without. Before the first job.
 */
int kri_dev_take(struct kryos_dev *dev);
void kri_dev_give_back(struct kryos_dev *dev);
/* What its driver asks of an SPI bus, and is told by kryos_dev_option. Before the first job. */
void kri_dev_configure(struct kryos_dev *dev, const struct kryos_sensor_driver *driver, const int64_t *options);
/* The place as it was written; "" where none was. */
const char *kri_dev_place(const struct kryos_dev *dev);
/* The driver that speaks to a 1-Wire chip ("28-..."), by its family; NULL: none is known. */
const char *kri_dev_w1_driver(const char *place);
/* NULL is allowed. */
struct kryos_dev *kri_dev_ref(struct kryos_dev *dev);
void kri_dev_close(struct kryos_dev *dev);

/* Where jobs for this chip are posted or called (kri_worker_post, kri_worker_call). Lives as long as dev. */
struct kri_worker *kri_dev_worker(struct kryos_dev *dev);
struct kri_bus *kri_dev_bus(struct kryos_dev *dev);

/*
 * First thing in every job, on the worker: opens the bus, resolves the place and claims the address.
 * shared: does not claim it, for a chip that a kernel driver holds (else -EBUSY, its name in the
 * text). -ENODEV: no such bus, or nothing there where "any" was asked. Cheap when all is done already.
 */
int kri_dev_ready(struct kryos_dev *dev, bool shared);
/* Forgets what was resolved and claimed, so that kri_dev_ready looks again: after the chip was lost. On the worker. */
void kri_dev_lost(struct kryos_dev *dev);

/*
 * call.c: runs run(dev, data) on the bus's worker, after kri_dev_ready(dev, shared), and waits for it at most
 * timeout_ns. Its result, with its sentence, or -ETIMEDOUT; then run may still be under way, so data
 * is copied (size bytes) and copied back only when it ended in time. Not on the context's workers.
 */
int kri_dev_call(struct kryos_dev *dev, bool shared, int (*run)(struct kryos_dev *dev, void *data), void *data,
                 size_t size, int64_t timeout_ns);

/* Whether a bus that is stuck is freed for this chip; it is, unless told otherwise. Before the first job. */
void kri_dev_set_recovery(struct kryos_dev *dev, bool recovers);

/* Sees to it that the thread's sentence for a chip driver's failure names the chip. On the worker. Returns result. */
int kri_dev_fail(struct kryos_dev *dev, int result);

/* The thread's sentence for a failed call, if the call set one of its own since kri_say_nothing(); else NULL. */
void kri_say_nothing(void);
const char *kri_own_sentence(int result, char *buffer, size_t size);

/* line.c: the line of a chip that is one. */

struct kri_line {
	struct kryos_line_request request; /* set before the first job */
	/* The worker's: open while priv is not NULL. */
	const struct kryos_line_ops *ops;
	void *priv;
};
struct kri_line *kri_dev_line(struct kryos_dev *dev);
/* A config with its defaults filled in; config may be NULL. -EINVAL: name, a field, and what is allowed. */
int kri_line_config_copy(struct kryos_line_config *ret_config, const struct kryos_line_config *config,
                         const char *name);

/* channel.c: pure. What is said of a channel (kryos/channel.h), as judging needs it. */

#define KRI_CHANNEL_TEXT 470 /* the text of what is said of one is shorter: two of them fit an event */

struct kri_channel {
	int64_t min_micro, max_micro; /* of the corrected value */
	int64_t rate_micro;           /* per minute; 0: none */
	int64_t frozen_ns;
	int64_t offset_micro;
	size_t point_count; /* 0: the offset */
	struct kryos_calibration_point points[KRYOS_CALIBRATION_MAX_POINTS];
};
/* -EINVAL: *ret_field ("min", "points") says what of it is wrong, the sentence why and what is allowed. */
int kri_channel_check(const struct kryos_channel_config *config, const struct kryos_channel_info *info,
                      const char **ret_field);
/* Of one that was checked; NULL: nothing is said. */
void kri_channel_take(struct kri_channel *ret_channel, const struct kryos_channel_config *config);
/* False: the corrected value is beyond all numbers. Between points rounded to the nearest millionth, halves up. */
bool kri_channel_correct(const struct kri_channel *channel, int64_t raw_micro, int64_t *ret_micro,
                         bool *ret_extrapolated);
/* "min=-30 max=50 offset=-0.12 certificate=NPL-2026-0815"; "": nothing. Returns the length it has, or would have. */
size_t kri_channel_text(const struct kryos_channel_config *config, char *text, size_t size);

/* judge.c: pure. What the readings of one channel so far say about the next. */

struct kri_history {
	bool has_good, has_suspect, has_value;
	int64_t good_micro, good_ns;       /* the last good one */
	int64_t suspect_micro, suspect_ns; /* the last that moved too fast */
	int64_t value_micro, since_ns;     /* what it has stood at, and since when */
	int64_t seen_ns;                   /* the last reading of it */
	bool is_interrupted;               /* no measurement since: it failed, or gave none */
	uint32_t repeats;                  /* readings at value_micro */
};
/* *ret_micro: the value corrected, with the qualities good, stuck, rate and extrapolated; else as the chip said. */
enum kryos_quality kri_judge(struct kri_history *history, const struct kryos_channel_info *info,
                             const struct kri_channel *channel, const struct kryos_reading *reading, int64_t t_boot_ns,
                             int64_t *ret_micro);
/*
 * After a measurement that failed with this code. A sensor that was away, another chip, or without power has not stood
 * still; one that could not be read on a bus with noise may well have.
 */
void kri_judge_missing(struct kri_history *history, int code);
/* The quality of samples for a measurement that failed with this code. */
enum kryos_quality kri_judge_error(int result);

/* sensor.c */

struct kryos_sensor {
	struct kri_object object; /* of a public one; a sampler owns its own */
	atomic_int refs;          /* the owner's, and one for each job */
	struct kryos_ctx *ctx;
	char name[32];
	const struct kryos_sensor_driver *driver;
	struct kryos_dev *dev;
	struct kryos_description has; /* its channels, and their numbers: */
	uint32_t channels[KRYOS_SENSOR_MAX_CHANNELS];
	struct kri_channel said[KRYOS_SENSOR_MAX_CHANNELS]; /* of each; fixed before the first job */

	pthread_mutex_t lock;
	enum { KRI_UNKNOWN, KRI_PRESENT, KRI_LOST } presence; /* what was announced last; under lock */
	/* Told of a loss or a return after the context's events were; set before the first job. NULL: nobody. */
	void (*announced)(void *data, const struct kryos_event *event);
	void *announced_data;

	struct kri_edges *edges; /* NULL: only measured */
	uint32_t recover;        /* enum kryos_recovery */
	struct kri_rail *rail;   /* NULL: its power is not switched */
	struct kryos_sensor *next_on_rail;
	/* Under lock: since it was lost, and the rail's generation then. */
	bool reported;
	unsigned int lost_at;

	/* The worker's. */
	void *priv;
	unsigned int powered; /* the rail's generation when it was probed */
	atomic_bool probed;   /* read by close, to know whether there is something to remove */
	struct kri_history history[KRYOS_SENSOR_MAX_CHANNELS];
};

/*
 * As kryos_sensor_open without touching the bus: an absent or wrong chip is not noticed. Does not
 * block. Its maker closes it; the context does not.
 */
int kri_sensor_new_lazy(struct kryos_sensor **ret_sensor, struct kryos_ctx *ctx, const char *name, const char *device,
                        const struct kryos_sensor_config *config);
struct kryos_sensor *kri_sensor_ref(struct kryos_sensor *sensor);
void kri_sensor_unref(struct kryos_sensor *sensor);

/* edges.c: changes of a sensor's only channel, of two states. Context thread. */

struct kri_edges;
struct kri_measured;
/* Has the line asked for edges; before the first job. They are announced as KRYOS_EVENT_STATE. -ENOMEM. */
int kri_edges_new(struct kryos_sensor *sensor);
/* Announces nothing any more. NULL is allowed. */
void kri_edges_stop(struct kri_edges *edges);
/* Any thread, once the line is closed. NULL is allowed. */
void kri_edges_free(struct kri_edges *edges);
/* What was measured meanwhile. NULL is allowed. */
void kri_edges_measured(struct kri_edges *edges, const struct kri_measured *measured);

/* rail.c: power that sensors are on. Any thread. */

/* The first member of struct kryos_power, which stands above (src/output/power.c). Its owner and each sensor hold it.
 */
struct kri_rail {
	atomic_int refs;
	void (*release)(struct kri_rail *rail);
	/* Under lock, when a cycle is asked for, and when the last one who measures leaves. NULL: it is closed. */
	void (*wake)(struct kri_rail *rail);
	char name[32];
	pthread_mutex_t lock; /* below */
	bool on;
	unsigned int generation; /* how often it was cut */
	unsigned int users;      /* measurements under way */
	bool asked;              /* for a cycle */
	int code;                /* why */
	char text[256];
	struct kryos_sensor *sensors;
};
void kri_rail_init(struct kri_rail *rail, const char *name);
struct kri_rail *kri_rail_ref(struct kri_rail *rail);
void kri_rail_unref(struct kri_rail *rail); /* NULL is allowed */
void kri_rail_set(struct kri_rail *rail, bool on, bool cut);
bool kri_rail_is_on(struct kri_rail *rail);
bool kri_rail_is_used(struct kri_rail *rail);
/* Before a chip on it is talked to, and after. -ENOTCONN: it is off. */
int kri_rail_enter(struct kri_rail *rail, unsigned int *ret_generation);
void kri_rail_leave(struct kri_rail *rail);
unsigned int kri_rail_generation(struct kri_rail *rail);
/* Since it had that generation. */
bool kri_rail_was_cut(struct kri_rail *rail, unsigned int generation);
/* A sensor failed in a way that a cycle may mend. */
void kri_rail_ask(struct kri_rail *rail, const char *sensor, int code, const char *text);
/* Whether one was asked for since the last call, and why. */
bool kri_rail_is_asked(struct kri_rail *rail, int *ret_code, char ret_text[256]);
/* Off for good; nobody is woken any more. */
void kri_rail_stop(struct kri_rail *rail);
void kri_rail_add(struct kri_rail *rail, struct kryos_sensor *sensor);
void kri_rail_remove(struct kri_rail *rail, struct kryos_sensor *sensor);
/* Looks for all sensors on it. */
void kri_rail_look(struct kri_rail *rail);

/* measure.c: a batch is one job that measures sensors of one bus. */

/* What one measurement of one sensor gave. samples have channel, value, quality and t_boot_ns. */
struct kri_measured {
	struct kryos_sensor *sensor;
	int code; /* 0, or why there is no reading */
	char text[256];
	size_t count;
	struct kryos_sample samples[KRYOS_SENSOR_MAX_CHANNELS];
};
struct kri_batch;

/*
 * Measures count sensors of one bus with one job: triggers all, waits for the slowest, fetches all.
 * Samples carry t_boot_ns (0: when the job began). measured runs on the context thread, after losses
 * and returns were announced; the sensors are referenced until then. NULL measured: announce only.
 * limit_ns: no retry begins that would last longer. -EAGAIN: too many jobs wait.
 */
int kri_batch_start(struct kri_batch **ret_batch, struct kryos_sensor *const *sensors, size_t count, int64_t t_boot_ns,
                    int64_t limit_ns, void (*measured)(void *data, const struct kri_measured *results, size_t count),
                    void *data);
/*
 * Its answer comes too late: no retry begins any more, nothing is announced, and measured is called
 * with no results (count 0) when the job has ended. Context thread, and only before measured ran.
 */
void kri_batch_abandon(struct kri_batch *batch);
/* The same, and measured is not called at all. */
void kri_batch_forget(struct kri_batch *batch);
/* Measures one sensor and waits for it, at most limit_ns: 0, or -ETIMEDOUT and other errors; announces nothing. */
int kri_measure(struct kryos_sensor *sensor, bool probe_only, int64_t limit_ns, struct kri_measured *ret_measured);
/* Looks for the chip on its bus's worker, now, or once it has power; announces it as lost if it is not there. Does not
 * wait. */
int kri_sensor_look(struct kryos_sensor *sensor);

/* Samples of a measurement that gave no reading. */
void kri_measured_fail(struct kri_measured *ret_measured, struct kryos_sensor *sensor, int code, const char *text,
                       int64_t t_boot_ns);
/* recover.c: announces a loss or a return, once per change, and does what is left to do for the lost. Any thread. */
void kri_measured_announce(const struct kri_measured *measured);
/* Wall time and trust for samples that have t_boot_ns. Any thread. */
void kri_stamp(struct kryos_ctx *ctx, struct kryos_sample *samples, size_t count);

#endif
