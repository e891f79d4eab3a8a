# SPDX-License-Identifier: Apache-2.0
"""The machine's initramfs: busybox, our programs with the libraries they need, the kernel's modules, the cases.

What goes in is named in tests/vm/guest/contents. It is made again only if something of it changed."""

import glob
import os
import re
import shutil
import stat
import subprocess

VM = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def contents():
    """(word, name) of each line: "program kryosctl", "module ext4"."""
    with open(os.path.join(VM, "guest/contents")) as file:
        lines = [line.split("#")[0].split() for line in file]
    return [tuple(line) for line in lines if line]


def search_path(build):
    """Where programs are: ours first, then those of the machine's architecture, or what the packages brought and then
    the system's."""
    folders = [os.path.join(build, "guest", folder) for folder in
               ("vm", "tests", "examples/cryo_daemon", "examples/kryosctl")]
    sysroot = os.path.join(build, "sysroot")
    if os.path.isdir(sysroot):
        folders += [os.path.join(sysroot, folder) for folder in ("usr/bin", "usr/sbin", "bin", "sbin")]
    else:
        folders.append(os.environ["PATH"])
    return os.pathsep.join(folders)


def program(name, build):
    found = shutil.which(name, path=search_path(build))
    if not found:
        raise SystemExit("tests/vm/guest/contents: no program %s" % name)
    return found


def libraries(path, build):
    """The shared libraries of a program, and the loader: {name in the machine: file}."""
    sysroot = os.path.join(build, "sysroot")
    if os.path.isdir(sysroot):
        folders = [found for pattern in ("lib/*-linux-*", "usr/lib/*-linux-*")
                   for found in glob.glob(os.path.join(sysroot, pattern))]
        return foreign_libraries(path, [os.path.join(build, "guest")] + folders)
    result = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = {}
    for line in result.stdout.splitlines():
        match = re.match(r"\s*(\S+)(?: => (\S+))? \(0x", line)
        if match and match[1].startswith("/"):
            found[match[1]] = match[1]
        elif match and match[2]:
            found["/lib/" + match[1]] = match[2]
        elif "not found" in line:
            raise SystemExit("%s: %s" % (path, line.strip()))
    return found


def foreign_libraries(path, folders):
    """The same for a program that cannot run here, as ldd would have it: from what the files say that they need."""
    found, wanted = {}, [path]
    while wanted:
        text = subprocess.run(["readelf", "-W", "-l", "-d", wanted.pop()], stdout=subprocess.PIPE, text=True).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]|interpreter: /lib/(.*)\]", text):
            name = name[0] or name[1]
            if "/lib/" + name in found:
                continue
            files = [os.path.join(folder, name) for folder in folders if os.path.exists(os.path.join(folder, name))]
            if not files:
                raise SystemExit("%s: needs %s, which is nowhere in %s" % (path, name, ", ".join(folders)))
            found["/lib/" + name] = files[0]
            wanted.append(files[0])
    return found


def modules(names, build, release):
    """The modules with all they depend on, in {name in the machine: file}, and the text of modules.dep."""
    files, depends, wanted, text = {}, {}, list(names), []
    for top in (os.path.join(build, "modules"), os.path.join(build, "kernel/lib/modules", release, "kernel")):
        for folder, _, entries in os.walk(top):
            for entry in entries:
                if entry.endswith(".ko"):
                    files.setdefault(entry[:-3].replace("-", "_"), os.path.join(folder, entry))
    while wanted:
        name = wanted.pop().replace("-", "_")
        if name in depends:
            continue
        if name not in files and not release.endswith("-amd64"):
            continue  # Debian's kernels differ in this: the case that loads it is skipped, and says so
        if name not in files:
            raise SystemExit("tests/vm/guest/contents: Linux %s has no module %s" % (release, name))
        with open(files[name], "rb") as file:
            match = re.search(rb"\0depends=([^\0]*)\0", file.read())
        depends[name] = [other for other in (match[1].decode() if match else "").split(",") if other]
        wanted += depends[name]

    def all_of(name):  # what is loaded first stands last
        return [other for one in depends[name] for other in [one.replace("-", "_")] + all_of(one.replace("-", "_"))]

    for name in sorted(depends):
        text.append("%s.ko:%s" % (name, "".join(" %s.ko" % other for other in dict.fromkeys(reversed(
            list(dict.fromkeys(reversed(all_of(name)))))))))
    return {"/lib/modules/%s/%s.ko" % (release, name): files[name] for name in depends}, "\n".join(text) + "\n"


