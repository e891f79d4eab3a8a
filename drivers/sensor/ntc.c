/* SPDX-License-Identifier: Apache-2.0 */
#include "ntc.h"
#include <kryos/sys/bus.h>
#include <math.h>

#define ZERO_CELSIUS 273.15
/* Where B alone leaves the table of a common NTC by less than 0.9 C; it is 1.7 C at -20 C, and 3 C at -40 C. */
#define BETA_LOW 0
#define BETA_HIGH 50

/* Of 1 / T along ln R: above 0 where the resistance falls with the temperature. */
static double slope(const struct kri_ntc *ntc, double ln_r)
{
	return ntc->b + 3 * ntc->c * ln_r * ln_r;
}

/*
 * Steinhart and Hart's equation (Deep-Sea Research 15, 1968), which is linear in its three coefficients. With points
 * 25 K apart it leaves the table of a common NTC of 10 kOhm by less than 0.02 C up to 25 K outside of them: half the
 * span of the points is believed on either side.
 */
int kri_ntc_from_points(struct kri_ntc *ret_ntc, const double celsius[3], const double ohm[3])
{
	double ln_r[3], y[3], y21, y31, beyond = (celsius[2] - celsius[0]) / 2;
	struct kri_ntc ntc = { .low = celsius[0] - beyond, .high = celsius[2] + beyond };

	for (int i = 0; i < 3; i++) {
		y[i] = 1 / (celsius[i] + ZERO_CELSIUS);
		ln_r[i] = log(ohm[i]);
	}
	if (celsius[0] >= celsius[1] || celsius[1] >= celsius[2] || ohm[0] <= ohm[1] || ohm[1] <= ohm[2])
		return kryos_fail(KRYOS_EDEVICE, "t1, t2, t3 must rise and r1, r2, r3 fall, as an NTC's table does");
	y21 = (y[1] - y[0]) / (ln_r[1] - ln_r[0]);
	y31 = (y[2] - y[0]) / (ln_r[2] - ln_r[0]);
	ntc.c = (y31 - y21) / (ln_r[2] - ln_r[1]) / (ln_r[0] + ln_r[1] + ln_r[2]);
	ntc.b = y21 - ntc.c * (ln_r[0] * ln_r[0] + ln_r[0] * ln_r[1] + ln_r[1] * ln_r[1]);
	ntc.a = y[0] - (ntc.b + ntc.c * ln_r[0] * ln_r[0]) * ln_r[0];
	if (!(slope(&ntc, ln_r[0]) > 0 && slope(&ntc, ln_r[2]) > 0))
		return kryos_fail(KRYOS_EDEVICE, "no NTC has these three points: t1 r1, t2 r2, t3 r3");
	*ret_ntc = ntc;
	return 0;
}

void kri_ntc_from_beta(struct kri_ntc *ret_ntc, double ohm_at_25, double beta)
{
	*ret_ntc = (struct kri_ntc){
		.a = 1 / (25 + ZERO_CELSIUS) - log(ohm_at_25) / beta, .b = 1 / beta, .low = BETA_LOW, .high = BETA_HIGH
	};
}

double kri_ntc_celsius(const struct kri_ntc *ntc, double ohm)
{
	double ln_r = log(ohm);

	return 1 / (ntc->a + (ntc->b + ntc->c * ln_r * ln_r) * ln_r) - ZERO_CELSIUS;
}
