# SPDX-License-Identifier: Apache-2.0
# Debian's kernel for a machine of $arch (of its flavours, $flavour), and the modules it does not have; sourced by
# tests/vm/run. Nothing is installed: packages are unpacked into $build, which keeps them, and one choice of kernel,
# until it is removed.

release= # "6.1.0-56-amd64", once kernel() has been called

# The packages beside the image of RELEASE: headers, whose programs are for this machine, and the source.
beside() {
	printf '%s\n' "linux-headers-$1" "linux-headers-${1%-"$flavour"}-common" linux-kbuild-6.1:amd64
	[ "$arch" != amd64 ] || echo linux-source-6.1
}

# The kernels that the archive has with their headers and source in one version, newest first: lines of "RELEASE VERSION".
kernels() {
	local names name version package packages=() listed
	names=$(apt-cache search --names-only "^linux-image-6\\.1\\.[0-9-]+-$flavour\$" |
		sed -E 's/^linux-image-([^ ]*).*/\1/' | sort -Vr)
	for name in $names; do
		# shellcheck disable=SC2046
		packages+=("linux-image-$name" $(beside "$name"))
	done
	# Of a package of this machine's architecture apt names it only where it knows of another.
	listed=$(apt-cache madison "${packages[@]}" 2>/dev/null | awk '{ sub(/:amd64$/, "", $1); print $1, $3 }')
	for name in $names; do
		for version in $(awk -v image="linux-image-$name" '$1 == image { print $2 }' <<<"$listed"); do
			for package in $(beside "$name"); do
				grep -qxF "${package%:amd64} $version" <<<"$listed" || continue 2
			done
			echo "$name $version"
		done
	done
}

# fetch_kernel RELEASE VERSION: image and headers unpacked, and of the source what is built here.
fetch_kernel() {
	local folder=$build/kernel deb tree=linux-source-6.1 packages
	mapfile -t packages < <(beside "$1")
	rm -rf "$folder"
	mkdir -p "$folder/debs" || return 1
	download "$folder/debs" "linux-image-$1=$2" "${packages[@]/%/=$2}" || return 1
	for deb in "$folder"/debs/*.deb; do
		dpkg -x "$deb" "$folder" || return 1
	done
	# The Makefile of the headers names the place where the package would be installed.
	sed -i "s,/usr/src/,$folder/usr/src/," "$folder/usr/src/linux-headers-$1/Makefile" || return 1
	if [ "$arch" = amd64 ]; then
		# --occurrence: tar stops when it has them all, and need not unpack the rest.
		tar -C "$folder" --occurrence=1 --strip-components=1 -xJf "$folder/usr/src/$tree.tar.xz" \
			"$tree/drivers/gpio/gpio-sim.c" "$tree/drivers/gpio/gpiolib.h" "$tree/drivers/rtc/rtc-ds1307.c" \
			"$tree/kernel/irq/irq_sim.c" "$tree/drivers/iio/temperature/max31865.c" || return 1
		unpack_vmlinux "$folder/boot/vmlinuz-$1" >"$folder/vmlinux" || return 1
	else
		ln -s "boot/vmlinuz-$1" "$folder/vmlinux" || return 1 # not packed
	fi
	rm -rf "$folder/debs" "$folder/usr/src/$tree.tar.xz"
	echo "$1 $2" >"$folder/complete"
}

# The kernel inside a bzImage: booted as it is (PVH), it need not unpack itself in an emulated processor, which takes
# longer than all the rest. Documentation/x86/boot.rst: setup_sects at 0x1f1, payload_offset and _length at 0x248; the
# payload's last 4 bytes are its size unpacked.
unpack_vmlinux() {
	local sectors offset length
	sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$1" | tr -d ' ')
	read -r offset length < <(od -An -tu4 -j $((0x248)) -N 8 "$1")
	tail -c "+$(((sectors + 1) * 512 + offset + 1))" "$1" | head -c "$((length - 4))" | xz -dc
}

# Sets release. Takes the kernel that is here; else the first that can be had.
kernel() {
	local version
	# One that was fetched when less of its source was taken is fetched again.
	if [ ! -e "$build/kernel/complete" ] ||
		{ [ "$arch" = amd64 ] && [ ! -e "$build/kernel/drivers/iio/temperature/max31865.c" ]; }; then
		renew_lists >"$build/log/kernel.log" 2>&1 </dev/null
		while read -r release version; do
			say "fetching Linux $release ($version)"
			fetch_kernel "$release" "$version" >"$build/log/kernel.log" 2>&1 </dev/null && break
			say "Linux $release ($version) cannot be had: $(tail -n 1 "$build/log/kernel.log")"
		done < <(kernels)
	fi
	read -r release version 2>/dev/null <"$build/kernel/complete"
}

# build_modules HEADERS: those of tests/vm/modules, for the kernel of these headers; and for a machine of amd64 those that
# Debian's configuration leaves out, unmodified but for irq_sim.c.
build_modules() {
	local folder=$build/modules source=$build/kernel cross=()
	[ "$arch" = amd64 ] || cross=("ARCH=${arch%hf}" "CROSS_COMPILE=$triple-")
	[ "$(cat "$folder/built" 2>/dev/null)" = "$release" ] &&
		[ -z "$(find tests/vm/modules "$1/Makefile" -newer "$folder/built")" ] && return 0
	say "building modules for Linux $release"
	rm -rf "$folder"
	mkdir -p "$folder"
	cp -p tests/vm/modules/Kbuild tests/vm/modules/*.[ch] "$folder" || return 1
	if [ "$arch" = amd64 ] && [ -z "$device" ]; then
		cp -p "$source"/drivers/gpio/gpio* "$source/drivers/rtc/rtc-ds1307.c" \
			"$source/drivers/iio/temperature/max31865.c" "$folder" || return 1
		# Not meant for a module: its licence is stated elsewhere, and irq_to_desc() is not exported.
		{
			sed 's/handle_simple_irq(irq_to_desc(irqnum));/generic_handle_irq(irqnum);/' "$source/kernel/irq/irq_sim.c"
			printf '#include <linux/module.h>\nMODULE_LICENSE("GPL");\n'
		} >"$folder/irq_sim.c"
	fi
	make -C "$1" M="$folder" "${cross[@]}" modules -j "$(nproc)" >"$build/log/modules.log" 2>&1 || return 1
	echo "$release" >"$folder/built"
}
