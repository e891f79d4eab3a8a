/* SPDX-License-Identifier: Apache-2.0 */
/* The sysfs bus driver's pure part, for its tests. */
#ifndef KRI_SYSFS_H
#define KRI_SYSFS_H

/* What an errno of a read says of the device; see read_text in kryos/sys/bus.h. */
int kri_sysfs_result(int errnum);

#endif
