# SPDX-License-Identifier: Apache-2.0
import math
import os
import signal
import threading
from datetime import datetime, timedelta, timezone

import kryos
import pytest


def test_a_reading_is_in_the_store_before_it_is_seen(bench, tmp_path):
    bench.add("tmp117@i2c-1:0x48").set("temperature", 4.5)
    with kryos.Store(tmp_path / "store") as store:
        for seen, reading in enumerate(kryos.sample({"a": "tmp117@i2c-1:0x48"}, into=store, every=60, seconds=300), 1):
            kept = list(store.readings())
            assert kept[seen - 1] == reading
        assert seen == 5


def test_each_reading_has_unit_quality_and_an_aware_time(bench):
    model = bench.add("bme280@i2c-1:0x76")
    model.set("temperature", 24.0)
    readings = list(kryos.sample("bme280@i2c-1:0x76", every=10, seconds=10))
    assert [(r.channel, r.unit, r.quality) for r in readings] == [
        ("bme280.temperature", "Cel", "good"), ("bme280.humidity", "%RH", "good"), ("bme280.pressure", "Pa", "good")]
    assert readings[0].time == datetime(2026, 11, 20, 9, 12, tzinfo=timezone.utc)
    assert readings[0].time.utcoffset() == timedelta(0)
    assert readings[0].trust == "synced"
    assert float(readings[0]) == pytest.approx(24, abs=0.02)
    with pytest.raises(AttributeError):
        readings[0].value = 5


def test_a_probe_that_is_absent_gives_readings_that_say_so_until_it_is_back(bench):
    model = bench.add("tmp117@i2c-1:0x48")
    model.set("temperature", 5.0)
    model.plug(False)
    readings = kryos.sample({"a": "tmp117@i2c-1:0x48"}, every=60)
    first = next(readings)
    assert first.quality == "absent" and math.isnan(first.value) and not first.is_good
    assert str(first) == "2026-11-20 09:12:50+00:00  a.temperature  absent"
    model.plug()
    for reading in readings:
        if reading.is_good:
            break
    assert reading.value == 5.0
    readings.close()
    assert list(readings) == []


@pytest.mark.parametrize("device, part", [("nonsense", "driver@bus:place"), ("xyz9@i2c-1:0x48", "xyz9"), ("", "")])
def test_a_malformed_device_string_is_refused_at_once_and_says_what_is_allowed(bench, device, part):
    with pytest.raises(kryos.InputError) as caught:
        kryos.sample({"a": device})
    assert part in str(caught.value)


@pytest.mark.parametrize("wrong", [{"every": 0}, {"seconds": -1}, {"every": timedelta(0)}, {"every": math.nan},
                                   {"seconds": 1e300}, {"seconds": math.inf}])
def test_times_that_are_none_are_refused(bench, wrong):
    with pytest.raises(kryos.InputError):
        kryos.sample("tmp117@i2c-1:0x48", **wrong)
    with pytest.raises(kryos.InputError):
        kryos.sample({})


def test_an_interrupt_ends_it_and_what_was_measured_is_kept(tmp_path):
    # Real time, and no bench: the wait itself must be what is interrupted. What runs in the background has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    seen = 0
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in kryos.sample({"a": "ds18b20@w1:28-0316a2795bff"}, into=tmp_path / "store", every=3600):
                seen += 1
    except kryos.InputError as error:
        timer.cancel()
        pytest.skip(f"this build has no w1: {error}")
    finally:
        signal.signal(signal.SIGINT, before)
    with kryos.Store(tmp_path / "store") as store:
        assert len(list(store)) == seen


def test_a_loop_that_is_left_lets_go_of_the_store(bench, tmp_path):
    bench.add("tmp117@i2c-1:0x48")
    for _ in kryos.sample("tmp117@i2c-1:0x48", into=tmp_path / "store"):
        break
    with kryos.Store(tmp_path / "store") as store:
        assert store.status.samples == 1


