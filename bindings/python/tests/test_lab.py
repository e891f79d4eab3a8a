# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/lab, as they stand, on a bench in the place of a desk."""
import os
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest

LAB = Path(os.environ.get("KRYOS_LAB", Path(__file__).resolve().parents[3] / "examples" / "lab"))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    for needed in ("numpy", "pandas", "matplotlib"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    return tmp_path


def run(script, *arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
    return runpy.run_path(str(LAB / script), run_name="__main__")


def write_log(path, days=38, warm_day=15, cold_day=25):
    """A refrigerator that is at 5 C, but for 20 h at 12.5 C, 2 h at -3.5 C, and three hours without a word."""
    lines = ["time,celsius"]
    for minute in range(0, days * 1440, 5):
        day, of_day = divmod(minute, 1440)
        if day == 3 and 60 <= of_day < 240:
            continue
        value = 5.0 + (minute // 5) % 3 / 10
        if day == warm_day and of_day < 1200:
            value = 12.5
        if day == cold_day and of_day < 120:
            value = -3.5 + of_day / 120
        lines.append(f"{1651449600 + 60 * minute},{value:.4f}")
    path.write_text("\n".join(lines) + "\n")


def test_the_acceptance_script_runs_as_it_stands(bench, desk, monkeypatch, capsys):
    bench.add("ds18b20@w1:28-0316a2795bff").set("temperature", 5.25)
    bench.add("tmp117@i2c-1:0x48").set("temperature", 5.0)
    write_log(desk / "fridge-38-days.csv")
    run("lab.py", monkeypatch=monkeypatch)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "2026-11-20 09:12:00+00:00  fridge.temperature  5.25 Cel  good"
    assert out[1] == "2026-11-20 09:12:00+00:00  reference.temperature  5 Cel  good"
    assert out[719] == "2026-11-20 10:11:50+00:00  reference.temperature  5 Cel  good"
    assert out[720] == "offset +0.250 K, spread 0.000 K, 360 pairs"
    assert re.fullmatch(r"-3\.5 to 12\.5 C, mean kinetic 5\.\d C, 1 gaps", out[721])
    assert out[722] == "heat 2022-05-17 00:00:00+00:00 19:55:00 worst 12.5 C recovered"
    # -0.5 and below: 73 minutes, from -3.5 on a degree in two hours; all of the two hours are.
    assert out[723] == "freeze 2022-05-27 00:00:00+00:00 1:55:00 worst -3.5 C recovered"
    assert len(out) == 724
    assert (desk / "run-7.png").read_bytes().startswith(b"\x89PNG")


def test_a_probe_is_calibrated_at_two_points(bench, desk, monkeypatch, capsys):
    probe = bench.add("ds18b20@w1:28-0316a2795bff")
    reference = bench.add("tmp117@i2c-1:0x48")
    baths = iter([(0.125, 0.0), (0.125, 0.0), (24.75, 25.0)])

    def next_bath(_):
        for model, value in zip((probe, reference), next(baths)):
            model.set("temperature", value)

    monkeypatch.setattr("builtins.input", next_bath)
    run("calibrate.py", "ds18b20@w1:any", "tmp117@i2c-1:0x48", "--points", 2, "--count", 5, monkeypatch=monkeypatch)
    out = capsys.readouterr().out
    assert "0.125 C is not above the point before it" in out
    assert out.endswith("[channel probe.temperature]\npoints     = 0.125:0.000 24.750:25.000\n"
                        "calibrated = 2026-11-20\n")


def test_a_probe_that_measures_other_things_too_is_calibrated_by_its_temperature(bench, desk, monkeypatch, capsys):
    probe, reference = bench.add("bme280@i2c-1:0x76"), bench.add("tmp117@i2c-1:0x48")
    probe.set("temperature", 20.0)
    reference.set("temperature", 20.25)
    monkeypatch.setattr("builtins.input", lambda _: None)
    run("calibrate.py", "bme280@i2c-1:0x76", "tmp117@i2c-1:0x48", "--count", 5, monkeypatch=monkeypatch)
    assert "reference 20.250 C: +0.2" in capsys.readouterr().out


def test_a_bath_that_is_never_still_calibrates_nothing(bench, desk, monkeypatch):
    bench.add("ds18b20@w1:28-0316a2795bff")
    bench.add("tmp117@i2c-1:0x48").plug(False)
    monkeypatch.setattr("builtins.input", lambda _: None)
    with pytest.raises(SystemExit, match="not still"):
        run("calibrate.py", "ds18b20@w1:any", "tmp117@i2c-1:0x48", "--patience", 300, monkeypatch=monkeypatch)


def test_a_month_is_plotted_of_a_log_and_of_a_store(desk, monkeypatch, capsys):
    import kryos
    from conftest import celsius

    write_log(desk / "log.csv")
    run("plot_month.py", "log.csv", "-o", "log.png", monkeypatch=monkeypatch)
    assert capsys.readouterr().out == "log.png: 8929 readings, 2 alarms\n"
    with kryos.Store(desk / "store") as store:
        store.append([celsius(9.0, 5 * i, round=i + 1) for i in range(200)])
        store.append(replace(celsius(50, channel="fridge.humidity"), unit="%RH"))
    run("plot_month.py", "store", "-o", "store.png", monkeypatch=monkeypatch)
    assert capsys.readouterr().out == "store.png: 200 readings, 1 alarms\n"
    for name in ("log.png", "store.png"):
        assert (desk / name).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit, match="none.csv"):
        run("plot_month.py", "none.csv", monkeypatch=monkeypatch)
    with pytest.raises(SystemExit, match="fridge.temperature"):
        run("plot_month.py", "store", "--channel", "fridge.humidity", monkeypatch=monkeypatch)


def test_two_loggers_are_compared(desk, monkeypatch, capsys):
    for name, ahead, more in (("a.csv", 0, 0.0), ("b.csv", 40, -0.5)):
        rows = [f"{1651449600 + ahead + 300 * i},{5 + more + (2.5 if name == 'a.csv' and i == 7 else 0)}"
                for i in range(100)]
        (desk / name).write_text("\n".join(["time,celsius", *rows]) + "\n")
    run("compare_loggers.py", "a.csv", "b.csv", "-o", "difference.png", monkeypatch=monkeypatch)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "100 pairs, 2022-05-02 00:00 to 2022-05-02 08:15 UTC"
    assert out[1].startswith("offset +0.525 K, spread 0.250 K")
    assert out[2] == "furthest apart +3.000 K at 2022-05-02 00:35"
    (desk / "c.csv").write_text("time,celsius\n1751449600,5\n1751449900,5\n")
    with pytest.raises(SystemExit, match="no two readings"):
        run("compare_loggers.py", "a.csv", "c.csv", monkeypatch=monkeypatch)
