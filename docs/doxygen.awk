# SPDX-License-Identifier: Apache-2.0
# Gives Doxygen the headers with their plain comments as it wants them: what stands before something, and what stands
# behind it on its line. The first comment behind the licence is the file's.
function plain(text) {
	gsub(/[\\@<>]/, "\\\\&", text)
	return text
}
/SPDX-License-Identifier/ { print ""; next }
inside { # a comment that goes on
	if (match($0, /\*\//)) {
		inside = 0
		print plain(substr($0, 1, RSTART - 1)) substr($0, RSTART)
	} else
		print plain($0)
	next
}
{
	at = index($0, "/*")
	if (!at) { print; next }
	before = substr($0, 1, at - 1)
	text = substr($0, at + 2)
	mark = before ~ /[^ \t]/ ? "/**<" : "/**"
	if (!files++) mark = "/** \\file\n"
	if (match(text, /\*\//)) text = plain(substr(text, 1, RSTART - 1)) substr(text, RSTART)
	else { text = plain(text); inside = 1 }
	print before mark text
}