def test_two_samplings_one_after_the_other_are_rounds_of_their_own(bench, tmp_path):
    pytest.importorskip("pandas")
    bench.add("tmp117@i2c-1:0x48")
    with kryos.Store(tmp_path / "store") as store:
        for _ in range(2):
            assert len(list(kryos.sample({"a": "tmp117@i2c-1:0x48"}, into=store, every=60, seconds=60))) == 1
            bench.advance(60)
        assert store.to_pandas().shape == (2, 1)


def test_what_an_earlier_sampling_left_is_not_of_the_next(bench, tmp_path):
    bench.add("bme280@i2c-1:0x76")
    with kryos.Store(tmp_path / "store") as store:
        for _ in kryos.sample("bme280@i2c-1:0x76", into=store):
            break
        bench.advance(600)
        begun = bench.now
        readings = list(kryos.sample("bme280@i2c-1:0x76", into=store, every=60, seconds=120))
        assert len(readings) == 6 and all(reading.time >= begun for reading in readings)


def test_a_context_samples_for_one_at_a_time(bench, tmp_path):
    bench.add("tmp117@i2c-1:0x48")
    with kryos.Store(tmp_path / "store") as store:
        first = kryos.sample({"a": "tmp117@i2c-1:0x48"}, into=store)
        with pytest.raises(kryos.InputError, match="samples already"):
            kryos.sample({"b": "tmp117@i2c-1:0x48"}, into=store)
        assert next(first).channel == "a.temperature"
        first.close()
        assert next(kryos.sample({"b": "tmp117@i2c-1:0x48"}, into=store)).channel == "b.temperature"


def test_a_disk_that_is_gone_is_told(bench, tmp_path):
    bench.add("tmp117@i2c-1:0x48")
    store = kryos.Store(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "away")
    for _ in range(2):  # as it happens, and when it is known
        with pytest.warns(RuntimeWarning, match="once they are on the disk: .*No such file"):
            assert list(kryos.sample({"a": "tmp117@i2c-1:0x48"}, into=store, every=60, seconds=60)) == []
    with pytest.warns(RuntimeWarning, match="readings were in memory only"):
        store.close()


def test_rounds_by_hand_and_their_news(bench, tmp_path):
    model = bench.add("tmp117@i2c-1:0x48")
    with kryos.Store(tmp_path / "store") as store, kryos.Sampler(store, manual=True) as sampler:
        sampler.add("a", "tmp117@i2c-1:0x48")
        with pytest.raises(kryos.InputError):
            sampler.add("a", "tmp117@i2c-1:0x48")
        for present in (True, False):
            model.plug(present)
            sampler.round()
            while sampler.busy:
                store.context.wait(0.1)
                store.context.process()
        types = [event.type for event in store.context.events()]
        assert types.count("sample") == 2 and "sensor-lost" in types


def test_one_sensor_alone(bench):
    bench.add("tmp117@i2c-1:0x48").set("temperature", -12.5)
    with kryos.Sensor("probe", "tmp117@i2c-1:0x48") as sensor:
        assert sensor.channels == ("probe.temperature",)
        (reading,) = sensor.read()
        assert (reading.value, reading.unit, reading.quality) == (-12.5, "Cel", "good")
    with pytest.raises(kryos.ClosedError):
        sensor.read()
    with pytest.raises(kryos.DeviceError):
        kryos.Sensor("probe", "tmp117@i2c-1:0x49")
    bench.add("sht4x@i2c-1:0x44")
    with pytest.raises(kryos.Error):
        kryos.Sensor("probe", "tmp117@i2c-1:0x44")


def test_readings_that_nobody_keeps_leave_no_folder_and_a_child_takes_none(bench, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bench.add("tmp117@i2c-1:0x48")
    readings = kryos.sample("tmp117@i2c-1:0x48", every=10)
    next(readings)
    child = os.fork()
    if not child:
        readings.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(tmp_path.glob("kryos-*/*.seg"))) == 1
    assert next(readings).is_good
    readings.close()
    assert not list(tmp_path.glob("kryos-*"))
