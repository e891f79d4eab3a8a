# SPDX-License-Identifier: Apache-2.0
"""The host's part of "watchdog": one machine that its watchdogs reset six times. Times are this host's: a line of the
console when it is read, the reset when QEMU did it. A pet is when the machine's kernel says, whose clock is compared with
this host's by the line that came soonest; a line that came late would make the reset look sooner than it was."""

import json
import os
import re
import shutil
import time

import disk
import pack
from broker import Broker, Watcher
from ledger import Ledger
from machine import Failed

ALONE = True
TIMEOUT = 15  # s, in the station file too
DEADLINE = 5  # of a task
BUSY = 2      # how late a bare petter's reset may be, on a host that can measure anything
STATION = """[station]
name = Watchdog
[sensor fridge]
address = ds18b20@w1:28-010000000001
place = vaccine
every = 2s
[sensor room]
address = bme280@@bus@:0x76
place = ambient
every = 1s
[store]
path = /data/store
[watchdog]
device = @dog@
timeout = @timeout@
task = %ds
[relay up]
url = mqtts://10.0.2.2:%d
ca = /data/tls/ca.crt
cert = /data/tls/device.crt
key = /data/tls/device.key
backoff_max = 2s
"""


def make_disk(path, broker):
    """ext4 with what the machine needs."""
    content = path + ".content"
    os.makedirs(os.path.join(content, "tls"))
    with open(os.path.join(content, "station.ini"), "w") as file:
        file.write(STATION % (DEADLINE, broker.port))
    with open(os.path.join(content, "boot"), "w") as file:
        file.write("0\n")
    for name in ("ca.crt", "device.crt", "device.key"):
        copy = shutil.copy(os.path.join(broker.tls, name), os.path.join(content, "tls"))
        os.chmod(copy, 0o600)
    disk.make(path, 64, content=content)


NOBODY = "watchdog reset; no task was named: process gone, or a disk that hung"
RESTARTS = [  # of each run of the daemon that had a watchdog, why it began
    "watchdog reset; nothing is known of a run before",
    NOBODY,  # killed
    NOBODY,  # stopped
    r"task relay up was late by 0\.\d s; hardware reset",
    "clean stop",
    "process gone: killed or power lost",  # softdog has nothing that outlives its reset
    NOBODY,  # the disk hung
    "clean stop",
    "clean stop",
]


SILENCE = 5  # s, the longest that no sample of a channel is stored while all is well: two rounds, and a busy host


class Story:
    """The machine's lines, boot after boot."""

    def __init__(self, case, machine):
        self.case, self.machine = case, machine
        self.number = 1  # of the boot
        self.stored = []  # (when, id, channel) of each sample that was seen in the store
        self.pets = []  # (the kernel's stamp, how far this host's clock is ahead of it) of this boot
        self.booted = 0.0
        self.after_pet = []  # each reset after the last pet, in s

    def until(self, pattern, seconds=120):
        """As Machine.expect, and keeps what it passes by; when it was."""
        end = self.machine.seconds() + seconds
        while True:
            match, at = self.machine.expect(r"^# pet ([0-9.]+ [0-9.]+)$|^# stored (.*)|(%s)|^# boot .*" % pattern,
                                            end - self.machine.seconds())
            if match[1]:
                stamp, now = map(float, match[1].split())
                self.pets.append((stamp, at - now))
            elif match[2]:
                try:
                    record = json.loads(match[2])
                except ValueError:  # the reset came in the middle of the line
                    continue
                self.stored.append((at, identity(record), record["channel"]))
            elif match[3]:
                return at
            else:
                raise Failed('a boot instead of "%s": %s' % (pattern, match[0]))

    def last_pet(self):
        """When the hardware was petted last."""
        return self.pets[-1][0] + min(ahead for _, ahead in self.pets)

    def boot(self, status):
        self.booted = self.until("^# boot %d bootstatus %d$" % (self.number, status))

    def reset(self, what, limit, since=None, status=32):
        """The next reset, and the boot after it, whose hardware says status. It must come within limit of since, or of
        the last pet. Returns when it came."""
        at = self.machine.event("RESET", limit + 60)
        while at is not None and at < self.booted:  # the firmware resets some devices once more
            at = self.machine.event("RESET", limit + 60)
        if at is None:
            raise Failed("%s: no reset" % what)
        self.number += 1
        self.boot(status)
        pet = self.last_pet()
        self.pets = []
        took, after_pet = at - (since or pet), at - pet
        self.case.ok(took <= limit, "%s: reset after %.2f s, %.2f s after the last pet; at most %.2f s" %
                     (what, took, after_pet, limit))
        self.after_pet.append(after_pet)
        return at

    def goes_on(self, what, since, until):
        """The fridge was measured and its samples were accepted all the time."""
        accepted = [at for at, _, channel in self.stored if channel == "fridge.temperature" and since < at < until]
        times = [since] + accepted + [until]
        longest = max(later - earlier for earlier, later in zip(times, times[1:]))
        self.case.ok(longest <= SILENCE, "%s: %d samples were accepted meanwhile, at most %.1f s apart" %
                     (what, len(accepted), longest))

    def delivers(self, what, watcher, since, until):
        """The relay brought samples of the fridge to the broker all the time."""
        switched_on = time.time() - self.machine.seconds()
        arrived = [at - switched_on for at, one in watcher.records("sample") if one["n"] == "fridge.temperature"]
        times = [since] + [at for at in arrived if since < at < until] + [until]
        longest = max(later - earlier for earlier, later in zip(times, times[1:]))
        self.case.ok(longest <= SILENCE, "%s: %d samples arrived meanwhile, at most %.1f s apart" %
                     (what, len(times) - 2, longest))


