# SPDX-License-Identifier: Apache-2.0
"""A machine whose clock starts in 2000, first without network, then with network and without time. Then its time comes
by NTP; then it loses the network, the cable and the broker, again and again. What it said it had accepted is compared with
what a subscriber on this host has in the end."""

import io
import json
import os
import tarfile
import time

from broker import Broker, TimeServer, Watcher
from machine import Failed

OUTAGE = 6        # seconds of each; longer than ack_timeout
TOLERANCE = 2     # seconds, of a time that was corrected

STATION = """[station]
name = Network
[sensor room]
address = bme280@BUS:0x76
place = ambient
every = 1s
[store]
path = /run/kryos/store
[watchdog]
device = none
[relay programme]
url = mqtts://10.0.2.2:%d
ca = /run/kryos/tls/ca.crt
cert = /run/kryos/tls/device.crt
key = /run/kryos/tls/device.key
rate = 100
keepalive = 5s
ack_timeout = 3s
backoff_max = 2s
"""
RECORD = r'^(\{"time":.*"epoch":"\w*"\})$'   # as kryosctl tail and export have it
# rtcsync: without it chrony leaves the kernel marked as not synchronised.
CHRONY = """server 10.0.2.2 port %d iburst minpoll 2 maxpoll 4
makestep 1 -1
rtcsync
cmdport 0
bindcmdaddress /
pidfile /run/chronyd.pid
"""


