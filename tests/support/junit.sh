# SPDX-License-Identifier: Apache-2.0
# What ctest did, counted; sourced by tests/run and tests/cross/run, which have say(), count_failure() and the sums.

# Reads ctest's JUnit file: counts, names what failed, and says why what was skipped was.
count() { # NAME FILE
	local name=$1 counts
	if [ ! -s "$2" ]; then
		count_failure "$name: no test was run"
		return
	fi
	counts=$(awk -v name="$name" '
		function value(key,   from) {
			if (!match($0, key "=\"[^\"]*\"")) return ""
			from = RSTART + length(key) + 2
			return substr($0, from, RLENGTH - length(key) - 3)
		}
		function plain(text) {
			gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text); gsub(/&amp;/, "\\&", text)
			return text
		}
		/<testcase / { test = value("name"); status = value("status"); reason = ""; output = 0 }
		/<system-out>/ { output = 1; sub(/.*<system-out>/, "") }
		output {
			line = $0; sub(/<\/system-out>.*/, "", line)
			if (tolower(line) ~ /skip/ && reason == "") reason = line
			if (line != "") last = line
		}
		/<\/system-out>/ { output = 0 }
		/<\/testcase>/ {
			if (status == "run") passed++
			else if (status == "notrun" || status == "disabled") {
				skipped++
				print "  skipped: " name " " test ": " plain(reason != "" ? reason : last) > "/dev/stderr"
			} else {
				failed++
				print "  FAILED: " name " " test > "/dev/stderr"
			}
			last = ""
		}
		END { printf "%d %d %d\n", passed, failed, skipped }' "$2")
	local p f s
	read -r p f s <<<"$counts"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	[ $((p + f + s)) -gt 0 ] || count_failure "$name: no test was run"
	say "$name: $p passed, $f failed, $s skipped"
}
