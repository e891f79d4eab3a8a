# SPDX-License-Identifier: Apache-2.0
# What a machine of another architecture takes: Debian's packages for it, unpacked into $build/sysroot; sourced by
# tests/vm/run and tests/cross/run. The system's own list of architectures, and what is installed, stay as they are.

# apt_for ARCHITECTURE: from here on apt-get and apt-cache speak of packages of that architecture, from the system's
# sources, as if none were installed; their lists are kept in $build/apt.
apt_for() {
	local folder=$build/apt
	mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
	: >"$folder/status"
	cat >"$folder/apt.conf" <<-CONF
		APT::Architecture "$1";
		APT::Architectures { "$1"; "amd64"; };
		APT::Sandbox::User "root";
		Dir::State "$folder";
		Dir::State::status "$folder/status";
		Dir::Cache "$folder/cache";
	CONF
	export APT_CONFIG=$folder/apt.conf
}

# sysroot [PACKAGE...]: what building the library takes, with all that it needs to run, and these.
sysroot() {
	local folder=$build/sysroot libraries link
	mapfile -t libraries < <(printf '%s\n' "${build_packages[@]}" | grep -x 'lib.*-dev' | grep -v clang)
	unpack_packages "$folder" "$@" libc6-dev "${libraries[@]}" || return 1
	# "/lib/..." is meant from the target's root.
	find "$folder" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
		ln -sfnr "$folder$(readlink "$link")" "$link"
	done
}
