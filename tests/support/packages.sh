# SPDX-License-Identifier: Apache-2.0
# Debian packages for the scripts that run tests; sourced by them. Who sources it has a function say.

# What building the library and its tests takes, and what the tests talk to.
build_packages=(build-essential cmake ninja-build pkg-config git ca-certificates perl libsqlite3-dev libssl-dev
	libcjson-dev libinih-dev libpaho-mqtt-dev libi2c-dev libgpiod-dev libcmocka-dev libcairo2-dev fonts-dejavu-core
	poppler-utils libxml2-utils tzdata mosquitto mosquitto-clients openssl sqlite3 procps util-linux clang-format-14
	clang-14 libclang-rt-14-dev python3-dev python3-cffi python3-setuptools python3-wheel python3-build
	python3-pytest python3-numpy python3-pandas python3-matplotlib mypy mandoc abigail-tools ccache python3 doxygen)

# install_packages LOG PACKAGE...: installs what is missing, as root or through sudo; goes on without it otherwise.
install_packages() {
	local log=$1 missing=() package sudo=()
	shift
	command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || return 0
	for package in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
			say "not root: going on without ${missing[*]}"
			return 0
		fi
		sudo=(sudo)
	fi
	say "installing ${missing[*]}"
	# The broker is for the tests to start: its package must not start it as a system service.
	local policy=/usr/sbin/policy-rc.d made=no
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null && "${sudo[@]}" chmod 755 "$policy"
		made=yes
	fi
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive sh -c '
		apt-get -q -o Acquire::Retries=3 update &&
		apt-get -q -y --no-install-recommends install "$@"' install "${missing[@]}" >"$log" 2>&1 ||
		{ tail -n 15 "$log"; say 'apt-get failed; going on with what is here'; }
	[ "$made" = yes ] && "${sudo[@]}" rm -f "$policy"
	return 0
}

# renew_lists: what the archive has is asked anew before something is fetched, once. Without root it is what was last
# known, but where apt's folders are our own (APT_CONFIG). A list that cannot be had is no failure yet.
renew_lists() {
	[ "${lists_renewed-none}" != "${APT_CONFIG:-}" ] || return 0
	lists_renewed=${APT_CONFIG:-}
	if [ "$(id -u)" -eq 0 ] || [ -n "$lists_renewed" ]; then
		apt-get -q -o Acquire::Retries=3 update || return 0
	fi
}

# download FOLDER PACKAGE[=VERSION]...: their .deb files, as root or not.
download() {
	local folder=$1
	shift
	# As root apt-get would warn that its user for downloads may not write there.
	(cd "$folder" && apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$@")
}

# unpack_packages FOLDER PACKAGE...: unpacks them, with what they depend on and the system lacks, without installing.
# Needs no root and leaves the system as it is; add FOLDER's bin and lib folders to PATH and LD_LIBRARY_PATH. Nothing is
# done if FOLDER holds just these.
unpack_packages() {
	local folder=$1 closure deb
	shift
	[ "$(cat "$folder/unpacked" 2>/dev/null)" = "$*" ] && return 0
	rm -rf "$folder"
	mkdir -p "$folder/debs" || return 1
	renew_lists
	apt-get -q -s --no-install-recommends install "$@" >"$folder/simulated" || return 1
	# What is installed is found where it is; what would only be brought up to date ("[old] (new)") does as it is.
	mapfile -t closure < <(sed -nE 's/^Inst ([^ ]+) \(.*/\1/p' "$folder/simulated")
	[ ${#closure[@]} -eq 0 ] || download "$folder/debs" "${closure[@]}" || return 1
	for deb in "$folder"/debs/*.deb; do
		[ ! -e "$deb" ] || dpkg -x "$deb" "$folder" || return 1
	done
	rm -rf "$folder/debs"
	printf '%s\n' "$*" >"$folder/unpacked"
}
