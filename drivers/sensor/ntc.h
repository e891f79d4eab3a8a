/* SPDX-License-Identifier: Apache-2.0 */
/* An NTC thermistor: its temperature by its resistance. Pure. */
#ifndef KRI_DRIVER_NTC_H
#define KRI_DRIVER_NTC_H

/* 1 / T = a + b ln R + c (ln R)^3, in kelvin; believed from low to high, in Celsius. */
struct kri_ntc {
	double a, b, c, low, high;
};

/* Through three points of its maker's table, the coldest first. KRYOS_EDEVICE: no NTC has these. */
int kri_ntc_from_points(struct kri_ntc *ret_ntc, const double celsius[3], const double ohm[3]);
/* Through the resistance at 25 C, as steep as the B value says. */
void kri_ntc_from_beta(struct kri_ntc *ret_ntc, double ohm_at_25, double beta);
double kri_ntc_celsius(const struct kri_ntc *ntc, double ohm);

#endif
