# SPDX-License-Identifier: Apache-2.0
"""Boots somebody's whole system, a folder with its root, in the machine of tests/vm, whose kernel and tools
tests/vm/run has fetched; and prints what its /opt/try/script says on the console: lines "ok: ...", "FAILED: ..." and "# ...".

Usage: boot.py --build BUILD --release KERNEL --root FOLDER [--seconds LIMIT] [--module NAME]...

The modules named, and all they depend on, are put into the root first. 0: it went to its end, whatever it said; 1: it did
not; 77: there is no machine here."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import disk
import machine
import pack

# What the root's disk takes. The rest is in the root.
INIT = b"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in crc32c_generic virtio_pci virtio_blk ext4; do modprobe $module; done
mount -t ext4 /dev/vda /root && exec switch_root /root /lib/systemd/systemd
poweroff -f
"""
DISK = ("crc32c_generic", "virtio_pci", "virtio_blk", "ext4")

UNIT = """[Unit]
Description=What is tried on this system
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /opt/try/script
ExecStopPost=/bin/systemctl poweroff --no-block
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=default.target
"""


def put_modules(arguments):
    """The modules into the root, with what modprobe there needs; depmod is the root's."""
    files, _ = pack.modules(arguments.module, arguments.build, arguments.release)
    folder = os.path.join(arguments.root, "usr/lib/modules", arguments.release)
    os.makedirs(folder, exist_ok=True)
    for path in files.values():
        shutil.copy(path, folder)
    kernel = os.path.join(arguments.build, "kernel/lib/modules", arguments.release)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(os.path.join(kernel, name), folder)
    subprocess.run(["chroot", arguments.root, "/usr/sbin/depmod", arguments.release], check=True)


def put_unit(root):
    folder = os.path.join(root, "etc/systemd/system")
    with open(os.path.join(folder, "kryos-try.service"), "w") as file:
        file.write(UNIT)
    wants = os.path.join(folder, "default.target.wants")
    os.makedirs(wants, exist_ok=True)
    for link, target in ((wants + "/kryos-try.service", "../kryos-try.service"),
                         (folder + "/serial-getty@ttyS0.service", "/dev/null"),
                         (folder + "/default.target", "/usr/lib/systemd/system/multi-user.target")):
        if not os.path.lexists(link):
            os.symlink(target, link)


def initramfs(arguments, path):
    files, text = pack.modules(DISK, arguments.build, arguments.release)
    entries = {"/" + folder: None for folder in ("bin", "dev", "lib", "lib/modules", "proc", "root", "sys")}
    entries["/lib/modules/" + arguments.release] = None
    entries.update(files)
    entries["/lib/modules/%s/modules.dep" % arguments.release] = text.encode()
    entries["/bin/busybox"] = pack.program("busybox", arguments.build)
    with tempfile.NamedTemporaryFile() as init:
        init.write(INIT)
        init.flush()
        entries["/init"] = init.name
        with open(path, "wb") as file:
            pack.write_cpio(file, entries)


def megabytes(root):
    return int(subprocess.run(["du", "-sm", root], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--release", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--seconds", type=int, default=400)
    parser.add_argument("--module", action="append", default=[])
    arguments = parser.parse_args()
    ended = False

    def note(line, _):
        nonlocal ended
        found = re.search(r"(ok: |FAILED: |# ).*", line)
        if found:
            print(found.group(0), flush=True)
            ended = ended or found.group(0) == "# ended"

    put_modules(arguments)
    put_unit(arguments.root)
    with tempfile.TemporaryDirectory(prefix="kryos-boot-") as folder:
        image, ramfs = os.path.join(folder, "disk"), os.path.join(folder, "initramfs")
        disk.make(image, megabytes(arguments.root) * 5 // 4 + 200, content=arguments.root)
        initramfs(arguments, ramfs)
        with open(os.path.join(os.path.dirname(arguments.root), "console.log"), "w") as log, \
                machine.Machine(arguments.build, ramfs, log, note, memory=768,
                                options=["-drive", "file=%s,if=virtio,format=raw,cache=unsafe" % image]) as booted:
            try:
                booted.wait(arguments.seconds)
            except machine.Failed as error:
                print("# %s" % error)
    return 0 if ended else 1


if __name__ == "__main__":
    sys.exit(main())
