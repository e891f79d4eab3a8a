# SPDX-License-Identifier: Apache-2.0
# libgpiod 2 for a Debian that has 1.6; sourced by tests/vm/run. From the backports of the same archive, by a
# configuration of its own: the system's lists and packages stay as they are.

gpiod2= # the folder it is unpacked in, once get_gpiod2() has succeeded

get_gpiod2() {
	local folder=$build/gpiod2 release_name archive deb
	if [ ! -e "$folder/complete" ]; then
		pkg-config --exists 'libgpiod < 2' || return 0 # the library has it already, or no GPIO at all
		rm -rf "$folder"
		mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial" "$folder/debs"
		read -r release_name archive < <(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' \
			'Origin: Debian' | awk '$1 !~ /-/ { print; exit }')
		[ -n "${archive:-}" ] || return 1
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $release_name-backports main" \
			>"$folder/sources.list"
		cat >"$folder/apt.conf" <<-END
			Dir::State "$folder/state";
			Dir::Cache "$folder/cache";
			Dir::Etc::sourcelist "$folder/sources.list";
			Dir::Etc::sourceparts "-";
			Dir::State::status "/var/lib/dpkg/status";
			APT::Sandbox::User "root";
		END
		apt-get -q -c "$folder/apt.conf" -o Acquire::Retries=3 update || return 1
		(cd "$folder/debs" && apt-get -q -c "$folder/apt.conf" -o Acquire::Retries=3 download libgpiod-dev/"$release_name-backports" \
			libgpiod3/"$release_name-backports") || return 1
		for deb in "$folder"/debs/*.deb; do
			dpkg -x "$deb" "$folder" || return 1
		done
		rm -rf "$folder/debs" "$folder/state" "$folder/cache"
		: >"$folder/complete"
	fi
	gpiod2=$folder
}
