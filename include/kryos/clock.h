/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clock: what time it is, and how far that can be believed.
 *
 * Trust goes NONE < FLOOR < RTC < SYNCED (kryos/sample.h). SYNCED: adjtimex(2) says the kernel
 * clock is synchronised. RTC: a real-time clock was read whose oscillator-stop flag is clear and
 * which is not behind the floor. FLOOR: the newest trusted stamp in an open store. Durations and
 * deadlines are on CLOCK_BOOTTIME and never see a step of wall time. When the system clock is more
 * than 2 s behind the best trusted time and not synchronised it is stepped forward, never back;
 * that needs CAP_SYS_TIME, and without it one warning is logged.
 */
#ifndef KRYOS_CLOCK_H
#define KRYOS_CLOCK_H

#include <kryos/base.h>
#include <kryos/sample.h>

KRYOS_BEGIN

struct kryos_time {
	int64_t t_boot_ns; /* CLOCK_BOOTTIME */
	int64_t t_wall_ns; /* since 1970-01-01 UTC; best known */
	uint16_t trust;    /* enum kryos_trust */
	uint16_t reserved[3];
};

/*
 * The time now. Safe from any thread, does not block; but where no RTC was named and the kernel is not
 * synchronised, the first call looks once, at most 100 ms, whether the board's rtc0 confirms the system clock.
 */
KRYOS_API int kryos_clock_now(struct kryos_ctx *ctx, struct kryos_time *ret_now);

struct kryos_rtc_status {
	uint32_t size;
	int valid;                       /* 1: the time can be trusted; 0: text says why not */
	int64_t t_wall_ns;               /* what it said when last read */
	int64_t t_boot_ns;               /* when that was */
	int32_t temperature_micro_valid; /* 1 if the chip has a temperature */
	int32_t aging;                   /* DS3231 aging offset, about 0.1 ppm each at 25 C; positive slows */
	int64_t temperature_micro;       /* Cel, of the crystal: +/- 3 C, not a product temperature */
	char text[160];                  /* "battery has kept it", "oscillator was stopped", ... */
};

/*
 * Uses a real-time clock: "ds3231@i2c-1:0x68" (when the kernel's driver holds the chip, through its
 * /dev/rtcN and the chip's status register), or "rtc@/dev/rtc0". Waits for the first reading, at
 * most 2 s; then it is read again every hour on a worker. A clock that was set back by its battery
 * is used at no trust, not refused. -ENODEV: none there; KRYOS_EDEVICE: malformed, or a sensor would
 * answer with it. What was used before is closed, and stays in use where this fails.
 */
KRYOS_API int kryos_clock_use_rtc(struct kryos_ctx *ctx, const char *device);

/* What the RTC last said. Fill size. -ENODEV: none is used. Does not block. */
KRYOS_API int kryos_clock_get_rtc(struct kryos_ctx *ctx, struct kryos_rtc_status *ret_status);

/*
 * Sets the RTC from wall time, which must be SYNCED (else KRYOS_ECLOCK), clearing its
 * oscillator-stop flag. Waits at most 2 s. The library does this by itself once a day while SYNCED.
 */
KRYOS_API int kryos_clock_set_rtc(struct kryos_ctx *ctx);

KRYOS_END
#endif
