# SPDX-License-Identifier: Apache-2.0
"""What a device said that it had accepted, against what is in its store: read by kryosctl, and once more by Python's
standard library and docs/store-format.md alone. The two must agree."""

import collections
import csv
import glob
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time

import disk

KEEP_S = 3600  # of the station in guest/power_cut.sh: the age above which a segment is removed
# What cryo_daemon --print says of a good measurement; no part of a line that the power cut ended matches.
LINE = re.compile(r"(\d+)  (\S+) synced  (\S+)  (\S+) \S+  good$")
Row = collections.namedtuple("Row", "time channel value")


def time_text(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // 10**9))


def value_text(micro):
    text = "%s%d.%06d" % ("-" if micro < 0 else "", abs(micro) // 10**6, abs(micro) % 10**6)
    return text.rstrip("0").rstrip(".")


class Store:
    """A store's folder, read with SQLite. It is changed: SQLite recovers what a cut left."""

    def __init__(self, folder):
        self.rows, self.problems, self.dropped = {}, [], []
        self.sealed = self.open = self.newest_ns = 0
        names = sorted(glob.glob(os.path.join(folder, "*.seg")))
        for name in glob.glob(os.path.join(folder, "*.bad")):
            self.problems.append("%s was found damaged" % os.path.basename(name)[:-4])
        for i, name in enumerate(names):
            # A seq belongs to the last file whose name is not above it.
            end = int(os.path.basename(names[i + 1])[:-4]) if i + 1 < len(names) else 2**63 - 1
            self.read(name, lambda db, name=name, end=end: self.segment(db, os.path.basename(name), end))
        self.read(os.path.join(folder, "state.db"), self.state)

    def may_be_gone(self, seq):
        """Whether its segment was given up for its age or for want of room; the file itself may still be there."""
        return any(first <= seq <= last for first, last in self.dropped)

    def read(self, path, what):
        if not os.path.exists(path):
            return
        db = sqlite3.connect(path)
        try:
            found = db.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                self.problems.append("%s: %s" % (os.path.basename(path), found))
            elif db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                what(db)
        except sqlite3.Error as error:
            self.problems.append("%s: %s" % (os.path.basename(path), error))
        finally:
            db.close()

    def state(self, db):
        self.dropped = db.execute("SELECT first_seq, last_seq FROM seal WHERE dropped").fetchall()

    def segment(self, db, name, end):
        header = dict(db.execute("SELECT key, value FROM header"))
        names = dict(db.execute("SELECT channel, name FROM channel"))
        if db.execute("SELECT count(*) FROM seal").fetchone()[0]:
            self.sealed += 1
        else:
            self.open += 1
        for seq, channel, wall_ns, quality, micro in db.execute(
                "SELECT seq, channel, t_wall_ns, quality, value_micro FROM sample WHERE seq < ?", (end,)):
            self.newest_ns = max(self.newest_ns, wall_ns)
            value = value_text(micro) if quality == 0 else ""
            self.rows[seq] = (header["epoch"], Row(time_text(wall_ns), names[channel], value))
        self.chain(db, name)

    def chain(self, db, name):
        """Each commit's hash, from the lines that docs/store-format.md defines."""
        def lines(table, order, first, last, key="since"):
            for row in db.execute("SELECT * FROM %s WHERE %s > ? AND %s <= ? ORDER BY %s" % (table, key, key, order),
                                  (first, last)):
                fields = row[:-1] if table == "sample" else row  # all but the hash
                yield "|".join([table] + [str(field) for field in fields]) + "\n"
        text = "".join("header|%s|%s\n" % row for row in db.execute("SELECT key, value FROM header ORDER BY key"))
        have, first = hashlib.sha256(text.encode()).hexdigest(), 0
        commits = db.execute("SELECT seq, lower(hex(hash)) FROM sample WHERE hash IS NOT NULL ORDER BY seq").fetchall()
        for last, want in commits:
            commit = [have + "\n", *lines("boot", "since, boot", first, last),
                      *lines("channel", "channel", first, last), *lines("sample", "seq", first, last, "seq")]
            have, first = hashlib.sha256("".join(commit).encode()).hexdigest(), last
            if have != want:
                self.problems.append("%s: the chain is broken at %d" % (name, last))
                return
        # Nothing is behind the last commit: a row that no hash covers was torn off from its own.
        if db.execute("SELECT count(*) FROM sample WHERE seq > ?", (first,)).fetchone()[0]:
            self.problems.append("%s: rows behind the last commit" % name)


class Ledger:
    """clock: how late it can have been on the device, by its newest reading that is stored; seconds of the epoch. Of
    the round then nothing is stored yet, but the store may have removed what is too old by that time."""

    def __init__(self, clock, kryosctl):
        self.clock, self.kryosctl = clock, kryosctl
        self.accepted = []         # (seq, Row), as they were reported
        self.ids = {}              # {(epoch, seq): Row}, of all that was ever read
        self.checked = 0
        self.removed, self.lost, self.problems = set(), set(), []

    def report(self, line):
        """A line of the device; whether it is of a reading."""
        match = LINE.search(line)
        if match:
            self.accepted.append((int(match[1]), Row(match[2], match[3], match[4])))
        return bool(match)

    def problem(self, where, what):
        self.problems.append("%s: %s" % (where, what))

    def ask(self, *arguments):
        """kryosctl, and what it said."""
        return subprocess.run([self.kryosctl, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=disk.LIMIT)

    def export(self, folder, where):
        """What our own reader gives: {seq: (epoch, Row)}."""
        result = self.ask("export", "--store", folder)
        if result.returncode:
            self.problem(where, "kryosctl export: " + result.stderr.strip())
        return {int(row["seq"]): (row["epoch"], Row(row["time"], row["channel"], row["value"]))
                for row in csv.DictReader(result.stdout.splitlines())}

    def verify(self, folder, where):
        result = self.ask("verify", "--json", folder)
        try:
            found = json.loads(result.stdout)
        except ValueError:
            found = {"first_problem": result.stderr.strip()}
        if result.returncode:
            self.problem(where, "kryosctl verify: %s" % found["first_problem"])

    def check(self, folder, where, count=None):
        """The first count readings that were reported, or all, are in this store; which is returned, read by SQLite."""
        accepted = self.accepted[:count]
        if not accepted and not glob.glob(os.path.join(folder, "state.db")):
            return None  # the store was not made yet, and owes nothing
        copy = folder + ".copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        store = Store(copy)
        for problem in store.problems:
            self.problem(where, problem)
        if accepted or store.rows:
            if self.export(folder, where) != store.rows:
                self.problem(where, "kryosctl and sqlite3 do not read the same")
            self.verify(folder, where)
        for seq, (epoch, row) in store.rows.items():
            if self.ids.setdefault((epoch, seq), row) != row:
                self.problem(where, "%s|%d is %s, and was %s" % (epoch, seq, row, self.ids[epoch, seq]))
        self.look_for(accepted, store, where)
        return store

    def look_for(self, accepted, store, where):
        old = time_text((self.clock(store.newest_ns // 10**9) - KEEP_S) * 10**9)
        for seq, row in accepted:
            self.checked += 1
            if seq in store.rows:
                if store.rows[seq][1] != row:
                    self.problem(where, "%d was reported as %s, and is %s" % (seq, row, store.rows[seq][1]))
            elif row.time < old and store.may_be_gone(seq):
                self.removed.add(seq)
            else:
                self.lost.add(seq)

    def figures(self):
        return "%d accepted readings, checked %d times; %d removed by their age, %d lost" % (
            len(self.accepted), self.checked, len(self.removed), len(self.lost))

    def judge(self, case):
        """The tests; a failed one says what was found first."""
        wrong = "; ".join(self.problems[:3]) or "nothing is wrong with it"
        lost = ", ".join(str(seq) for seq in sorted(self.lost)[:5]) or "none"
        case.ok(not self.problems, "the store opens after each cut, reads the same twice and verifies: " + wrong)
        case.ok(not self.lost, "every accepted reading is there; lost: " + lost)

    def judge_control(self, case, cuts):
        case.say("control, synchronous=NORMAL: %d cuts, %s" % (cuts, self.figures()))
        case.ok(self.lost, "a store that does not sync is seen to lose accepted readings")
