# SPDX-License-Identifier: Apache-2.0
"""One virtual machine: its console by lines with limits of time, QEMU's monitor, and its power switch."""

import json
import os
import queue
import re
import socket
import subprocess
import threading
import time


class Failed(Exception):
    """What the case says in the line of its failure."""


# QEMU's program and machine, and the kernel's words for it. no_timer_check: on a busy host the kernel believes that its
# timer is broken.
MACHINES = {
    "amd64": ("qemu-system-x86_64", ["-M", "q35", "-cpu", "max"], "console=ttyS0 no_timer_check"),
    "arm64": ("qemu-system-aarch64", ["-M", "virt", "-cpu", "cortex-a53"], "console=ttyAMA0"),
    # Debian's kernel reaches no PCI above 4 GiB.
    "armhf": ("qemu-system-arm", ["-M", "virt,highmem=off", "-cpu", "cortex-a15"], "console=ttyAMA0"),
}


def qemu_command(build, program):
    """QEMU, from the system or unpacked by tests/vm/run, with where it finds what is its own; and its environment."""
    tools, environment = os.path.join(build, "tools"), dict(os.environ)
    command = [program]
    if os.path.exists(os.path.join(tools, "usr/bin", program)):
        environment["QEMU_MODULE_DIR"] = os.path.join(tools, "usr/lib/x86_64-linux-gnu/qemu")
        for folder in ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"):
            command += ["-L", os.path.join(tools, folder)]
    return command, environment


class Machine:
    """A context manager: whatever happens, the machine is off afterwards.

    options are QEMU's; words are for the kernel's command line, where NAME=value becomes init's environment.
    reboots: a reset boots again, where else it ends QEMU. note(line, seconds) gets each line as it comes."""

    running = set()  # all of this process, for its end by a signal

    def __init__(self, build, initramfs, log, note, options=(), words="", memory=512, reboots=False,
                 arch="amd64"):
        program, machine, console = MACHINES[arch]
        command, environment = qemu_command(build, program)
        monitor, theirs = socket.socketpair()
        command += machine + ["-accel", "tcg", "-m", str(memory), "-nodefaults", "-display", "none",
                    "-serial", "stdio", "-mon", "monitor,mode=control",
                    "-chardev", "socket,id=monitor,fd=%d" % theirs.fileno(),
                    "-kernel", os.path.join(build, "kernel/vmlinux"), "-initrd", initramfs,
                    # loglevel: the kernel's messages would stand in the middle of our lines.
                    "-append", console + " loglevel=1 panic=-1 " + words]
        command += ([] if reboots else ["-no-reboot"]) + list(options)
        self.log, self.note = log, note
        self.start = time.monotonic()
        self.lines = queue.Queue()
        self.ended = False
        log.write("# %s\n" % " ".join(command))
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=[theirs.fileno()])
        Machine.running.add(self.process)
        theirs.close()
        self.monitor_socket, self.monitor_text = monitor, b""
        self.greeted = False
        self.events = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def seconds(self):
        """Since it was switched on."""
        return time.monotonic() - self.start

    def _read(self):
        for line in self.process.stdout:
            line, at = line.decode("utf-8", "replace").rstrip("\r\n"), self.seconds()
            self.log.write("[%7.3f] %s\n" % (at, line))
            self.log.flush()
            self.note(line, at)
            self.lines.put((at, line))
        self.lines.put(None)

    def expect(self, pattern, seconds=120):
        """Waits for a line: its match, and when it came, in seconds since the machine was switched on."""
        deadline = time.monotonic() + seconds
        while not self.ended:
            try:
                item = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failed('no line with "%s" within %d s' % (pattern, seconds)) from None
            if item is None:
                self.ended = True
                break
            match = re.search(pattern, item[1])
            if match:
                return match, item[0]
        raise Failed('the machine ended before a line with "%s"' % pattern)

    def send(self, text):
        """A line to the console."""
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def _hear(self, seconds):
        """What the monitor says next; None if it is silent for so long."""
        self.monitor_socket.settimeout(max(0.001, seconds))
        while b"\n" not in self.monitor_text:
            try:
                got = self.monitor_socket.recv(65536)
            except socket.timeout:
                return None
            if not got:
                raise Failed("QEMU ended")
            self.monitor_text += got
        line, self.monitor_text = self.monitor_text.split(b"\n", 1)
        return json.loads(line)

    def qmp(self, command, **arguments):
        """A command to QEMU's monitor; what it returns."""
        if not self.greeted:
            self.greeted = True
            self._hear(30)
            self.qmp("qmp_capabilities")
        self.monitor_socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = self._hear(30)
            if answer is None:
                raise Failed("QMP %s: no answer" % command)
            if "error" in answer:
                raise Failed("QMP %s: %s" % (command, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]
            self.events.append(answer)

    def event(self, name, seconds):
        """Waits for an event of QEMU's ("RESET"); when it was, in seconds since the machine was switched on, or None. They
        are told from the first qmp() on."""
        deadline = time.monotonic() + seconds
        while True:
            for event in self.events:
                if event["event"] == name:
                    self.events.remove(event)
                    stamp = event["timestamp"]["seconds"] + event["timestamp"]["microseconds"] / 1e6
                    return self.seconds() - (time.time() - stamp)
            event = self._hear(deadline - time.monotonic())
            if event is None:
                return None
            self.events.append(event)

    def wait(self, seconds=60):
        """For the machine to switch itself off."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed("the machine is still on after %d s" % seconds) from None

    def kill(self):
        """The power cut: of its memory nothing is left, what it wrote to its disks is. May be called twice."""
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.monitor_socket.close()
        Machine.running.discard(self.process)
