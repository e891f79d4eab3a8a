# SPDX-License-Identifier: Apache-2.0
"""Runs cases, prints a line for each as it ends, and the sum. Started by tests/vm/run, which builds what they need."""

import argparse
import collections
import concurrent.futures
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time

import disk
import pack
from machine import Failed, Machine

VM = pack.VM
TEST = re.compile(r"(not )?ok \d+\s*-?\s*(?:# SKIP\s*)?([^#]*)(# SKIP)?")


class Case:
    """One case and what came of it. The host's part, cases/NAME.py, gets it as play(case)."""

    sessions = set()  # all of this process on a board, for its end by a signal

    def __init__(self, name, setting):
        self.name, self.setting = name, setting
        self.build = setting.build
        self.passed, self.failures, self.skips, self.figures = 0, [], [], []
        self.tail = collections.deque(maxlen=25)
        self.log_path = os.path.join(self.build, "log", name + ".log")
        self.log = open(self.log_path, "w")
        self.folder = os.path.join(self.build, "work", name)  # for disks and the like
        self.comment = ""
        self.done = None
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)

    def note(self, line, _at=0):
        """Counts what stands in a line of the guest; reasons of a skip stand in the line before it."""
        self.tail.append(line)
        match = TEST.match(line)
        if match and ("# SKIP" in line):
            self.skips.append("%s: %s" % (match[2].strip(), self.comment or "no reason given"))
        elif match and match[1]:
            self.failures.append(match[2].strip())
        elif match:
            self.passed += 1
        if line.startswith("# remark: "):
            self.figures.append(line[10:])
        self.comment = "" if match else re.sub("^# ", "", line)
        match = re.match(r"# case %s ended (\d+)" % re.escape(self.name), line)
        if match:
            self.done = int(match[1])

    def ok(self, condition, what):
        """A test of the host's."""
        line = "%sok %d - %s" % ("" if condition else "not ", 0, what)
        self.log.write(line + "\n")
        self.note(line)
        return condition

    def say(self, figures):
        """A line that is shown with the result."""
        self.log.write("# %s\n" % figures)
        self.figures.append(figures)

    def boot(self, *options, words="", **more):
        """A machine that runs the guest's part of this case: see Machine."""
        kept = [name for name in ("KRYOS_SEED", "KRYOS_TEST_LONG", "KRYOS_TEST_QUICK") if name in os.environ]
        words = " ".join(["CASE=" + self.name, words] + ["%s=%s" % (name, os.environ[name]) for name in kept])
        return Machine(self.build, self.setting.initramfs, self.log, self.note, options, words,
                       arch=self.setting.arch, **more)

    def finish(self, machine, seconds=300):
        """Waits for the end of the guest's part."""
        machine.expect("# case %s ended" % re.escape(self.name), seconds)

    def on_device(self, seconds):
        """The guest's part on this board. What it started is in a session with it, and ends with it."""
        process = subprocess.Popen(["sh", os.path.join(VM, "guest/play"), self.name], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                   env=dict(os.environ, PATH=pack.search_path(self.build)))
        Case.sessions.add(process.pid)
        # The case's shell undoes on SIGTERM what it did to the kernel.
        timers = [threading.Timer(seconds, end_session, (process.pid, signal.SIGTERM)),
                  threading.Timer(seconds + 10, end_session, (process.pid, signal.SIGKILL))]
        for timer in timers:
            timer.start()
        for line in process.stdout:
            line = line.decode("utf-8", "replace").rstrip("\n")
            self.log.write(line + "\n")
            self.note(line)
            if self.done is not None:
                break
        for timer in timers:
            timer.cancel()
        end_session(process.pid, signal.SIGKILL)
        process.wait()
        Case.sessions.discard(process.pid)

    def play(self):
        host = self.setting.hosts.get(self.name, {})
        seconds = host.get("SECONDS", 300)
        try:
            if self.setting.on_device and "play" in host and not os.environ.get(host.get("ON_DEVICE", "")):
                self.skips.append("%s: needs a machine that a host starts, watches and resets%s" %
                                  (self.name, ", or " + host["ON_DEVICE"] if "ON_DEVICE" in host else ""))
                return
            if self.setting.on_device:
                self.on_device(seconds)
            elif "play" in host:
                host["play"](self)
                return
            else:
                with self.boot(*host.get("OPTIONS", ())) as machine:
                    self.finish(machine, seconds)
            if self.done is None:
                raise Failed("ended in the middle, or took more than %d s" % seconds)
        except Failed as failed:
            self.failures.append(str(failed))
        except Exception as error:  # a mistake in the host's part must not end the other cases
            self.failures.append("%s: %s" % (type(error).__name__, error))

    def report(self, seconds):
        """One line; what failed, and what is known of it; and what was skipped, and why."""
        if self.done and not self.failures:
            self.failures.append("ended with status %d" % self.done)
        if not self.passed and not self.failures and not self.skips:
            self.failures.append("no test was run")
        self.log.close()
        counts = "%d tests, %.1f s" % (self.passed + len(self.failures) + len(self.skips), seconds)
        state = "FAILED" if self.failures else "ok" if self.passed else "skipped"
        print("%s %s (%s)" % (state, self.name, counts))
        for figures in self.figures:
            print("  " + figures)
        for skip in self.skips:
            print("  skipped: " + skip)
        for failure in self.failures:
            print("  FAILED: " + failure)
        if self.failures:
            print("\n".join("  | " + line for line in self.tail))
            print("  all of it: %s" % os.path.relpath(self.log_path))
        sys.stdout.flush()
        if not self.setting.keep and not self.failures:
            shutil.rmtree(self.folder, ignore_errors=True)


def end_session(leader, number):
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        pass


def stop(number, _frame):
    for leader in list(Case.sessions):
        end_session(leader, signal.SIGTERM)
    for folder in list(disk.temporary):
        shutil.rmtree(folder.name, ignore_errors=True)
    for process in list(Machine.running):
        process.kill()
    os._exit(128 + number)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--arch")
    parser.add_argument("--kernel")
    parser.add_argument("--on-device", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--cycles", type=int)
    parser.add_argument("cases", nargs="+")
    setting = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    setting.hosts = {}
    for name in setting.cases:
        path = os.path.join(VM, "cases", name + ".py")
        if os.path.exists(path):
            setting.hosts[name] = runpy.run_path(path)
    if not setting.on_device:
        setting.initramfs = pack.pack(setting.build, setting.kernel, "unit" in setting.cases)
    cases = []
    lock = threading.Lock()

    def run(name):
        case, start = Case(name, setting), time.monotonic()
        case.play()
        with lock:
            case.report(time.monotonic() - start)
            cases.append(case)

    # One for each core at a time; but a case whose host measures time is ALONE, and comes last. A board has one bus.
    alone = [name for name in setting.cases if setting.on_device or setting.hosts.get(name, {}).get("ALONE")]
    with concurrent.futures.ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        list(pool.map(run, [name for name in setting.cases if name not in alone]))
    for name in alone:
        run(name)
    passed, failed, skipped = (sum(counts) for counts in zip(*[
        (case.passed, len(case.failures), len(case.skips)) for case in cases]))
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0 if passed else 77


if __name__ == "__main__":
    sys.exit(main())