class Bench:
    def __init__(self, case, machine, broker, watcher):
        self.case, self.machine, self.broker, self.watcher = case, machine, broker, watcher
        self.accepted = {}  # id: (time.time() when this host was told, what it was told)

    def listen(self, until="$^", seconds=1.0):
        """Takes lines of the console for so many seconds, or until there is one with this: its match."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                match, _ = self.machine.expect(RECORD + "|" + until, deadline - time.monotonic())
            except Failed:
                if self.machine.ended:
                    raise
                break
            if not match[1]:
                return match
            record = json.loads(match[1])
            self.accepted.setdefault(identity(record), (time.time(), record))
        return None

    def wait(self, until, seconds=90):
        match = self.listen(until, seconds)
        if not match:
            raise Failed('no line with "%s" within %d s' % (until, seconds))
        return match

    def missing(self):
        return self.accepted.keys() - {identity(record) for _, record in self.watcher.records("sample")}

    def delivered(self, what, seconds=90):
        """All that is accepted by now arrives."""
        owed, deadline = set(self.accepted), time.monotonic() + seconds
        while owed & self.missing() and time.monotonic() < deadline:
            self.listen()
        lost = len(owed & self.missing())
        self.case.ok(not lost, what + ": all arrives" + (", but %d of %d do not" % (lost, len(owed)) if lost else ""))

    def outage(self, what, begin, end):
        begin()
        self.wait("programme: link down", 60)
        self.listen(seconds=OUTAGE)
        before = len(self.missing())
        end()
        self.wait("programme: link up")
        self.delivered("%s, %d wait" % (what, before))


def identity(record):
    return record["epoch"], record["seq"]


def value(record):
    """Of a SenML record, or one that kryosctl exports; where there is none, why."""
    quality = record["quality"]
    return record.get("v", record.get("value")) if quality == "good" else quality


def files(folder, tls, station, chrony):
    """A tar file with what the machine needs."""
    path = os.path.join(folder, "files.tar")
    with tarfile.open(path, "w") as tar:
        for name, text in (("station.ini", station), ("chrony.conf", chrony)):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
        for name in ("ca.crt", "device.crt", "device.key"):
            tar.add(os.path.join(tls, name), "tls/" + name)
    return path


def without_time(case, bench):
    machine = bench.machine
    bench.listen(seconds=8)
    case.ok(len(bench.accepted) >= 9, "it measures without time and network, and accepts (%d by now)" % len(bench.accepted))
    machine.send("network up")
    bench.wait(r"programme: link down: the clock is not set \(trust none\): .*not yet valid")
    case.ok(True, "the relay says that the clock is not set")
    machine.send("status_says '\"link\":\"waiting for the clock\"'")
    error = bench.wait(r'# status .*"error":"(the clock is not set[^"]*)')[2]
    case.ok(True, "so does the status: %s" % error)
    bench.listen(seconds=6)
    case.ok(all(told["trust"] == "none" for _, told in bench.accepted.values()), "no time is believed")
    case.ok(not bench.watcher.got, "nothing has arrived")


def with_time(case, bench):
    early = dict(bench.accepted)
    bench.machine.send("synchronise")
    bench.wait("programme: link up")
    bench.delivered("once the kernel is synchronised, %d wait" % len(early))
    arrived = {identity(record): record for _, record in bench.watcher.records("sample")}
    found = [arrived[one] for one in early if one in arrived]
    case.ok(all(record["trust"] == "synced" and "t" in record for record in found), "all of these have got their time")
    # One offset for all of them, which is what was corrected; this host was told of each some time after it was measured.
    offsets = {round(record["t"] - record["boottime"], 3) for record in found if "t" in record}
    case.ok(len(offsets) == 1, "as they were measured, by one offset (%s)" % offsets)
    late = [early[identity(record)][0] - record["t"] for record in found if "t" in record]
    case.ok(late and -0.5 < min(late) < TOLERANCE,
            "which is right: what is told soonest is told %.3f s after it was measured" % min(late or [-1]))
    told = [record for _, record in bench.watcher.records("event") if record["vs"] == "corrected"]
    case.ok(len(told) == 1 and round(told[0]["seconds"], 3) in offsets, "the offset is told, too")
    return min(late or [-1])


def outages(bench):
    machine, broker = bench.machine, bench.broker
    for _ in range(2):
        bench.outage("the interface was down", lambda: machine.send("network down"), lambda: machine.send("network up"))
        bench.outage("the cable was out", lambda: machine.qmp("set_link", name="net", up=False),
                     lambda: machine.qmp("set_link", name="net", up=True))
        bench.outage("the broker was away", broker.stop, broker.start)


def count(case, bench):
    """The store, as it is exported at the end, beside what arrived."""
    reported = set(bench.accepted)
    bench.machine.send("stop")
    bench.machine.send("end")
    bench.wait("# case network ended")
    kept = set(bench.accepted)
    records = [record for _, record in bench.watcher.records("sample")]
    first = {}
    for record in records:
        first.setdefault(identity(record), record)
    lost, strangers = reported - first.keys(), first.keys() - kept
    case.ok(not lost, "nothing is lost")
    case.ok(not strangers, "nothing arrives that is not in the store")
    case.ok(all(value(first[identity(record)]) == value(record) and first[identity(record)]["boottime"] == record["boottime"]
                for record in records), "what arrives twice is the same")
    case.ok(all(value(record) == value(bench.accepted[one][1]) for one, record in first.items() if one in kept),
            "what arrives has the value that was stored")
    case.ok(all(record["trust"] == "synced" for record in records), "nothing arrives without its time")
    for stream in (True, False):
        numbers = [record["seq"] for record in first.values() if record["historical"] == stream]
        case.ok(numbers == sorted(numbers), "%s arrives in order (%d)" % ("backlog" if stream else "live", len(numbers)))
    rounds = sorted({record["round"] for record in first.values()})
    case.ok(rounds == list(range(1, len(rounds) + 1)), "no round is missing")
    return len(reported), len(first.keys() & reported), len(records) - len(first), len(lost)


def play(case):
    broker = Broker(case.folder)
    server = TimeServer(case.folder)
    watcher = None
    try:
        broker.start()
        watcher = Watcher(broker)
        tar = files(case.folder, broker.tls, STATION % broker.port, CHRONY % server.port)
        with case.boot("-rtc", "base=2000-01-01T00:00:00", "-netdev", "user,id=user",
                       "-device", "virtio-net-pci,netdev=user,id=net", "-fw_cfg",
                       "name=opt/kryos/network,file=" + tar) as machine:
            bench = Bench(case, machine, broker, watcher)
            machine.expect(RECORD, 120)
            without_time(case, bench)
            server.check()
            late = with_time(case, bench)
            outages(bench)
            case.say("accepted %d, delivered %d, twice %d, lost %d; times corrected to %.3f s" % (*count(case, bench), late))
    finally:
        if watcher:
            watcher.stop()
        server.stop()
        broker.stop()
