# SPDX-License-Identifier: Apache-2.0
# The part "musl" of tests/cross/run: Debian has musl's compiler and no library built with it, so SQLite, cJSON and cmocka are
# built from Debian's sources.

# What tests/unit has for inih, libcrypto, libi2c, libgpiod and Paho, which are off here: none of it can be built, or none of
# what it is about is there.
musl_without='command|devices|door|i2c_dev|ini|kernel_source|options|pages|queue|reader_seals|station_[a-z]+|station|store|store_recover|wal_scan'

# musl_root FOLDER: a folder with musl, the kernel's headers, and a compiler that knows no other.
musl_root() {
	local root=$1 name=x86_64-linux-musl kind from=$tools
	[ -d "$from/usr/include/$name" ] || from= # installed
	rm -rf "$root"
	mkdir -p "$root/bin" "$root/usr/include" "$root/usr/lib" || return 1
	cp -r "$from/usr/include/$name" "$root/usr/include/" && cp -r "$from/usr/lib/$name" "$root/usr/lib/" &&
		cp "$from/lib/$name/libc.so" "$root/usr/lib/$name/" || return 1
	for kind in linux asm-generic x86_64-linux-gnu/asm; do
		ln -s "/usr/include/$kind" "$root/usr/include/$name/${kind##*/}" || return 1
	done
	# Where the package would be installed.
	sed -i "s,/usr/\(lib\|include\)/$name,$root/usr/\1/$name,g" "$root/usr/lib/$name/musl-gcc.specs"
	printf '#!/bin/sh\nexec cc "$@" -specs %s\n' "$root/usr/lib/$name/musl-gcc.specs" >"$root/bin/$name-gcc"
	chmod +x "$root/bin/$name-gcc"
}