def tree(build, release, unit):
    """All of the initramfs, with the unit tests or without: {name: file, or bytes, or None for a folder, or
    ("link", target)}."""
    entries = {"/" + folder: None for folder in
               ("bin", "sbin", "lib", "lib64", "dev", "proc", "sys", "run", "tmp", "etc", "root", "vm")}
    entries["/bin/busybox"] = program("busybox", build)
    named = contents()
    places = {name: "/bin/" for name in
              [name for word, name in named if word == "program"] + sorted(os.listdir(os.path.join(build, "guest/vm")))}
    if unit:
        for source in glob.glob(os.path.join(os.path.dirname(VM), "unit/*_test.c")):
            if not os.path.basename(source).startswith("report_"):  # the machine has no reports
                places[os.path.basename(source)[:-2]] = "/unit/"
    others = [name for word, name in named if word == "program"] if not release.endswith("-amd64") else []
    for name, place in places.items():
        if name in others and not shutil.which(name, path=search_path(build)):
            continue  # not unpacked for another processor: the cases that need it are not for that
        path = program(name, build)
        entries[place + name] = path
        entries.update(libraries(path, build))
    found, text = modules([name for word, name in named if word == "module"], build, release)
    entries.update(found)
    entries["/lib/modules/%s/modules.dep" % release] = text.encode()
    entries["/lib/modules/%s/modules.builtin" % release] = os.path.join(build, "kernel/lib/modules", release,
                                                                        "modules.builtin")
    for folder in ("guest", "cases"):
        for name in sorted(os.listdir(os.path.join(VM, folder))):
            if not name.endswith((".c", ".py")):
                entries["/vm/%s/%s" % (folder, name)] = os.path.join(VM, folder, name)
    entries["/init"] = ("link", "/vm/guest/init")
    for name in list(entries):
        while os.path.dirname(name) != "/":
            name = os.path.dirname(name)
            entries.setdefault(name, None)
    return entries


def write_cpio(file, entries):
    """The "newc" format of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst; all is root's."""
    def put(name, mode, data):
        fields = [put.number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        put.number += 1
        file.write(b"070701" + b"".join(b"%08x" % field for field in fields))
        file.write(name.encode() + b"\0" * (4 - (len(name) + 2) % 4))
        file.write(data + b"\0" * (-len(data) % 4))
    put.number = 1
    for name in sorted(entries):
        what = entries[name]
        if what is None:
            put(name[1:], stat.S_IFDIR | 0o755, b"")
        elif isinstance(what, tuple):
            put(name[1:], stat.S_IFLNK | 0o777, what[1].encode())
        elif isinstance(what, bytes):
            put(name[1:], stat.S_IFREG | 0o644, what)
        else:
            with open(what, "rb") as source:
                put(name[1:], stat.S_IFREG | 0o755, source.read())
    put("TRAILER!!!", 0, b"")


def pack(build, release, unit):
    """The initramfs' file. Not compressed: to unpack it would take the emulated processor longer than to load it."""
    entries = tree(build, release, unit)
    path = os.path.join(build, "initramfs")

    def state(what):
        if not isinstance(what, str):
            return repr(what)
        status = os.stat(what)
        return "%s %d %d" % (what, status.st_size, status.st_mtime_ns)
    inputs = "".join("%s %s\n" % (name, state(what)) for name, what in sorted(entries.items()))
    try:
        with open(path + ".inputs") as file:
            if file.read() == inputs and os.path.exists(path):
                return path
    except FileNotFoundError:
        pass
    with open(path + ".new", "wb") as file:
        write_cpio(file, entries)
    os.replace(path + ".new", path)
    with open(path + ".inputs", "w") as file:
        file.write(inputs)
    return path
