/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --user: what needs root (watchdog, real-time clock, socket's group) is open by then; everything else,
 * the network above all, is done as somebody who can do little.
 */
#include "daemon.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct passwd *find_user(const struct daemon *daemon)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(daemon->options->user);
	if (!user)
		say(daemon, KRYOS_LOG_ERROR, "--user %s: %s", daemon->options->user,
		    errno ? strerror(errno) : "there is no such user");
	return user;
}

int check_user(const struct daemon *daemon)
{
	return !daemon->options->user || find_user(daemon) ? 0 : -1;
}

int make_folder(const struct daemon *daemon, const char *path)
{
	const struct passwd *user;

	if (mkdir(path, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	user = daemon->options->user ? find_user(daemon) : NULL;
	if (user && chown(path, user->pw_uid, user->pw_gid) < 0)
		return -errno;
	return 0;
}

/* Root has made or opened the store's files; from now on somebody else writes there. */
static int give_folder(const struct daemon *daemon, const char *path, const struct passwd *user)
{
	struct dirent *entry;
	DIR *entries = opendir(path);
	int r = entries ? 0 : -errno;

	if (entries && fchown(dirfd(entries), user->pw_uid, user->pw_gid) < 0)
		r = -errno;
	while (entries && r >= 0 && (entry = readdir(entries))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fchownat(dirfd(entries), entry->d_name, user->pw_uid, user->pw_gid, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			r = -errno;
	}
	if (entries)
		closedir(entries);
	if (r < 0)
		say(daemon, KRYOS_LOG_ERROR, "--user %s: %s can't be given to it: %s", daemon->options->user, path,
		    strerror(-r));
	return r;
}

/* initgroups, not setgroups to none: the user may be in i2c, gpio or dialout for the sensors' sake. */
static int become(const struct daemon *daemon, const struct passwd *user)
{
	if (initgroups(user->pw_name, user->pw_gid) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0) {
		say(daemon, KRYOS_LOG_ERROR, "--user %s: %s", user->pw_name, strerror(errno));
		return -1;
	}
	if (user->pw_uid != 0 && setuid(0) == 0) {
		say(daemon, KRYOS_LOG_ERROR, "--user %s: root could be had back", user->pw_name);
		return -1;
	}
	return 0;
}

int drop_privileges(const struct daemon *daemon)
{
	const struct passwd *user;
	char path[PATH_MAX];
	int r;

	if (daemon->options->user) {
		user = find_user(daemon);
		if (!user)
			return -1;
		r = kryos_station_get_store_path(daemon->options->config, path, sizeof(path));
		if (r < 0) {
			say(daemon, KRYOS_LOG_ERROR, "--user %s: %s", user->pw_name, kryos_strerror(r));
			return -1;
		}
		if (geteuid() == 0 && give_folder(daemon, path, user) < 0)
			return -1;
		if (become(daemon, user) < 0)
			return -1;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		say(daemon, KRYOS_LOG_ERROR, "no_new_privs: %s", strerror(errno));
		return -1;
	}
	return 0;
}
