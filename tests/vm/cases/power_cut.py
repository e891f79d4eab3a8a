# SPDX-License-Identifier: Apache-2.0
"""cryo_daemon on ext4 on a virtio disk, and the power switch. After each cut, a copy of the disk is read on this host:
all readings that the daemon had reported by then are there. The disk itself is left to kernel and daemon of the next
cycle."""

import os
import random
import shutil
import time

import disk
import pack
from ledger import Ledger
from machine import Failed

CYCLES = 100
CONTROLS = 5           # cycles with a store that does not sync, which together must lose something
STEP_S = 20            # from row to row of a trace
BEGIN = 1783987200     # 2026-07-14T00:00:00Z
ENDED = "# the daemon ended"


def options(image):
    try:
        os.close(os.open(image, os.O_RDWR | os.O_DIRECT))
        cache = "none"
    except OSError:  # a file system without O_DIRECT
        cache = "writeback"
    # vmgenid: the kernel begins its random numbers anew, though it goes on from the same state each time.
    return ["-drive", "file=%s,if=none,id=disk,format=raw,cache=%s" % (image, cache),
            "-device", "virtio-blk-pci,drive=disk", "-device", "vmgenid,guid=auto"]


def save(case, image, state):
    """Boots once, and saves the machine where it waits."""
    with case.boot(*options(image), memory=160) as machine:
        machine.expect("# waiting")
        machine.qmp("migrate", uri="exec:cat >" + state)
        wait_for(lambda: machine.qmp("query-migrate").get("status") == "completed", "the machine's state is not saved")


def wait_for(condition, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed("%s within %d s" % (what, seconds))
        time.sleep(0.01)


class Bench:
    """A disk, and the cycles on it."""

    def __init__(self, case, seed, preload, fast):
        self.case, self.random, self.preload = case, random.Random(seed), preload
        self.image, self.state = os.path.join(case.folder, "disk"), os.path.join(case.folder, "state")
        self.copy, self.folder = os.path.join(fast, "disk"), os.path.join(fast, "files")
        self.ledger = Ledger(lambda newest: max(self.next, newest + STEP_S), pack.program("kryosctl", case.build))
        self.next, self.kills, self.unready, self.closing = BEGIN, 0, 0, 0
        disk.make(self.image, 64)

    def cycle(self):
        where = "kill %d" % (self.kills + 1)
        with self.case.boot(*options(self.image), "-incoming", "exec:cat " + self.state, memory=160) as machine:
            wait_for(lambda: machine.qmp("query-status")["status"] == "running", "the machine does not go on")
            machine.send("%d %s" % (self.next, self.preload))
            machine.expect("# switched on")
            # A fifth of the cuts come while the file system and the store recover from the one before.
            if self.random.random() < 0.2:
                wanted, pause = 0, self.random.uniform(0, 0.6)
            else:
                wanted, pause = self.random.randint(1, 100), self.random.uniform(0, 0.05)
            found = 0
            while found < wanted:
                match, _ = machine.expect("good$|" + ENDED)
                if match[0] == ENDED:
                    raise Failed("%s: %s" % (where, match.string))
                found += self.ledger.report(match.string)
            time.sleep(pause)
            machine.kill()
            # What the machine had sent by then counts, whether it was looked at or not.
            while not machine.lines.empty():
                line = machine.lines.get()
                found += bool(line) and self.ledger.report(line[1])
        self.kills += 1
        self.unready += found == 0
        self.verify(where)

    def verify(self, where):
        disk.copy(self.image, self.copy)
        folder = os.path.join(self.folder, "store")
        there = disk.files(self.copy, "store", self.folder)
        store = self.ledger.check(folder, where) if there else None
        if not there and self.ledger.accepted:
            self.ledger.problem(where, "there is no store")
        if store and store.rows:
            self.closing += store.open > 1 or any(name.endswith("-journal") for name in os.listdir(folder))
            self.next = max(self.next, store.newest_ns // 10**9)
        self.next += self.random.randint(1, 6) * STEP_S


def play(case):
    seed = int(os.environ.get("KRYOS_SEED") or random.SystemRandom().randrange(1, 10**9))
    cycles = case.setting.cycles or CYCLES
    with disk.fast_folder(case) as fast:
        bench = Bench(case, seed, "", fast)
        save(case, bench.image, bench.state)
        while bench.kills < cycles and not bench.ledger.problems and not bench.ledger.lost:
            bench.cycle()
        ledger = bench.ledger
        if ledger.problems or ledger.lost:
            shutil.copytree(bench.folder, os.path.join(case.folder, "failed"))
        case.say("KRYOS_SEED=%d: %d kills, %d before the first reading of a cycle, %d while a segment was closed; %s" %
                 (seed, bench.kills, bench.unready, bench.closing, ledger.figures()))
        ledger.judge(case)
        case.ok(ledger.accepted, "readings were accepted")
        control = Bench(case, seed, "/bin/libunsynced.so", fast)
        while control.kills < CONTROLS:
            control.cycle()
        control.ledger.judge_control(case, control.kills)
