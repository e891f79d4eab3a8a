# SPDX-License-Identifier: Apache-2.0
"""A machine's disk as a file of this host: an ext4 file system that is made, repaired and read without mounting it."""

import os
import shutil
import subprocess
import tempfile

from machine import Failed

BLOCK = 4096
LIMIT = 300     # s, for a program of this host that reads or repairs what a machine has written
temporary = []  # all fast_folder() of this process, for its end by a signal


def run(*command, good=(0,)):
    """A program of e2fsprogs; its output. LC_ALL is C already."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, timeout=LIMIT)
    if result.returncode not in good:
        said = result.stdout.strip()[-400:]
        raise Failed("%s ended with status %d: %s" % (" ".join(command[:2]), result.returncode, said))
    return result.stdout


def make(path, megabytes, behind=0, content=None):
    """A sparse file with a file system that holds what the folder content does, and behind it so many megabytes that are
    not the file system's."""
    with open(path, "wb") as file:
        file.truncate((megabytes + behind) << 20)
    # All of it now: the kernel would initialise the rest in the background, as more writes that are none of ours.
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-E",
        "lazy_itable_init=0,lazy_journal_init=0,nodiscard", *(["-d", content] if content else []), path,
        str((megabytes << 20) // BLOCK))


def copy(source, target):
    """Without what was never written, which is most of it."""
    with open(source, "rb") as old, open(target, "wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        at = 0
        while at < size:
            try:
                at = os.lseek(old.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing more
                break
            end = os.lseek(old.fileno(), at, os.SEEK_HOLE)
            os.lseek(new.fileno(), at, os.SEEK_SET)
            while at < end:
                at += os.sendfile(new.fileno(), old.fileno(), at, end - at)


def files(image, name, folder):
    """The folder of that name in the file system, as folder; the image is repaired. False if there is none.

    As after any power cut: first the file system's own journal. What else there is e2fsck may mend, but not give up
    (4 and above: e2fsck(8))."""
    run("e2fsck", "-fy", image, good=(0, 1))
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    run("debugfs", "-R", "rdump /%s %s" % (name, folder), image)
    return os.path.isdir(os.path.join(folder, name))


def fast_folder(case):
    """For files that are read and thrown away again, in memory where there is such a place; a context manager."""
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else case.folder
    folder = tempfile.TemporaryDirectory(prefix="kryos-vm-", dir=where)
    temporary.append(folder)
    return folder
