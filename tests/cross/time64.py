#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where a processor's time_t has 32 bits and ours 64, nothing that depends on it crosses to another library.

time64.py TRIPLE SYSROOT STAGE

Every header that src/ and drivers/ include from the target is read twice by the compiler's front end: as its libraries were
built, and as ours is. A function whose type is not the same in both, through every pointer and every member, may not be
called by what stands in STAGE; and of the C library only calls with 64-bit times are. It prints what each library has, and
exits with 1 if any of that is used.
"""
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

triple, root, stage = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
tree = Path(__file__).resolve().parents[2]
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def headers():
    """Those that we include and the target has, with the folders of it that they are found in."""
    found = set()
    for folder in ("src", "drivers"):
        for path in (tree / folder).rglob("*.[ch]"):
            found |= set(re.findall(r"#\s*include\s*<([^>]+)>", path.read_text()))
    folders = [root / "usr/include" / folder for folder in ("", triple, "cairo", "cjson")]
    return sorted(name for name in found if any((folder / name).exists() for folder in folders))


class Reading:
    """What the headers declare under these macros: functions, and for each type what it consists of."""

    def __init__(self, names, macros):
        source = "".join(f"#include <{name}>\n" for name in names)
        command = [shutil.which("clang-14") or "clang", f"--target={triple}", f"--sysroot={root}", "-D_GNU_SOURCE", *macros, "-I",
                   str(root / "usr/include/cairo"), "-fsyntax-only", "-Xclang", "-ast-dump=json", "-x", "c", "-"]
        done = subprocess.run(command, input=source, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"time64.py: {done.stderr.strip()}")
        self.functions, self.typedefs, self.records = {}, {}, {}
        self.known = {}
        file = None
        unnamed = {}
        for node in json.loads(done.stdout)["inner"]:
            file = self.file_of(node) or file
            kind, name = node["kind"], node.get("name")
            if kind == "RecordDecl" and node.get("completeDefinition"):
                members = [(m.get("name"), m["type"]["qualType"]) for m in node.get("inner", []) if m["kind"] == "FieldDecl"]
                unnamed[node["id"]] = members
                if name:
                    self.records[name] = members
            elif kind == "TypedefDecl":
                self.typedefs[name] = node["type"]["qualType"]
                for inner in node.get("inner", []):
                    owned = inner.get("ownedTagDecl") or inner.get("decl") or {}
                    if owned.get("id") in unnamed and not owned.get("name"):
                        self.records[name] = unnamed[owned["id"]]
            elif kind == "FunctionDecl":
                self.functions.setdefault(name, (file, node["type"]["qualType"]))

    @staticmethod
    def file_of(node):
        loc = node.get("loc", {})
        return loc.get("file") or loc.get("expansionLoc", {}).get("file")

    def consists_of(self, text, above=()):
        """The type with each typedef resolved and each record's members in their places, once on every way down."""
        key = text if not above else None
        if key in self.known:
            return self.known[key]
        out = []
        for word in WORD.findall(text):
            if word in above:
                out.append(word)
            elif word in self.records:
                members = [self.consists_of(kind, (*above, word)) for _, kind in self.records[word]]
                out.append(f"{word}{{{';'.join(members)}}}")
            elif word in self.typedefs and self.typedefs[word] != word:
                out.append(self.consists_of(self.typedefs[word], (*above, word)))
            else:
                out.append(word)
        result = " ".join(out) + "".join(c for c in text if c in "*[]()0123456789")
        if key:
            self.known[key] = result
        return result


def used():
    """Functions that the staged programs take from other libraries: {name: the C library's version, or None}."""
    result = {}
    for path in [*stage.glob("usr/lib/libkryos.so.*.*.*"), stage / "usr/sbin/cryo_daemon", stage / "usr/bin/kryosctl"]:
        text = subprocess.run(["readelf", "-W", "--dyn-syms", path], capture_output=True, text=True, check=True).stdout
        for line in text.splitlines():
            match = re.search(r" UND ([A-Za-z_0-9]+)(?:@(\S+))?", line)
            if match:
                version = match[2] if match[2] and match[2].startswith("GLIBC") else None
                result[match[1]] = version
    return result


def narrow_calls(names):
    """Calls of the C library for which it has another one with 64-bit times (it came with version 2.34)."""
    libc = next(path for path in (root / f"lib/{triple}/libc.so.6", root / f"usr/lib/{triple}/libc.so.6") if path.exists())
    text = subprocess.run(["readelf", "-W", "--dyn-syms", libc], capture_output=True, text=True, check=True).stdout
    wide = set(re.findall(r" (__[a-z0-9_]+(?:64|_time64))@@GLIBC_2\.34", text))
    if "__clock_gettime64" not in wide:
        sys.exit("time64.py: this C library has no 64-bit times; is the target one of 32 bits?")
    narrow = {re.sub(r"(64)?_time64$|64$", "", name[2:]) for name in wide}
    return sorted(name for name, version in names.items() if version and name in narrow)


names = headers()
narrow = Reading(names, [])
wide = Reading(names, ["-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64"])
calls = used()
libraries = {}
bad = False
for name, (file, kind) in wide.functions.items():
    if name not in narrow.functions or not file:
        continue
    # "openssl/ssl.h" is openssl's, "gpiod.h" gpiod's.
    library = Path(file).relative_to(root / "usr/include").parts[0].removesuffix(".h") if file.startswith(str(root)) else file
    library = library if library != triple else "/".join(Path(file).relative_to(root / "usr/include" / triple).parts[:1])
    called = name in calls and calls[name] is None
    count = libraries.setdefault(library, {"all": 0, "called": 0, "time": []})
    count["all"] += 1
    count["called"] += called
    if narrow.consists_of(narrow.functions[name][1]) != wide.consists_of(kind):
        count["time"].append(name)
        if called:
            print(f"FAILED: {library}: {name} is called, and a time crosses with it: {kind}")
            bad = True
for library, count in sorted(libraries.items()):
    if count["called"]:
        some = ", ".join(sorted(count["time"])[:6]) + (", ..." if len(count["time"]) > 6 else "")
        print(f"{library}: {count['called']} of {count['all']} functions are called; "
              + (f"a time would cross with {some}" if some else "no time would cross with any"))
for name in narrow_calls(calls):
    print(f"FAILED: {name} of the C library is called, whose times have 32 bits")
    bad = True
for name, version in sorted(calls.items()):
    if version is None and name not in wide.functions and not re.match(r"kryos_|_", name):
        print(f"FAILED: {name} is called, and no header declares it")
        bad = True

# What must be seen is: else the reading is wrong, and not the code right.
seen = {name for count in libraries.values() for name in count["time"]}
for name in ("gpiod_line_event_read", "X509_cmp_time", "clock_gettime"):
    if name in wide.functions and name not in seen:
        sys.exit(f"time64.py: {name} passes a time, and was not noticed")
called = sum(count["called"] for count in libraries.values())
if called < 50:
    sys.exit(f"time64.py: of all libraries only {called} functions seem to be called")
sys.exit(bad)
