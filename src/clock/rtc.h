/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RTC: one real-time clock, reached on its bus's worker, or on one of its own if it is a node.
 *
 * A chip that the kernel's driver holds is used through that driver's node, for time and setting;
 * its registers are read as well, in one combined transfer that disturbs nobody, because rtc-ds1307
 * clears the oscillator-stop flag in silence where it does not clear it before anyone can look.
 */
#ifndef KRI_RTC_H
#define KRI_RTC_H

#include "../core/core.h"
#include <kryos/sys/rtc.h>

struct kri_rtc;

struct kri_rtc_result {
	int code; /* 0, or why there is no reading */
	char text[256];
	struct kryos_rtc_reading reading;
	int64_t t_boot_ns; /* when, on the context's clock */
};

/*
 * Opens device and reads it, waiting at most timeout_ns. An RTC whose registers hold no date is open
 * all the same (result KRYOS_ECRC). Any thread that is no worker.
 */
int kri_rtc_open(struct kri_rtc **ret_rtc, struct kryos_ctx *ctx, const char *device, int64_t timeout_ns,
                 struct kri_rtc_result *ret_result);
/*
 * Its place on its bus, as kri_dev_take: another one may need it before it is known whether this one is to be closed.
 * NULL is allowed.
 */
void kri_rtc_give_back(struct kri_rtc *rtc);
int kri_rtc_take(struct kri_rtc *rtc);
/* Waits at most timeout_ns for what is under way; then no done is called any more. NULL is allowed. Context thread. */
void kri_rtc_close(struct kri_rtc *rtc, int64_t timeout_ns);

/* Sets it from the context's wall time if set, then reads it. done runs on the context thread. -EAGAIN: still busy. */
int kri_rtc_post(struct kri_rtc *rtc, bool set, void (*done)(void *data, const struct kri_rtc_result *result),
                 void *data);
/* The same, waiting at most timeout_ns. */
int kri_rtc_call(struct kri_rtc *rtc, bool set, int64_t timeout_ns, struct kri_rtc_result *ret_result);
const char *kri_rtc_name(const struct kri_rtc *rtc);

#endif
