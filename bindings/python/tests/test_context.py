# SPDX-License-Identifier: Apache-2.0
import asyncio
import os
import select
import subprocess
import sys
import time

import kryos
import pytest
from conftest import celsius
from kryos._library import ffi
from kryos.errors import _CLASSES


def test_the_descriptor_is_for_any_loop(tmp_path):
    """asyncio takes the context itself: it has a fileno."""
    seen = []

    async def follow(store):
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def ready():
            store.context.process()
            seen.extend(event.reading.value for event in store.context.events() if event.type == "sample")
            if len(seen) == 3:
                done.set()

        loop.add_reader(store.context, ready)
        await loop.run_in_executor(None, store.append, [celsius(i, i) for i in range(3)])
        await asyncio.wait_for(done.wait(), 30)
        loop.remove_reader(store.context)

    with kryos.Store(tmp_path / "store") as store:
        asyncio.run(follow(store))
    assert seen == [0.0, 1.0, 2.0]


def test_a_context_that_is_idle_is_not_readable():
    with kryos.Context() as context:
        context.process()
        assert select.select([context], [], [], 0) == ([], [], [])
        begin = time.monotonic()
        assert not context.wait(0.05)
        assert time.monotonic() - begin > 0.04
        assert context.next_event() is None
    with pytest.raises(kryos.ClosedError):
        context.process()


def test_time_has_its_trust():
    with kryos.Context() as context:
        now = context.now()
    assert now.time.tzinfo is not None and now.trust in ("none", "floor", "rtc", "synced") and now.boot_ns > 0


def test_a_wrong_log_is_refused():
    with pytest.raises(kryos.InputError, match="stderr, syslog"):
        kryos.Context(log="paper")


def test_a_program_that_closes_nothing_loses_nothing(tmp_path):
    program = ("import kryos, datetime, sys\n"
               "store = kryos.Store(sys.argv[1])\n"
               "now = datetime.datetime.now(datetime.timezone.utc)\n"
               "store.append(kryos.Reading('a.temperature', 5.0, 'Cel', 'good', now))\n")
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(tmp_path / "store")], check=True)
    with kryos.Store(tmp_path / "store") as store:
        assert [reading.value for reading in store] == [5.0]


def test_numpy_and_pandas_are_not_imported_for_what_needs_none(tmp_path):
    program = ("import kryos, sys\n"
               "kryos.Store(sys.argv[1]).close()\n"
               "assert not {'numpy', 'pandas', 'matplotlib'} & set(sys.modules)\n")
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "store")], check=True)


@pytest.mark.parametrize("name", ["/nowhere/libkryos.so.0", "libc.so.6"])
def test_what_is_no_libkryos_is_named_at_import(name):
    environment = {**os.environ, "KRYOS_LIBRARY": name}
    said = subprocess.run([sys.executable, "-c", "import kryos"], env=environment, capture_output=True, text=True)
    assert said.returncode == 1 and name in said.stderr and "KRYOS_LIBRARY" in said.stderr


def test_every_error_of_the_library_is_of_a_family():
    assert set(ffi.typeof("enum kryos_error").elements) <= set(_CLASSES)
