# SPDX-License-Identifier: Apache-2.0
# The parts of tests/cross/run; sourced by it and by tests/cross/sizes.

# Programs for this machine that it need not have: sets tools. False, with the reason said, if they cannot be had.
tools=
get_tools() {
	[ -z "$tools" ] || return 0
	[ "$(uname -m)" = x86_64 ] || { count_skip "$1: Debian's cross compilers are taken for an x86_64, this is a $(uname -m)"; return 1; }
	command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
		{ count_skip "$1: packages come from Debian, which this is not"; return 1; }
	unpack_packages "$cross/tools" gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf qemu-user-static musl-tools tcl8.6 python3 \
		>"$cross/log/tools" 2>&1 </dev/null ||
		{ count_skip "$1: cross compilers cannot be had: $(grep -m 1 '^E:' "$cross/log/tools")"; return 1; }
	tools=$cross/tools
	export PATH=$tools/usr/bin:$PATH TCL_LIBRARY=$tools/usr/share/tcltk/tcl8.6
	[ -d "$TCL_LIBRARY" ] || unset TCL_LIBRARY # installed, and found
}
# What runs tools runs with their libraries; what they build does not.
with_tools() { LD_LIBRARY_PATH=$tools/usr/lib/x86_64-linux-gnu "$@"; }

# get_target ARCHITECTURE: sets build, triple and root, its libraries.
get_target() {
	build=$cross/$1
	root=$build/sysroot
	case "$1" in
	arm64) triple=aarch64-linux-gnu qemu=qemu-aarch64-static ;;
	armhf) triple=arm-linux-gnueabihf qemu=qemu-arm-static ;;
	esac
	(apt_for "$1" && sysroot) >"$cross/log/$1-sysroot" 2>&1 </dev/null ||
		{ count_skip "$1: its libraries cannot be had: $(grep -m 1 '^E:' "$cross/log/$1-sysroot")"; return 1; }
}

# buildroot_configure FOLDER OPTION...: as package/pkg-cmake.mk of 2024.02 to 2026.05 does.
buildroot_configure() {
	local folder=$1
	shift
	with_tools cmake -S "$top" -B "$folder" "${generator[@]}" "-DCMAKE_TOOLCHAIN_FILE=$top/tests/cross/buildroot.cmake" \
		"-DKRYOS_TARGET=$triple" "-DKRYOS_SYSROOT=$root" -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_RUNSTATEDIR=/run \
		-DCMAKE_COLOR_MAKEFILE=OFF -DBUILD_DOC=OFF -DBUILD_DOCS=OFF -DBUILD_EXAMPLE=OFF -DBUILD_EXAMPLES=OFF \
		-DBUILD_TEST=OFF -DBUILD_TESTS=OFF -DBUILD_TESTING=OFF -DBUILD_SHARED_LIBS=ON "$@"
}
cmake_build() { with_tools nice cmake --build "$1" --parallel "$jobs" "${@:2}"; }

# run_tests NAME FOLDER CTEST-OPTION...
run_tests() {
	local name=$1 folder=$2
	shift 2
	rm -f "$cross/log/$name.xml"
	(cd "$folder" && unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY &&
		ctest --parallel "$((3 * jobs))" --timeout 300 --output-on-failure --no-tests=error --repeat until-pass:2 \
			--output-junit "$cross/log/$name.xml" "$@") >"$cross/log/$name-tests" 2>&1 </dev/null
	grep -E '\[  ERROR|\[  FAILED|ERROR: ' "$cross/log/$name-tests" | head -n 20
	count "$name" "$cross/log/$name.xml"
	grep -oE '[a-z]+/[a-z0-9_/]+ \.*\*\*\*(Failed|Timeout|Exception)' "$cross/log/$name-tests" | sort | uniq -c |
		awk '$1 == 1 { print "  passed only at the second try: " $2 }'
}

# What is installed names neither this machine's folders nor the target's (Yocto's "buildpaths"), and is of the right machine.
installed_is_clean() { # STAGE MACHINE
	local file hits
	hits=$(grep -rlE "$top|$build" "$1")
	[ -z "$hits" ] || { echo "these name a folder of this machine: $hits"; return 1; }
	for file in "$1"/usr/lib/libkryos.so.*.*.* "$1/usr/sbin/cryo_daemon" "$1/usr/bin/kryosctl"; do
		readelf -h "$file" | grep -q "Machine:.*$2" || { echo "$file is not for $2"; return 1; }
		readelf -d "$file" | grep -E 'R(UN)?PATH' && { echo "$file has a run path"; return 1; }
		readelf -d "$file" | grep -q 'BIND_NOW\|FLAGS.*NOW' || { echo "$file is not bound at its start"; return 1; }
	done
	return 0
}

