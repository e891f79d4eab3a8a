# SPDX-License-Identifier: Apache-2.0
import math
import multiprocessing
import os
import sqlite3
import threading
from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timedelta, timezone

import kryos
import pytest
from conftest import celsius
from kryos import tables


def test_what_was_appended_is_read_again_exactly(store, tmp_path):
    kept = store.append([celsius(5.25, 0), celsius(-0.5, 1), celsius(math.nan, 2, quality="open")])
    assert [reading.value for reading in kept[:2]] == [5.25, -0.5]
    assert [reading.seq for reading in kept] == [kept[0].seq + i for i in range(3)]
    read = list(store)
    assert read[:2] == list(kept[:2])
    assert read[2].quality == "open" and math.isnan(read[2].value)
    assert read[0].time == datetime(2026, 11, 20, 9, 0, tzinfo=timezone.utc)
    with kryos.open(tmp_path / "store") as reader:
        assert list(reader)[:2] == read[:2]
        assert [r.seq for r in reader.readings(since=read[1].time)] == [read[1].seq, read[2].seq]
    with pytest.raises(FrozenInstanceError):
        read[0].value = 1
    assert store.status.samples == 3 and store.status.error == 0


def test_the_table_has_a_row_for_each_round_and_nan_where_it_is_not_good(store):
    pandas = pytest.importorskip("pandas")
    store.append([celsius(5.0, 0, "a.temperature", round=1), celsius(6.0, 0, "b.temperature", round=1)])
    store.append([celsius(5.5, 1, "a.temperature", "stuck", 2), celsius(6.5, 1, "b.temperature", round=2)])
    table = store.to_pandas()
    assert list(table.columns) == ["a.temperature", "b.temperature"]
    assert str(table.index.tz) == "UTC"
    assert table.index[1] == pandas.Timestamp("2026-11-20T09:01:00Z")
    assert table["b.temperature"].tolist() == [6.0, 6.5]
    assert table["a.temperature"].iloc[0] == 5.0 and math.isnan(table["a.temperature"].iloc[1])
    long = store.to_pandas(long=True)
    assert long["value"].tolist() == [5.0, 6.0, 5.5, 6.5]
    assert long["quality"].tolist() == ["good", "good", "stuck", "good"]
    assert long["channel"].tolist() == ["a.temperature", "b.temperature"] * 2
    assert set(long["unit"]) == {"Cel"}


def test_a_part_of_a_round_that_came_late_is_in_its_row(store):
    pytest.importorskip("pandas")
    store.append([celsius(1.0, 0, "a.temperature", round=1), celsius(2.0, 1, "a.temperature", round=2)])
    store.append(celsius(3.0, 0, "b.temperature", round=1))
    table = store.to_pandas()
    assert table.shape == (2, 2)
    assert table["b.temperature"].iloc[0] == 3.0 and math.isnan(table["b.temperature"].iloc[1])


def test_two_readings_in_one_place_of_the_table_are_told(store):
    pytest.importorskip("pandas")
    store.append([celsius(5), celsius(6), celsius(7, 1)])
    with pytest.warns(RuntimeWarning, match="1 readings"):
        assert store.to_pandas()["fridge.temperature"].tolist() == [6, 7]
    assert len(store.to_pandas(long=True)) == 3


def test_an_empty_store_is_an_empty_table(store):
    pytest.importorskip("pandas")
    assert len(store.to_numpy()) == 0
    assert store.to_pandas().shape == (0, 0)
    assert len(store.to_pandas(long=True)) == 0


def test_more_rows_than_one_piece_come_whole_and_in_order(store):
    numpy = pytest.importorskip("numpy")
    for start in range(0, 70000, 4000):
        store.append([celsius(5 + i % 100 / 100, start + i, round=start + i + 1) for i in range(4000)])
    rows = store.to_numpy()
    assert len(rows) == 72000
    assert (numpy.diff(rows["seq"]) > 0).all() and (numpy.diff(rows["time"]) == numpy.timedelta64(60, "s")).all()
    assert rows["value"][70099] == 5.99
    since = store.to_numpy(since=datetime(2026, 11, 20, 9, 0, tzinfo=timezone.utc) + timedelta(minutes=71999))
    assert len(since) == 1


