# SPDX-License-Identifier: Apache-2.0
"""All that cryo_daemon on ext4 writes to its disk is logged by QEMU (blklogwrites), and then the disk is made again,
without booting, as a power cut at each flush could have left it: all writes up to that flush, and of those after it,
until the next, a random half, some of them only in part. What the daemon had reported by then is there, and the store
can be written to."""

import bisect
import os
import random
import shutil
import struct
import subprocess

import disk
import pack
from ledger import Ledger
from machine import Failed

ROUNDS, CONTROL_ROUNDS = 60, 12
CUTS = 500             # at least
MEGABYTES, BEHIND = 32, 1
START = 1783987200     # 2026-07-14T00:00:00Z
FLUSH, DISCARD = 1, 4  # of a log entry's flags: include/linux/dm-log-writes.h has the format
SECTOR = 512


def record(case, image, log, rounds, preload):
    disk.make(image, MEGABYTES, BEHIND)
    base = image + ".base"
    disk.copy(image, base)
    open(log, "wb").close()
    blocks = ["driver=file,node-name=image,filename=" + image, "driver=file,node-name=log,filename=" + log,
              "driver=blklogwrites,node-name=disk,file=image,log=log,log-super-update-interval=1"]
    words = "START=%d ROUNDS=%d BEHIND=%d PRELOAD=%s" % (START, rounds, MEGABYTES << 20, preload)
    with case.boot(*[word for block in blocks for word in ("-blockdev", block)], "-device", "virtio-blk-pci,drive=disk",
                   words=words) as machine:
        # The power cut comes at once: without it, the file system would write in peace what was left.
        machine.expect("# recorded", 300)
        machine.kill()
    return base


def entries(log):
    """(flags, offset in the disk, data) of each."""
    with open(log, "rb") as file:
        magic, version, count, sector = struct.unpack("<QQQI", file.read(28))
        if magic != 0x6a736677736872 or version != 1:
            raise Failed("%s is not a log of writes" % log)
        file.seek(sector)
        for _ in range(count):
            at, length, flags, _ = struct.unpack("<QQQQ", file.read(sector)[:32])
            yield flags, at * sector, b"" if flags & DISCARD else file.read(length * sector)


class Replay:
    """The disk at each flush. Between two calls of cut() only what was written between them is written."""

    def __init__(self, base, log, random_):
        self.base, self.random = base, random_
        self.entries, self.flushes, self.markers = [], [], []
        self.done = 0
        for flags, offset, data in entries(log):
            if flags & FLUSH:
                self.flushes.append(len(self.entries))
            if flags & DISCARD and data:
                raise Failed("the machine discards blocks, which is not replayed")
            if offset >= MEGABYTES << 20:
                self.markers.append((len(self.entries), data.rstrip(b"\0")))
                data = b""
            self.entries.append((offset, data))

    def read_reports(self, ledger):
        """reported[i]: the index of the entry that says that the i-th reading is accepted."""
        self.reported, text = [], ""
        for index, data in self.markers:
            text += data.decode()
            *lines, text = text.split("\n")
            self.reported += [index for line in lines if ledger.report(line)]

    def cut(self, number, image):
        """Makes the image of a cut after that flush; how many readings had been reported before the next one."""
        end = self.flushes[number] + 1
        until = self.flushes[number + 1] if number + 1 < len(self.flushes) else len(self.entries)
        with open(self.base, "r+b") as file:
            for offset, data in self.entries[self.done:end]:
                file.seek(offset)
                file.write(data)
        self.done = end
        disk.copy(self.base, image)
        with open(image, "r+b") as file:
            for offset, data in self.entries[end:until]:
                if data and self.random.random() < 0.5:
                    sectors = len(data) // SECTOR
                    if sectors > 1 and self.random.random() < 0.25:
                        data = data[:self.random.randrange(1, sectors) * SECTOR]
                    file.seek(offset)
                    file.write(data)
        return bisect.bisect_left(self.reported, until)


def go_on(case, store, where, ledger, found):
    """cryo_daemon itself opens what the cut has left, and adds a round to it."""
    before = found.rows if found else {}
    folder = os.path.dirname(store)
    with open(os.path.join(folder, "station.ini"), "w") as file:
        file.write("[station]\nname = Bench\n[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\nplace = vaccine\n"
                   "[store]\npath = %s\n[watchdog]\ndevice = none\n" % store)
    with open(os.path.join(folder, "trace.csv"), "w") as file:
        file.write("time,celsius\n2026-12-31T00:00:00Z,5.5\n")
    result = subprocess.run([pack.program("cryo_daemon", case.build), "--config", os.path.join(folder, "station.ini"),
                             "--simulate", os.path.join(folder, "trace.csv"), "--once", "--print"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=disk.LIMIT)
    after = ledger.export(store, where + ", gone on")
    new = sorted(set(after) - set(before))
    gone = sorted(seq for seq in before if after.get(seq) != before[seq] and
                  (seq in after or not found.may_be_gone(seq)))
    if result.returncode or len(new) != 1 or new[0] <= max(before, default=0) or gone:
        ledger.problem(where, "the daemon does not go on: status %d, %s are new behind %d, %s are gone: %s" %
                       (result.returncode, new[:5], max(before, default=0), gone[:5], result.stderr.strip()[-400:]))


def replay(case, seed, rounds, preload, fast):
    """The ledger, how many cuts, and how many writes there were. Ends early where the store itself has failed."""
    image = os.path.join(case.folder, "control" if preload else "disk")
    log = image + ".log"
    base = record(case, image, log, rounds, preload)
    times = [START + 20 * i + (0 if i < 12 else 3300) for i in range(rounds)]  # as write_log.sh has them
    ledger = Ledger(lambda newest: min([at for at in times if at > newest], default=newest),
                    pack.program("kryosctl", case.build))
    replay = Replay(base, log, random.Random(seed))
    replay.read_reports(ledger)
    folder = os.path.join(fast, "files")
    store = os.path.join(folder, "store")
    cuts = 0
    for number in range(len(replay.flushes)):
        where = "KRYOS_SEED=%d, flush %d of %d" % (seed, number + 1, len(replay.flushes))
        count = replay.cut(number, os.path.join(fast, "disk"))
        there = disk.files(os.path.join(fast, "disk"), "store", folder)
        if not there:
            ledger.lost.update(seq for seq, _ in ledger.accepted[:count])
        else:
            found = ledger.check(store, where, count)
            if not preload:
                go_on(case, store, where, ledger, found)
        cuts += 1
        if not preload and (ledger.problems or ledger.lost):
            shutil.copytree(folder, os.path.join(case.folder, "failed"))
            break
    return ledger, cuts, sum(bool(data) for _, data in replay.entries)


def play(case):
    seed = int(os.environ.get("KRYOS_SEED") or random.SystemRandom().randrange(1, 10**9))
    with disk.fast_folder(case) as fast:
        ledger, cuts, writes = replay(case, seed, ROUNDS, "", fast)
        case.say("KRYOS_SEED=%d: %d cuts in %d writes; %s" % (seed, cuts, writes, ledger.figures()))
        ledger.judge(case)
        case.ok(cuts >= CUTS and len(ledger.accepted) == 5 * ROUNDS, "enough cuts, and all readings were reported")
        ledger, cuts, _ = replay(case, seed, CONTROL_ROUNDS, "/bin/libunsynced.so", fast)
        ledger.judge_control(case, cuts)
