# SPDX-License-Identifier: Apache-2.0
import sqlite3

import kryos
import pytest
from conftest import celsius


@pytest.fixture
def folder(tmp_path):
    with kryos.Store(tmp_path / "store") as store:
        store.append([celsius(5 + i / 10, i) for i in range(20)])
    return tmp_path / "store"


def test_a_store_is_verified(folder):
    found = kryos.verify(folder)
    assert found.ok and found.samples == 20 and found.segments == 1 and found.first_problem == ""


def test_a_changed_value_is_found_and_named(folder):
    (segment,) = folder.glob("*.seg")
    with sqlite3.connect(segment) as database:
        database.execute("UPDATE sample SET value_micro=5000000 WHERE value_micro=6000000")
    database.close()
    found = kryos.verify(folder)
    assert not found.ok and found.bad_rows == 1
    assert segment.name in found.first_problem and found.problem_time is not None


def test_a_bundle_is_verified_and_read(folder, tmp_path):
    bundle = tmp_path / "evidence.tar"
    try:
        size = kryos.write_bundle(folder, bundle)
    except kryos.HostError as error:
        pytest.skip(str(error))
    assert size == bundle.stat().st_size
    found = kryos.verify(bundle)
    assert found.ok and found.samples == 20
    with kryos.open(bundle) as reader, kryos.open(folder) as store:
        assert list(reader) == list(store)
        outer = iter(reader)
        next(outer)
        assert len(list(reader)) == 20 and len(list(outer)) == 19
    data = bytearray(bundle.read_bytes())
    data[data.index(b"SQLite format 3") + 200] ^= 1
    bundle.write_bytes(data)
    assert not kryos.verify(bundle).ok


def test_an_anchor_that_is_not_found_is_told(folder):
    with pytest.raises(kryos.InputError, match="64"):
        kryos.verify(folder, anchors=[(1, "abc")])
    assert not kryos.verify(folder, anchors=[(1, "0" * 64)]).ok


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        kryos.verify(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        kryos.verify(tmp_path)
