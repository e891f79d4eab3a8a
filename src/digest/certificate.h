/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, as far as one has to look after them. */
#ifndef KRI_CERTIFICATE_H
#define KRI_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When the X.509 certificates in a PEM file end (RFC 5280, 4.1.2.5), ns since 1970: the first of them to end, or the
 * last, where any of them may be the one that counts. INT64_MAX: never. KRYOS_ECORRUPT: it holds none; -errno.
 */
int kri_certificate_until(const char *path, bool last, int64_t *ret_wall_ns);

#endif
