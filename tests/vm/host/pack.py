# SPDX-License-Identifier: Apache-2.0
"""The machine's initramfs: busybox, our programs with the libraries they need, the kernel's modules, the cases.

What goes in is named in tests/vm/guest/contents. It is made again only if something of it changed."""

import os
import re
import shutil
import stat
import subprocess

VM = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def contents():
    """(word, name) of each line: "program i2ctransfer", "module ext4"."""
    with open(os.path.join(VM, "guest/contents")) as file:
        lines = [line.split("#")[0].split() for line in file]
    return [tuple(line) for line in lines if line]


def search_path(build):
    """Where programs are: ours first, then what the packages brought, then the system's."""
    folders = ("vm", "tests", "examples/cryo_daemon", "examples/kryosctl")
    return os.pathsep.join([os.path.join(build, "guest", folder) for folder in folders] + [os.environ["PATH"]])


def program(name, build):
    found = shutil.which(name, path=search_path(build))
    if not found:
        raise SystemExit("tests/vm/guest/contents: no program %s" % name)
    return found


def libraries(path):
    """The shared libraries of a program, and the loader: {name in the machine: file}."""
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


def tree(build, release):
    """All of the initramfs: {name: file, or bytes, or None for a folder, or ("link", target)}."""
    entries = {"/" + folder: None for folder in
               ("bin", "sbin", "lib", "lib64", "dev", "proc", "sys", "run", "tmp", "etc", "root", "vm")}
    busybox = program("busybox", build)
    for applet in subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True).stdout.split():
        entries["/bin/" + applet] = ("link", "busybox")
    entries["/bin/busybox"] = busybox
    named = contents()
    ours = os.path.join(build, "guest/vm")
    for name in [name for word, name in named if word == "program"] + sorted(os.listdir(ours)):
        path = program(name, build)
        entries["/bin/" + name] = path
        entries.update(libraries(path))
    found, text = modules([name for word, name in named if word == "module"], build, release)
    entries.update(found)
    entries["/lib/modules/%s/modules.dep" % release] = text.encode()
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


def pack(build, release):
    """The initramfs' file. Not compressed: to unpack it would take the emulated processor longer than to load it."""
    entries = tree(build, release)
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
