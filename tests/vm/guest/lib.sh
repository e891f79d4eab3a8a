# SPDX-License-Identifier: Apache-2.0
# What cases share. A case is a part of a shell script: it prints "ok N - what" or "not ok N - what" for each test, here or
# in a program of its own (cmocka does), and must not assume that it is alone on the machine.
tests=0
failed=0

ok() { # WHAT
	tests=$((tests + 1))
	echo "ok $tests - $*"
}
not_ok() { # WHAT
	tests=$((tests + 1))
	failed=1
	echo "not ok $tests - $*"
}
skip() { # WHAT WHY
	tests=$((tests + 1))
	echo "# $2"
	echo "ok $tests - $1 # SKIP"
}
# check WHAT COMMAND...: a test that passes if the command does; what the command says is shown only if not.
check() {
	what=$1
	shift
	if output=$("$@" 2>&1); then
		ok "$what"
	else
		echo "$output" | sed 's/^/# /'
		not_ok "$what"
	fi
}
# same WHAT EXPECTED FOUND
same() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		echo "# expected \"$2\", found \"$3\""
		not_ok "$1"
	fi
}
# run PROGRAM...: a program that prints its tests itself.
run() {
	"$@" || failed=1
}
# at_end COMMAND: when the case ends, the last one first.
ending=
at_end() { ending="$*; $ending"; }
trap 'eval "$ending"' EXIT
trap 'exit 1' HUP INT TERM
# has_module NAME: whether the kernel has it, as a module or built in.
has_module() (
	folder=/lib/modules/$(uname -r)
	cat "$folder/modules.dep" "$folder/modules.builtin" 2>/dev/null | sed 's/:.*//; s,.*/,,; s/\.ko.*//' | tr - _ |
		grep -qx "$(echo "$1" | tr - _)"
)
# On a board, ours are in a folder of their own, which modprobe does not look into.
is_ours() { [ -e "${KRYOS_MODULES:-/none}/$1.ko" ]; }
is_loaded() { [ -e "/sys/module/$(echo "$1" | tr - _)" ]; }
load() { # MODULE PARAMETER...
	if is_ours "$1"; then
		file=$KRYOS_MODULES/$1.ko
		shift
		insmod "$file" "$@"
	else
		modprobe "$@"
	fi
}
# unload MODULE: whether it is gone. modprobe fails, too, where a module that it depends on is used by others.
unload() {
	if is_ours "$1"; then rmmod "$1"; else modprobe -r "$1"; fi 2>/dev/null
	! is_loaded "$1"
}
# emulator MODULE PARAMETER...: loads it until the case ends, for another may want other parameters. Ends the case,
# visibly, where there is no such module, or somebody else uses it.
emulator() {
	if ! has_module "$1" && ! is_ours "$1"; then
		skip "all that needs $1" "no kernel module $1 here"
		exit "$failed"
	fi
	if is_loaded "$1"; then
		[ $# -gt 1 ] || return 0
		# It would not look at the parameters. What a case has left that was killed goes.
		if ! unload "$1"; then
			skip "all that needs $1" "the kernel module $1 is in use here, with other parameters"
			exit "$failed"
		fi
	fi
	if ! output=$(load "$@" 2>&1); then
		echo "# $output"
		not_ok "the kernel's module $1 is loaded"
		exit 1
	fi
	at_end "unload_at_end $1"
}
# What stays, somebody uses: the next case may find it with other parameters than its own.
unload_at_end() { # MODULE
	unload "$1" || echo "# remark: the kernel module $1 is in use, and stays loaded"
}
# make_chip NAME LINE...: a chip of gpio-sim with lines of these names until the case ends, its folder in $chip. It is not
# there yet: "echo 1 >$chip/live".
make_chip() {
	[ -d /sys/kernel/config/gpio-sim ] || mount -t configfs configfs /sys/kernel/config
	chip=/sys/kernel/config/gpio-sim/$1
	mkdir $chip $chip/bank0
	at_end "echo 0 >$chip/live; rmdir $chip/bank0/line? $chip/bank0 $chip"
	echo 8 >$chip/bank0/num_lines
	shift
	line=0
	for name in "$@"; do
		mkdir $chip/bank0/line$line
		echo $name >$chip/bank0/line$line/name
		line=$((line + 1))
	done
}
# i2c_bus NAME: prints "i2c-N" of the adapter whose name begins so.
i2c_bus() {
	for adapter in /sys/class/i2c-adapter/i2c-*; do
		case $(cat "$adapter/name") in "$1"*) echo "${adapter##*/}" ;; esac
	done
}
