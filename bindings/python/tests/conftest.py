# SPDX-License-Identifier: Apache-2.0
"""The same fakes as the tests in C: chip models on fake buses, and a clock that moves when it is told to."""
import kryos.testing
import pytest
from kryos._library import lib

HAS_FAKES = hasattr(lib, "kryos_fake_clock_new")


@pytest.fixture
def bench():
    if not HAS_FAKES:
        pytest.skip("this build of the package is without libkryos-testing")
    with kryos.testing.Bench() as bench:
        yield bench


@pytest.fixture
def store(tmp_path):
    with kryos.Store(tmp_path / "store") as store:
        yield store


def celsius(value, minute=0, channel="fridge.temperature", quality="good", round=0):
    """A reading of the given minute."""
    from datetime import datetime, timedelta, timezone

    when = datetime(2026, 11, 20, 9, 0, tzinfo=timezone.utc) + timedelta(minutes=minute)
    return kryos.Reading(channel, value, "Cel", quality, when, "synced", round=round, boot_ns=(minute + 1) * 60 * 10**9)