def test_a_row_with_a_wrong_checksum_is_left_out_and_said(tmp_path):
    with kryos.Store(tmp_path / "store") as store:
        store.append([celsius(5.0, 0), celsius(6.0, 1), celsius(7.0, 2)])
    (segment,) = (tmp_path / "store").glob("*.seg")
    with sqlite3.connect(segment) as database:
        database.execute("UPDATE sample SET value_micro=5500000 WHERE value_micro=6000000")
    database.close()
    with kryos.open(tmp_path / "store") as reader:
        with pytest.warns(kryos.DamageWarning, match="1 damaged rows"):
            assert [reading.value for reading in reader] == [5.0, 7.0]
    assert not kryos.verify(tmp_path / "store").ok


@pytest.mark.parametrize("reading, part", [
    (celsius(5, channel="No Name"), "a-z"),
    (celsius(5, quality="fine"), "good"),
    (celsius(1e300), ""),
    (celsius(math.nan), "good"),
    (celsius(math.nan, quality="stuck"), "stuck"),
])
def test_a_reading_that_is_none_is_refused_and_nothing_is_kept(store, reading, part):
    with pytest.raises(kryos.InputError) as caught:
        store.append([celsius(5), reading])
    assert part in str(caught.value)
    assert store.status.samples == 0


def test_a_time_without_a_zone_is_refused(store):
    with pytest.raises(kryos.InputError, match="no zone"):
        store.append(kryos.Reading("a.b", 1.0, "Cel", "good", datetime(2026, 1, 1)))


def test_a_copy_with_another_time_is_of_that_time(store):
    (kept,) = store.append(celsius(5))
    store.append(replace(kept, time=kept.time + timedelta(hours=1)))
    assert [reading.time.hour for reading in store] == [9, 10]


def test_what_cannot_be_read_is_an_error_and_no_end():
    pytest.importorskip("numpy")
    answers = [3, kryos.HostError(-16, "busy")]

    def read(rows, count):
        answer = answers.pop(0)
        if isinstance(answer, int):
            return answer
        raise answer

    with pytest.raises(kryos.HostError, match="busy"):
        tables.read_all(read)


def test_channels_that_have_another_unit_here_are_in_no_column(tmp_path):
    pytest.importorskip("pandas")
    for name, unit in (("one", "Cel"), ("two", "V")):
        with kryos.Store(tmp_path / name) as store:
            store.append([replace(celsius(1, channel=channel), unit=unit) for channel in ("a.value", "b.value")])
    with kryos.Context() as context:
        one, two = (kryos.open(tmp_path / name, context=context) for name in ("one", "two"))
        assert one.to_pandas().shape == (1, 2)
        with pytest.warns(RuntimeWarning, match="2 readings"):
            assert two.to_pandas().shape == (0, 0)
        assert [(reading.channel, reading.unit) for reading in two] == [("a.value", "V"), ("b.value", "V")]
    with kryos.open(tmp_path / "two") as two:
        assert list(two.to_pandas().columns) == ["a.value", "b.value"]


def test_a_relative_folder_stays_the_same_after_a_chdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with kryos.Store("store") as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.append(celsius(5))
        assert len(list(store)) == 1
    assert not list((tmp_path / "elsewhere").iterdir())
    with pytest.raises(kryos.InputError, match="no folder"):
        kryos.Store("")


