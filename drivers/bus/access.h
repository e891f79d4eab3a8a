/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KRI_BUS_ACCESS_H
#define KRI_BUS_ACCESS_H

/* -EACCES, with the group that would be allowed to open path; group: what it is called where that can't be looked up.
 */
int kri_fail_access(const char *path, const char *group);

#endif
