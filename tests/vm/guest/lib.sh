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
# emulator MODULE PARAMETER...: ends the case, visibly, where there is no such module.
emulator() {
	if ! output=$(modprobe "$@" 2>&1); then
		skip "all of it" "no kernel module $1 here: $output"
		exit 0
	fi
}
# i2c_bus NAME: prints "i2c-N" of the adapter whose name begins so.
i2c_bus() {
	for adapter in /sys/class/i2c-adapter/i2c-*; do
		case $(cat "$adapter/name") in "$1"*) echo "${adapter##*/}" ;; esac
	done
}