# musl_library NAME SOURCE HEADER... -- OPTION...: one source file as a shared library with a .pc file.
musl_library() {
	local name=$1 source=$2 version=$3 headers=() library=${1#lib}
	shift 3
	while [ "$1" != -- ]; do
		headers+=("$1")
		shift
	done
	shift
	"$triple-gcc" -shared -fPIC "$@" "-Wl,-soname,lib$library.so" -o "$root/usr/lib/$triple/lib$library.so" "$source" || return 1
	mkdir -p "$root/usr/include/$triple/$library" "$root/usr/lib/$triple/pkgconfig"
	cp "${headers[@]}" "$root/usr/include/$triple/"
	cp "${headers[@]}" "$root/usr/include/$triple/$library/"
	printf 'Name: %s\nDescription: built for a test\nVersion: %s\nLibs: -L/usr/lib/%s -l%s\nCflags: -I/usr/include/%s\n' "$name" \
		"$version" "$triple" "$library" "$triple" >"$root/usr/lib/$triple/pkgconfig/$name.pc"
}

# SQLite as it comes: without SECURE_DELETE and what else Debian adds, as in Buildroot.
musl_sqlite() (
	mkdir -p "$build/sqlite-build" && cd "$build/sqlite-build" &&
		with_tools ../sqlite-source/configure --disable-tcl --disable-readline && with_tools make sqlite3.c &&
		musl_library sqlite3 sqlite3.c "$(cat ../sqlite-source/VERSION)" sqlite3.h -- -O1
)
musl_cjson() (
	cd "$build/cjson-source" && musl_library libcjson cJSON.c 1.7 cJSON.h -- -O1
)

# musl_configure SOURCE FOLDER OPTION...
musl_configure() {
	local source=$1 folder=$2
	shift 2
	cmake -S "$source" -B "$folder" "${generator[@]}" "-DCMAKE_TOOLCHAIN_FILE=$top/cmake/cross.cmake" \
		"-DKRYOS_TARGET=$triple" "-DKRYOS_SYSROOT=$root" "$@"
}
musl_cmocka() {
	musl_configure "$build/cmocka-source" "$build/cmocka-build" -DCMAKE_INSTALL_PREFIX=/usr "-DCMAKE_INSTALL_LIBDIR=lib/$triple" \
		"-DCMAKE_INSTALL_INCLUDEDIR=include/$triple" -DWITH_EXAMPLES=OFF && cmake --build "$build/cmocka-build" &&
		DESTDIR=$root cmake --install "$build/cmocka-build"
}

needs_only() { # FILE PATTERN
	local others
	readelf -d "$1" | grep -q NEEDED || return 1
	others=$(readelf -d "$1" | sed -nE 's/.*NEEDED.*\[(.*)\]/\1/p' | grep -vxE "$2")
	[ -z "$others" ] || { echo "$1 needs $others"; return 1; }
}

part_musl() {
	local build=$cross/musl triple=x86_64-linux-musl root=$cross/musl/sysroot pair smallest=() kind name programs
	get_tools musl || return
	mkdir -p "$build"
	for pair in sqlite3:sqlite cjson:cjson cmocka:cmocka; do
		if ! source_of "$build/${pair#*:}-source" here "${pair%:*}" >"$cross/log/musl-${pair%:*}" 2>&1 </dev/null; then
			count_skip "musl: the source of ${pair%:*} cannot be had: $(grep -m 1 '^E:' "$cross/log/musl-${pair%:*}")"
			return
		fi
	done
	local PATH=$root/bin:$PATH
	if [ ! -e "$build/complete" ]; then
		must 'musl: its compiler' musl_root "$root" &&
			must 'musl: SQLite builds' musl_sqlite &&
			must 'musl: cJSON builds' musl_cjson &&
			must 'musl: cmocka builds' musl_cmocka || return
		: >"$build/complete"
	fi

	# libc and SQLite.
	while read -r kind name; do
		smallest+=("-DKRYOS_$(tr '[:lower:]' '[:upper:]' <<<"${kind}_$name")=OFF")
	done < <(sed -nE 's/^kryos_driver\(([a-z]+) ([a-z0-9_]+) .*/\1 \2/p' drivers/*/CMakeLists.txt src/*/CMakeLists.txt)
	must 'musl: configuration of the smallest library' musl_configure "$top" "$build/smallest" -DKRYOS_WERROR=ON \
		-DBUILD_TESTING=OFF -DKRYOS_BUILD_DAEMON=OFF -DKRYOS_BUILD_TESTING_LIBRARY=OFF -DKRYOS_WITH_INIH=OFF \
		-DKRYOS_WITH_CJSON=OFF -DKRYOS_WITH_CRYPTO=OFF "${smallest[@]}" &&
		must 'musl: the smallest library builds' cmake_build "$build/smallest" &&
		must 'musl: it needs libc and SQLite' needs_only "$build/smallest/libkryos.so" 'libc\.so|libsqlite3\.so'

	# All that is about no library that is not there, and its tests.
	must 'musl: configuration' musl_configure "$top" "$build/build" -DKRYOS_WERROR=ON -DBUILD_TESTING=ON -DKRYOS_WITH_INIH=OFF \
		-DKRYOS_WITH_CRYPTO=OFF "-DCMAKE_CROSSCOMPILING_EMULATOR=$root/usr/lib/$triple/libc.so;--library-path;$root/usr/lib/$triple" ||
		return
	mapfile -t programs < <(cd "$build/build" && ctest -N -L unit -E "^unit/($musl_without)_test$" |
		sed -nE 's,^ *Test +#[0-9]+: unit/([a-z0-9_]+)$,\1,p')
	must 'musl: builds' cmake_build "$build/build" --target kryos cryo_daemon hello "${programs[@]}" &&
		must 'musl: needs no other libc' needs_only "$build/build/libkryos.so" 'libc\.so|libsqlite3\.so|libcjson\.so' &&
		run_tests musl "$build/build" -L unit -E "^unit/($musl_without)_test$"
	say "musl: $(wc -w <<<"${musl_without//|/ }") kinds of tests are left out, of what is off: ${musl_without//|/, }"
}