part_target() { # ARCHITECTURE MACHINE
	local arch=$1 machine=$2 build root triple qemu
	get_tools "$arch" && get_target "$arch" || return
	rm -rf "$build/stage"
	must "$arch: Buildroot's configuration" buildroot_configure "$build/build" -DKRYOS_WERROR=ON &&
		must "$arch: builds with Buildroot's flags" cmake_build "$build/build" &&
		must "$arch: installs" env DESTDIR="$build/stage" cmake --install "$build/build" || return
	must "$arch: what is installed names no folder of this machine" installed_is_clean "$build/stage" "$machine"
	[ "$arch" != armhf ] || must "$arch: no 32-bit time" with_tools python3 tests/cross/time64.py "$triple" "$root" "$build/stage"
	must "$arch: configuration with tests" buildroot_configure "$build/build" -DKRYOS_WERROR=ON -DBUILD_TESTING=ON \
		"-DCMAKE_CROSSCOMPILING_EMULATOR=$(command -v "$qemu");-L;$root;-E;LD_LIBRARY_PATH=$root/lib/$triple:$root/usr/lib/$triple" &&
		must "$arch: unit tests build" cmake_build "$build/build" --target unit &&
		run_tests "$arch" "$build/build" -L unit
}
part_arm64() { part_target arm64 AArch64; }
part_armhf() { part_target armhf ARM; }

part_options() { must 'options stand in all recipes' tests/cross/options; }

part_newer() {
	local build=$cross/newer path paths='' libraries=''
	mkdir -p "$build"
	if ! get_gpiod2 >"$cross/log/newer-gpiod2" 2>&1 </dev/null; then
		count_skip "newer: libgpiod 2 cannot be had: $(grep -m 1 '^E:' "$cross/log/newer-gpiod2")"
		return
	fi
	# cmocka is built from its source: the newer suite's own needs its newer libc.
	if ! source_of "$build/cmocka-source" sid cmocka >"$cross/log/newer-cmocka" 2>&1 </dev/null; then
		count_skip "newer: cmocka 2 cannot be had: $(grep -m 1 '^E:' "$cross/log/newer-cmocka")"
		return
	fi
	must 'newer: cmocka builds' sh -c 'cmake -S "$1/cmocka-source" -B "$1/cmocka-build" -DCMAKE_INSTALL_PREFIX="$1/cmocka" \
		-DCMAKE_INSTALL_LIBDIR=lib -DWITH_EXAMPLES=OFF && cmake --build "$1/cmocka-build" && cmake --install "$1/cmocka-build"' \
		sh "$build" || return
	if [ -n "$gpiod2" ]; then
		path=$(dirname "$(find "$gpiod2" -name libgpiod.pc)")
		sed -i "s,^prefix=.*,prefix=$gpiod2/usr," "$path/libgpiod.pc"
		paths=$path: libraries="$(dirname "$path");"
	fi
	# shellcheck disable=SC2030
	export PKG_CONFIG_PATH=$paths$build/cmocka/lib/pkgconfig
	must 'newer: configuration' cmake -S . -B "$build/build" "${generator[@]}" -DKRYOS_WERROR=ON -DBUILD_TESTING=ON \
		-DKRYOS_WITH_REPORT=OFF "-DCMAKE_BUILD_RPATH=$libraries$build/cmocka/lib" &&
		must 'newer: libgpiod is 2.1 or later, and cmocka 2' sh -c \
			'pkg-config --atleast-version 2.1 libgpiod && pkg-config --atleast-version 2 cmocka' &&
		must 'newer: builds' cmake_build "$build/build" --target all unit contract &&
		run_tests newer "$build/build" -L 'unit|contract'
	unset PKG_CONFIG_PATH
}

. tests/cross/musl.sh

# Two copies of the tree, in folders of different length, with everything, and with debug information, which names files.
part_twice() {
	local folder
	for folder in a another-folder; do
		rm -rf "$cross/twice/$folder"
		mkdir -p "$cross/twice/$folder/tree"
		tar -cf - --exclude=./build --exclude=./.git . | tar -xf - -C "$cross/twice/$folder/tree" || return
		must "twice: $folder" sh -c 'top=$1 jobs=$2; shift 2; cmake -S "$top/tree" -B "$top/tree/build" "$@" -DBUILD_TESTING=OFF &&
			nice cmake --build "$top/tree/build" --parallel "$jobs" && DESTDIR="$top/stage" cmake --install "$top/tree/build"' \
			sh "$cross/twice/$folder" "$jobs" "${generator[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DKRYOS_BUILD_DAEMON=ON || return
	done
	must 'twice: the same, bit for bit' diff -r "$cross/twice/a/stage" "$cross/twice/another-folder/stage" &&
		must 'twice: with debug information' sh -c 'readelf -S "$1" | grep -q debug_info' sh \
			"$cross/twice/a/stage/usr/local/bin/kryosctl"
}

# external CHECK VARIABLE: a check of an example beside somebody's tree.
external() {
	local name=$1 p f s
	if [ -z "${!2:-}" ]; then
		count_skip "$name: $2 names no tree (examples/$name/README.md)"
		return
	fi
	"examples/$name/check" "${!2}" >"$cross/log/$name" 2>&1 </dev/null
	grep -vE '^ok|^[0-9]+ passed' "$cross/log/$name"
	read -r p f s < <(sed -nE '$s/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$cross/log/$name")
	[ -n "${s:-}" ] || { count_failure "$name: its check did not end (${cross#"$top"/}/log/$name)"; return; }
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	say "$name: $p passed, $f failed, $s skipped"
}
part_buildroot() { external buildroot BUILDROOT_DIR; }
part_yocto() { external yocto OE_ROOT; }
