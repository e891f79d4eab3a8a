# SPDX-License-Identifier: Apache-2.0
# What another suite of the same archive has, newer than this Debian's, or as source; sourced by tests/vm/run and
# tests/cross/run. By a configuration of its own: the system's lists and packages stay as they are.

# suite_apt FOLDER SUITE: makes FOLDER/apt.conf, by which apt-get knows the packages and sources of that suite alone, "here"
# for the system's own, "backports" for what belongs to it.
suite_apt() {
	local folder=$1 suite=$2 release archive
	mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial"
	read -r release archive < <(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' \
		'Origin: Debian' | awk '$1 !~ /-/ { print; exit }')
	[ -n "${archive:-}" ] || return 1
	case "$suite" in
	here) suite=$release ;;
	backports) suite=$release-backports ;;
	esac
	printf '%s [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] '"$archive $suite main\n" deb deb-src \
		>"$folder/sources.list"
	cat >"$folder/apt.conf" <<-END
		Dir::State "$folder/state";
		Dir::Cache "$folder/cache";
		Dir::Etc::sourcelist "$folder/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State::status "/var/lib/dpkg/status";
		APT::Sandbox::User "root";
	END
	apt-get -q -c "$folder/apt.conf" -o Acquire::Retries=3 update
}

# source_of FOLDER SUITE PACKAGE: unpacks the source of PACKAGE, with Debian's patches, into FOLDER.
source_of() {
	local folder=$1
	[ ! -e "$folder.complete" ] || return 0
	rm -rf "$folder" "$folder.apt"
	suite_apt "$folder.apt" "$2" &&
		(cd "$folder.apt" && apt-get -q -c "$folder.apt/apt.conf" -o Acquire::Retries=3 --download-only source "$3") &&
		dpkg-source --no-check -x "$folder.apt"/*.dsc "$folder" || return 1
	rm -rf "$folder.apt"
	: >"$folder.complete"
}

gpiod2= # the folder libgpiod 2 is unpacked in, once get_gpiod2() has succeeded

get_gpiod2() {
	local folder=$build/gpiod2 deb
	if [ ! -e "$folder/complete" ]; then
		pkg-config --exists 'libgpiod < 2' || return 0 # the library has it already, or no GPIO at all
		rm -rf "$folder"
		suite_apt "$folder" backports || return 1
		mkdir -p "$folder/debs"
		(cd "$folder/debs" && apt-get -q -c "$folder/apt.conf" -o Acquire::Retries=3 download libgpiod-dev libgpiod3) || return 1
		for deb in "$folder"/debs/*.deb; do
			dpkg -x "$deb" "$folder" || return 1
		done
		rm -rf "$folder/debs" "$folder/state" "$folder/cache"
		: >"$folder/complete"
	fi
	gpiod2=$folder
}
