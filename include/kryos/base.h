/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every other header shares: results, error codes, units.
 *
 * Results: >= 0 is success, < 0 is -errno or a code of enum kryos_error. Outputs named ret_* are
 * untouched on failure. Values are int64_t in millionths of the channel's unit, instants and
 * durations are int64_t nanoseconds. Every pointer returned says until when it lives.
 */
#ifndef KRYOS_BASE_H
#define KRYOS_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define KRYOS_BEGIN extern "C" {
#define KRYOS_END }
#else
#define KRYOS_BEGIN
#define KRYOS_END
#endif

#if defined(__GNUC__) || defined(__clang__)
#define KRYOS_EXPORT __attribute__((visibility("default")))
#define KRYOS_API __attribute__((visibility("default"), warn_unused_result))
#define KRYOS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define KRYOS_EXPORT
#define KRYOS_API
#define KRYOS_PRINTF(fmt, args)
#endif

/* Durations for config structs, in nanoseconds. */
#define KRYOS_MILLISECONDS(n) ((int64_t)(n)*INT64_C(1000000))
#define KRYOS_SECONDS(n) ((int64_t)(n)*INT64_C(1000000000))
#define KRYOS_MINUTES(n) KRYOS_SECONDS((int64_t)(n)*60)
#define KRYOS_HOURS(n) KRYOS_MINUTES((int64_t)(n)*60)
#define KRYOS_DAYS(n) KRYOS_HOURS((int64_t)(n)*24)

/* A pointer to a config struct that lives until the end of the enclosing block (C only). */
#define KRYOS_CONFIG_OF(type, ...) (&(struct type){ .size = sizeof(struct type), __VA_ARGS__ })

KRYOS_BEGIN

/* Failures that errno has no name for. All are below -4096, where no -errno can be. */
enum kryos_error {
	KRYOS_EVOLATILE = -4097, /* accepted in RAM only; do not append again */
	KRYOS_EFORK = -4098,     /* the handle was made before a fork */
	KRYOS_ECHIP = -4099,     /* another chip answers at that address */
	KRYOS_ECRC = -4100,      /* a checksum does not match */
	KRYOS_ESTUCK = -4101,    /* a bus line is held low and recovery did not free it */
	KRYOS_ECONFIG = -4102,   /* a configuration is wrong; the text names each place */
	KRYOS_ECORRUPT = -4103,  /* stored data is damaged */
	KRYOS_EFORMAT = -4104,   /* written by a newer version */
	KRYOS_EFULL = -4105,     /* a limit of the store is reached and its policy is to refuse */
	KRYOS_ECLOCK = -4106,    /* the time is not known well enough */
	KRYOS_EDEVICE = -4107,   /* a malformed device string */
	KRYOS_EREJECTED = -4108, /* the receiver can never accept this record */
	KRYOS_EAUTH = -4109,     /* the other side of a link could not prove who it is, or refused us */
	KRYOS_EPROTO = -4110     /* the other side broke the protocol */
};

/*
 * The sentence for a result. When the calling thread's last failure in this library had this
 * code, the sentence is that failure's own (place, what was found, what is allowed), else the
 * general one. Never NULL; lives until the thread's next failure. Does not block.
 */
KRYOS_EXPORT const char *kryos_strerror(int result);

/* The library's version, "1.2.3", and the number major << 16 | minor << 8 | patch. */
KRYOS_EXPORT const char *kryos_version(void);
KRYOS_API uint32_t kryos_version_number(void);

/* Exact conversions. from_double rounds to nearest, ties away from zero; NaN and what does not fit give -ERANGE. */
KRYOS_EXPORT double kryos_micro_to_double(int64_t micro);
KRYOS_API int kryos_micro_from_double(double value, int64_t *ret_micro);

KRYOS_END
#endif