def identity(record):
    return record["epoch"], record["seq"]


def read_disk(case, path):
    """What the store has in the end, read on this host: ids of samples, and the events."""
    folder = path + ".after"
    if not disk.files(path, "store", folder):
        raise Failed("there is no store on the disk")
    ledger, output = Ledger(None, pack.program("kryosctl", case.build)), []
    for option in ([], ["--events"]):
        result = ledger.ask("--store", os.path.join(folder, "store"), "export", "--json", *option)
        if result.returncode != 0:
            raise Failed("kryosctl export: %s" % result.stderr.strip())
        output.append([json.loads(line) for line in result.stdout.splitlines()])
    samples, events = output
    return {identity(sample) for sample in samples}, events


def check_restarts(case, what, found):
    """found: (text, code) of each."""
    texts = [text for text, _ in found]
    case.ok(len(found) == len(RESTARTS) and all(re.fullmatch(one, text) for one, text in zip(RESTARTS, texts)),
            "%s has once for each start why it was: %s" % (what, "; ".join(texts)))
    case.ok(all((code == 32) == ("reset" in text) for text, code in found), "%s has what the hardware says" % what)


def play(case):
    broker = Broker(os.path.join(case.folder, "host"))
    broker.start()
    watcher = Watcher(broker)
    try:
        reset_again_and_again(case, broker, watcher)
    finally:
        watcher.stop()
        broker.stop()


def reset_again_and_again(case, broker, watcher):
    image = os.path.join(case.folder, "disk")
    make_disk(image, broker)
    with case.boot("-device", "i6300esb", "-device", "ib700", "-action", "watchdog=reset",
                   "-drive", "file=%s,if=virtio,format=raw" % image,
                   "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net", reboots=True) as machine:
        machine.qmp("query-status")
        story = Story(case, machine)
        if not tell(case, story, watcher):
            return
        case.finish(machine, 120)
        machine.wait()
    samples, events = read_disk(case, image)
    seen = {one for _, one, _ in story.stored}
    lost = len(seen - samples)
    case.ok(len(seen) > 50 and lost == 0, "of %d samples seen in the store, %d were lost" % (len(seen), lost))
    check_restarts(case, "the store", [(one["text"], one["code"]) for one in events if one["event"] == "restart"])
    told = {identity(one): (one["text"], one.get("code", 0))
            for _, one in watcher.records("event") if one["vs"] == "restart"}
    check_restarts(case, "the broker", list(told.values()))
    case.say("%d resets, the slowest %.2f s after the last pet (a bare petter's %.2f s); %d of %d samples lost" %
             (len(story.after_pet), max(story.after_pet), story.after_pet[0], lost, len(seen)))


def tell(case, story, watcher):
    """False where this host is too busy to measure anything."""
    story.boot(0)
    story.until("^# killed")
    story.reset("control, a bare petter that is killed", 2 * TIMEOUT)
    # On a busy host all that is emulated comes late. The daemon's must not come later than the bare petter's.
    slowest = max(TIMEOUT, story.after_pet[0])
    if slowest > TIMEOUT + BUSY:
        case.skips.append("watchdog: this host is too busy: a bare petter's reset comes %.1f s late" % (slowest - TIMEOUT))
        return False
    limit = slowest + 1
    story.until("^# killed")
    story.reset("the daemon is killed", limit)
    story.until("^# stopped")
    story.reset("the daemon is stopped", limit)

    held = story.until("^# held")
    named = story.until("^error: watchdog: task relay up: .*; named in late.rec; petting has stopped", 60)
    case.ok(named - held <= DEADLINE + 1, "a hung task: named on the disk after %.2f s" % (named - held))
    at = story.reset("a hung task", DEADLINE + limit, since=held)
    story.goes_on("a hung task", held, at)

    hung = story.until("^# the bus hangs")
    at = story.until("^# told to stop")
    story.goes_on("a bus that hangs in the kernel", hung, at)
    story.delivers("a bus that hangs in the kernel", watcher, hung, at)
    stopped = story.until("^# stopped")
    at = story.until("^# no reset")
    case.ok(at - stopped > TIMEOUT + 5, "a clean stop: no reset for %.1f s" % (at - stopped))
    story.until("^# killed")
    # A timer of the machine's own kernel, which is as late as a busy host lets the machine be.
    story.reset("softdog, the daemon is killed", limit + 6, status=0)

    frozen = story.until("^# frozen")
    # Nothing hangs before there is something to write, which the next round has: a second at most.
    story.reset("the disk hangs", 1 + DEADLINE + limit, since=frozen)
    return True