def test_errors_are_of_their_families(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        kryos.open(tmp_path / "nowhere")
    assert isinstance(caught.value, kryos.Error) and "nowhere" in str(caught.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(kryos.HostError):
        kryos.Store(tmp_path / "file")
    with pytest.raises(kryos.InputError, match="NUL"):
        kryos.Store(f"{tmp_path}/store\0more")
    with pytest.raises(kryos.InputError, match="refuse"):
        kryos.Store(tmp_path / "store", full="sometimes")
    with kryos.Store(tmp_path / "store"):
        with pytest.raises(kryos.HostError) as caught:
            kryos.Store(tmp_path / "store")
        assert caught.value.errno == 16


def test_a_closed_store_says_so_and_can_be_closed_again(tmp_path):
    store = kryos.Store(tmp_path / "store")
    store.append(celsius(5))
    iterator = store.readings()
    next(iterator)
    store.close()
    store.close()
    assert store.closed
    with pytest.raises(kryos.ClosedError):
        store.append(celsius(5))
    with pytest.raises(kryos.ClosedError):
        next(iterator)
    with kryos.Store(tmp_path / "store") as again:
        assert len(list(again)) == 1


def test_a_context_that_is_closed_closes_what_is_under_it(tmp_path):
    with kryos.Context() as context:
        one = kryos.Store(tmp_path / "one", context=context)
        two = kryos.Store(tmp_path / "two", context=context)
        one.append(celsius(5))
    assert one.closed and two.closed
    one.close()
    with pytest.raises(kryos.ClosedError):
        two.append(celsius(5))


def test_threads_append_while_another_closes(tmp_path):
    store = kryos.Store(tmp_path / "store")
    appended, unexpected = [], []

    def work(number):
        try:
            for i in range(1000):
                appended.append(store.append(celsius(number, i))[0].seq)
        except kryos.ClosedError:
            pass
        except BaseException as error:
            unexpected.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while len(appended) < 20 and not unexpected:
        threads[0].join(0.01)
    store.close()
    for thread in threads:
        thread.join()
    assert not unexpected
    with kryos.open(tmp_path / "store") as reader:
        kept = {reading.seq for reading in reader}
    assert set(appended) <= kept and len(set(appended)) == len(appended)


def test_a_child_of_a_fork_is_told_and_harms_nothing(store):
    store.append(celsius(5))
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            store.append(celsius(6))
            said = b"appended"
        except kryos.ForkError as error:
            said = str(error).encode()
        store.close()
        os.write(writing, said)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert b"before a fork" in said
    store.append(celsius(7))
    assert [reading.value for reading in store] == [5, 7]


def test_a_queue_lends_until_it_is_acknowledged(tmp_path):
    with kryos.Store(tmp_path / "store") as store:
        store.append([celsius(5, 0), celsius(6, 1), celsius(7, 2)])
        with kryos.Queue(store, "modem", channels=["fridge.*"]) as queue:
            records = [record for record in queue if record.reading]
            assert [record.reading.value for record in records] == [5, 6, 7]
            queue.ack(records[0].seq)
            queue.reject(records[1].seq, "no such channel")
            queue.release(records[2].seq)
            assert [record.seq for record in queue if record.reading] == [records[2].seq]
            assert queue.status.rejected == 1 and queue.status.dead_letters == 1
            with pytest.raises(FileNotFoundError):
                queue.ack(999999)
    with kryos.Store(tmp_path / "store") as store, kryos.Queue(store, "other", channels="fridge.*") as queue:
        assert [record.reading.value for record in queue if record.reading] == [5, 6, 7]
    with kryos.Store(tmp_path / "store") as store, kryos.Queue(store, "modem") as queue:
        assert [record.seq for record in queue if record.reading] == [records[2].seq]


def test_notes_are_among_the_stored_events(store):
    store.note("bench", "probe b moved to the lower shelf")
    store.flush()
    for _ in range(200):
        noted = [event for event in store.events() if event.type == "audit" and event.name == "bench"]
        if noted:
            break
        threading.Event().wait(0.05)
    assert noted[0].text == "probe b moved to the lower shelf"
    assert noted[0].time.tzinfo is timezone.utc


def test_another_process_reads_while_this_one_writes(store, tmp_path):
    store.append([celsius(5, 0), celsius(6, 1)])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(values_of, (str(tmp_path / "store"),)) == [5.0, 6.0]


def values_of(path):
    with kryos.open(path) as reader:
        return [reading.value for reading in reader]
