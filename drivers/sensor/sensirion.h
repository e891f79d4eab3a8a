/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Sensirion's SHT3x, STS3x and SHT4x share: words with a checksum, a read header that is not acknowledged while
 * there is nothing to read, formulas over 65535, and an address, so that one is easily taken for the other.
 */
#ifndef KRI_SENSIRION_H
#define KRI_SENSIRION_H

#include <kryos/sys/sensor.h>
#include <stdbool.h>

/* A measurement: temperature, its CRC, humidity, its CRC. */
#define KRI_SENSIRION_RAW 6
/* How often a chip that was just told something may not acknowledge: 2 ms at the fastest bus clock. */
#define KRI_SENSIRION_POLLS 100
/* How often a measurement may be found unfinished after its longest time, a millisecond apart. */
#define KRI_SENSIRION_LATE 10

/* Writes a command, again while it is not acknowledged. */
int kri_sensirion_command(struct kryos_dev *dev, const uint8_t *command, size_t count);
/* Reads words, again while there are none. KRYOS_ECRC. */
int kri_sensirion_read(struct kryos_dev *dev, uint8_t *bytes, size_t count);
/* 0, or KRYOS_ECRC. count is a multiple of 3. */
int kri_sensirion_check(struct kryos_dev *dev, const uint8_t *bytes, size_t count);

/*
 * Reads a measurement of count bytes. Not acknowledged, it is not finished (-EAGAIN) as long as *late, which trigger
 * sets to KRI_SENSIRION_LATE, is not used up; then it never will be: a chip that takes the harmless command ping has
 * lost it (KRYOS_ECHIP), another is not there.
 */
int kri_sensirion_fetch(struct kryos_dev *dev, int *late, const uint8_t *ping, size_t ping_count, uint8_t *raw,
                        size_t count);

/* Whether the other of the two answers here. */
bool kri_sensirion_is_sht3x(struct kryos_dev *dev);
bool kri_sensirion_is_sht4x(struct kryos_dev *dev);

/* Each word has its CRC. */
bool kri_sensirion_is_whole(const uint8_t *raw, size_t count);
/* span_micro x word / 65535, rounded. */
int64_t kri_sensirion_scale(const uint8_t *word, int64_t span_micro);

#endif
