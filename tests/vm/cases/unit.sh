# SPDX-License-Identifier: Apache-2.0
# The unit tests, on a processor and a kernel that the machine which builds does not have. In the machine their programs
# are in a folder beside the case, on a board they are found by their sources. What each prints is kept together. Some
# measure time, and an emulated processor on a busy host has little of it: what fails is tried again, alone, as in
# tests/run, and never in silence.
# Random trials are fewer than elsewhere, but with KRYOS_TEST_LONG=1: this processor is slow.
[ -n "${KRYOS_TEST_LONG:-}" ] || export KRYOS_TEST_QUICK=1
folder=$(mktemp -d)
# (It has no reports.)
basename -s .c "$here"/../../unit/*_test* | grep -v '^report_' | xargs -n 1 -P "$(nproc)" \
	sh -c 'timeout 900 "$1" >"$0/$1" 2>&1 || mv "$0/$1" "$0/$1.failed"' "$folder"
for output in "$folder"/*.failed; do
	[ -e "$output" ] || continue
	test=$(basename "$output" .failed)
	grep -B 1 -A 3 '^not ok' "$output" | sed 's/^/# first try: /'
	if timeout 900 "$test" >"$folder/$test" 2>&1; then
		echo "# remark: passed only at the second try: $test"
	else
		echo "not ok 0 - $test: status $?" >>"$folder/$test"
		failed=1
	fi
	rm "$output"
done
cat "$folder"/*
rm -r "$folder"
