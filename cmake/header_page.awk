# SPDX-License-Identifier: Apache-2.0
# Makes a man page of section 3 from a public header: its first comment is what the module is, and each comment behind
# that, with what it stands before, a subsection.
# awk -f header_page.awk -v header=kryos/store.h -v name=kryos_store -v date="November 20, 2026" include/kryos/store.h
function plain(text) {
	gsub(/\\/, "\\e", text)
	return text ~ /^[.']/ ? "\\&" text : text
}
# Each sentence on a line of its own, as mdoc wants it.
function sentences(line) {
	sub(/^ +/, "", line)
	while (match(line, /[.?!][)"]* +/)) {
		if (substr(line, 1, RSTART) !~ /(e\.g|i\.e|\.\.)\.$/) {
			print plain(held substr(line, 1, RSTART + RLENGTH - 2))
			held = ""
		} else
			held = held substr(line, 1, RSTART + RLENGTH - 1)
		line = substr(line, RSTART + RLENGTH)
	}
	if (held line != "") print plain(held line)
	held = ""
}
# A comment's text: blank lines part paragraphs, what is set in by four blanks or more stands as it is.
function tell(text,   lines, count, i, literal, begun) {
	count = split(text, lines, "\n")
	for (i = 1; i <= count; i++) {
		if (literal && lines[i] !~ /^    / && lines[i] != "") { print ".Ed"; literal = 0; if (lines[i] != "") print ".Pp" }
		if (lines[i] == "") {
			if (!literal && begun && i < count && lines[i + 1] !~ /^    /) print ".Pp"
		} else if (lines[i] ~ /^    /) {
			if (!literal) print ".Bd -literal"
			literal = 1
			print plain(lines[i])
		} else {
			sentences(lines[i])
		}
		if (lines[i] != "") begun = 1
	}
	if (literal) print ".Ed"
}
# What a piece of a header is called: its functions, or its type.
function title(code,   names, rest, word) {
	rest = code
	while (match(rest, /kryos_[a-z0-9_]+\(/)) {
		word = substr(rest, RSTART, RLENGTH - 1)
		if (depth_at(code, length(code) - length(rest) + RSTART) == 0) names = names (names ? ", " : "") word
		rest = substr(rest, RSTART + RLENGTH)
	}
	if (names) return names
	if (match(code, /(struct|enum) kryos_[a-z0-9_]+ \{/)) return substr(code, RSTART, RLENGTH - 2)
	if (match(code, /\(\*kryos_[a-z0-9_]+/)) return substr(code, RSTART + 2, RLENGTH - 2)
	if (match(code, /#define KRYOS_[A-Z0-9_]+/)) return substr(code, RSTART + 8, RLENGTH - 8)
	return ""
}
function depth_at(code, at,   before, opened, closed) {
	before = substr(code, 1, at)
	opened = gsub(/[{(]/, "", before)
	before = substr(code, 1, at - 1)
	gsub(/[{(]/, "", before)
	closed = gsub(/[})]/, "", before)
	return opened - closed
}
function flush(   heading, lines, count, i) {
	heading = title(code)
	if (heading) {
		piece++
		headings[piece] = heading
		codes[piece] = code
		texts[piece] = comment
		if (heading ~ /^kryos_/ && code ~ /KRYOS_(API|EXPORT) /) functions = functions (functions ? ", " : "") heading
	}
	code = comment = ""
}
function depth_of(line,   opened) {
	gsub(/"[^"]*"|\/\*.*\*\//, "", line)
	opened = gsub(/[{(]/, "", line)
	return opened - gsub(/[})]/, "", line)
}

FNR <= 1 { next }
!first_done { # the first comment
	if (/\*\//) { first_done = 1; next }
	if ($0 == "/*") next
	line = $0
	sub(/^ \* ?/, "", line)
	first = first (first == "" ? "" : "\n") line
	next
}
/^#(ifndef|include|ifdef|else|endif|if )/ || /^KRYOS_(BEGIN|END)$/ || /^#define KRYOS_[A-Z_]*_H$/ { next }
depth == 0 && /^struct kryos_[a-z_]+;/ { next }
in_comment {
	line = $0
	if (sub(/ ?\*\/.*/, "", line)) in_comment = 0
	sub(/^ \* ?/, "", line)
	if (in_comment || line !~ /^ *$/) comment = comment (comment == "" ? "" : "\n") line
	next
}
depth == 0 && /^\/\*/ {
	flush()
	line = $0
	sub(/^\/\* ?/, "", line)
	if (!sub(/ ?\*\/.*/, "", line)) in_comment = 1
	comment = line
	next
}
depth == 0 && /^$/ { flush(); next }
{
	code = code (code == "" ? "" : "\n") $0
	depth += depth_of($0)
}
END {
	flush()
	what = first
	sub(/\n\n.*/, "", what)
	gsub(/\n/, " ", what)
	if (match(what, /^[A-Za-z ]+: /) && RLENGTH < 24) what = substr(what, RLENGTH + 1)
	if (match(what, /\. [A-Z]/)) what = substr(what, 1, RSTART)
	sub(/\.$/, "", what)
	print ".\\\" SPDX-License-Identifier: Apache-2.0"
	print ".\\\" Made of " header " by cmake/header_page.awk."
	print ".Dd " date
	print ".Dt " toupper(name) " 3"
	print ".Os"
	print ".Sh NAME"
	count = split(name (functions ? ", " functions : ""), names, ", ")
	for (i = 1; i <= count; i++) print ".Nm " names[i] (i < count ? " ," : "")
	print ".Nd " plain(what)
	print ".Sh SYNOPSIS"
	print ".In " header
	print ".Pp"
	print ".Li cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs kryos)"
	print ".Sh DESCRIPTION"
	tell(first)
	for (i = 1; i <= piece; i++) {
		print ".Ss " headings[i]
		print ".Bd -literal"
		gsub(/KRYOS_(API|EXPORT) /, "", codes[i])
		gsub(/\n +/, "\n        ", codes[i]) # parameters that go on, aligned with what was taken away
		gsub(/\t/, "    ", codes[i])
		count = split(codes[i], lines, "\n")
		for (j = 1; j <= count; j++) print plain(lines[j])
		print ".Ed"
		if (texts[i] != "") { print ".Pp"; tell(texts[i]) }
	}
	print ".Sh SEE ALSO"
	print name == "kryos_base" ? ".Xr kryos 7" : ".Xr kryos_base 3 ,\n.Xr kryos 7"
}
