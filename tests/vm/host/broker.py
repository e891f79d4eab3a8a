# SPDX-License-Identifier: Apache-2.0
"""What stands on this host's loopback for the machine to talk to: Mosquitto with mutual TLS, a subscriber of its own that
notes when what arrives, and chrony as NTP server. The machine sees them at 10.0.2.2."""

import json
import os
import pwd
import socket
import subprocess
import threading
import time

from machine import Failed

CA = """[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
"""


def user():
    """Who the servers go on as: this process's user, who need not have a name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise Failed("the user %d has no name, which mosquitto and chronyd ask for" % os.geteuid()) from None


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def certificates(folder):
    """ca.crt, and NAME.crt and .key of server, device and watcher: valid from a day before this host's today."""
    def openssl(*words):
        result = subprocess.run(["openssl", *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        if result.returncode:
            raise Failed("openssl %s: %s" % (words[0], result.stdout[-300:]))

    os.makedirs(folder)
    open(os.path.join(folder, "index.txt"), "w").close()
    with open(os.path.join(folder, "ca.cnf"), "w") as file:
        file.write(CA)
    day = 86400
    dates = [time.strftime("%Y%m%d000000Z", time.gmtime(time.time() + days * day)) for days in (-1, 3)]
    extensions = {"ca": "basicConstraints=critical,CA:TRUE", "server": "subjectAltName=IP:10.0.2.2,IP:127.0.0.1",
                  "device": "extendedKeyUsage=clientAuth", "watcher": "extendedKeyUsage=clientAuth"}
    for name, extension in extensions.items():
        openssl("req", "-config", "ca.cnf", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=" + name, "-addext", extension, "-keyout", name + ".key", "-out", name + ".csr")
        issuer = ["-selfsign"] if name == "ca" else ["-cert", "ca.crt"]
        openssl("ca", "-config", "ca.cnf", "-batch", "-notext", "-startdate", dates[0], "-enddate", dates[1],
                "-keyfile", "ca.key", *issuer, "-in", name + ".csr", "-out", name + ".crt")


class Server:
    """A program on this host that ends with the case, whatever happens."""

    def __init__(self, log, command):
        with open(log, "ab") as file:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], stdin=subprocess.DEVNULL,
                                            stdout=file, stderr=file)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Broker:
    """What it has acknowledged it keeps for the watcher: its queues outlive it, the watcher's session outlives links."""

    def __init__(self, folder):
        self.folder, self.tls = folder, os.path.join(folder, "tls")
        self.port = free_port(socket.SOCK_STREAM)
        self.server = None
        certificates(self.tls)
        os.makedirs(os.path.join(folder, "broker"))
        with open(os.path.join(folder, "mosquitto.conf"), "w") as file:
            file.write("listener %d 127.0.0.1\ncafile %s/ca.crt\ncertfile %s/server.crt\nkeyfile %s/server.key\n"
                       "require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n"
                       "persistence true\npersistence_location %s/broker/\nmax_queued_messages 0\n"
                       "log_dest stderr\nuser %s\n" %
                       (self.port, self.tls, self.tls, self.tls, folder, user()))

    def start(self):
        self.server = Server(os.path.join(self.folder, "mosquitto.log"),
                             ["mosquitto", "-c", os.path.join(self.folder, "mosquitto.conf")])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.server.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Failed("the broker does not start: %s" % tail(os.path.join(self.folder, "mosquitto.log")))

    def stop(self):
        if self.server:
            self.server.stop()


class Watcher:
    """mosquitto_sub, begun again whenever it gives up. got: (time.time(), topic, text) of each message."""

    def __init__(self, broker):
        self.command = ["setpriv", "--pdeathsig", "KILL", "--", "mosquitto_sub", "-h", "127.0.0.1", "-p",
                        str(broker.port), "--cafile", broker.tls + "/ca.crt", "--cert", broker.tls + "/watcher.crt",
                        "--key", broker.tls + "/watcher.key", "-i", "watcher", "-c", "-q", "1", "-F", "%t %p", "-t", "#"]
        self.log = os.path.join(broker.folder, "mosquitto_sub.log")
        self.got, self.process, self.stopping = [], None, False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping:
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                stderr=log, text=True)
            for line in self.process.stdout:
                topic, text = line.rstrip("\n").split(" ", 1)
                self.got.append((time.time(), topic, text))
            self.process.wait()
            time.sleep(0.2)

    def records(self, what):
        """(time of arrival, SenML record) of each message to .../sample or .../event, in order."""
        return [(at, json.loads(text)[0]) for at, topic, text in list(self.got) if topic.endswith("/" + what)]

    def stop(self):
        self.stopping = True
        if self.process:
            self.process.terminate()
        self.thread.join(20)


class TimeServer(Server):
    """chronyd, which tells this host's time and leaves its clock alone (-x); without root it need not be (-U)."""

    def __init__(self, folder):
        self.port = free_port(socket.SOCK_DGRAM)
        path = os.path.join(folder, "chronyd.conf")
        with open(path, "w") as file:
            file.write("local stratum 5\nport %d\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\n"
                       "bindcmdaddress /\npidfile %s/chronyd.pid\n" % (self.port, folder))
        super().__init__(os.path.join(folder, "chronyd.log"),
                         ["chronyd", "-d", "-U", "-x", "-u", user(), "-f", path])
        self.log = os.path.join(folder, "chronyd.log")

    def check(self):
        if self.process.poll() is not None:
            raise Failed("the NTP server ended: %s" % tail(self.log))


def tail(path):
    with open(path, errors="replace") as file:
        return " / ".join(file.read().splitlines()[-3:])
