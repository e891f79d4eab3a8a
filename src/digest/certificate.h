/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, as far as one has to look after them. */
#ifndef KRI_CERTIFICATE_H
#define KRI_CERTIFICATE_H

#include <stdint.h>

/*
 * When the first of the X.509 certificates in a PEM file ends (RFC 5280, 4.1.2.5), ns since 1970; INT64_MAX: never.
 * KRYOS_ECORRUPT: it holds none.
 */
int kri_certificate_until(const char *path, int64_t *ret_wall_ns);

#endif
