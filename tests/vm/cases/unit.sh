# SPDX-License-Identifier: Apache-2.0
# The unit tests, on a processor and a kernel that the machine which builds does not have. In the machine their programs
# are in a folder beside the case, on a board they are found by their sources.
for test in "$here"/../../unit/*_test*; do
	test=$(basename "$test" .c)
	timeout 900 "$test" || not_ok "$test: status $?"
done
