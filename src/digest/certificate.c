/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"
#include <errno.h>
#include <kryos/sys/bus.h>

#if KRYOS_WITH_CRYPTO
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : INT64_MAX;
}

/* Without this an encrypted block makes libcrypto ask for a passphrase on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *userdata)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)userdata;
	return -1;
}

int kri_certificate_until(const char *path, bool last, int64_t *ret_wall_ns)
{
	int64_t ends = 0, until;
	X509 *certificate;
	bool any = false;
	FILE *file = fopen(path, "re");

	if (!file)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	while ((certificate = PEM_read_X509(file, NULL, no_passphrase, NULL))) {
		until = seconds_of(X509_get0_notAfter(certificate));
		X509_free(certificate);
		if (!any || (last ? until > ends : until < ends))
			ends = until;
		any = true;
	}
	/* The end of the file is an error too. */
	ERR_clear_error();
	fclose(file);
	if (!any)
		return kryos_fail(KRYOS_ECORRUPT, "%s: holds no certificate in PEM", path);
	/* 9999-12-31 is what RFC 5280 has for no end; it does not fit. */
	if (ends < 0)
		ends = 0; /* long ago is enough */
	*ret_wall_ns = ends > INT64_MAX / 1000000000 ? INT64_MAX : ends * 1000000000;
	return 0;
}

#else
int kri_certificate_until(const char *path, bool last, int64_t *ret_wall_ns)
{
	(void)last;
	(void)ret_wall_ns;
	return kryos_fail(-EOPNOTSUPP, "%s: this build has no libcrypto (KRYOS_WITH_CRYPTO)", path);
}
#endif
