/* SPDX-License-Identifier: Apache-2.0 */
#include "access.h"
#include <errno.h>
#include <grp.h>
#include <kryos/sys/bus.h>
#include <stddef.h>
#include <sys/stat.h>

int kri_fail_access(const char *path, const char *group)
{
	struct stat status;
	struct group entry, *found = NULL;
	char buffer[1024];

	if (stat(path, &status) == 0)
		(void)getgrgid_r(status.st_gid, &entry, buffer, sizeof(buffer), &found);
	return kryos_fail(-EACCES, "%s: not allowed; its group is \"%s\": is the user of this process in it?", path,
	                  found ? found->gr_name : group);
}
