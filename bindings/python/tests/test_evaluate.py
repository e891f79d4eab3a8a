# SPDX-License-Identifier: Apache-2.0
import pickle
from dataclasses import asdict
from datetime import datetime, timedelta, timezone

import kryos
import pytest

START = 1651449600


def log(path, rows, header="time,celsius"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_log_is_judged_by_the_rules_of_the_device(tmp_path):
    rows = [f"{START + 300 * i},{9.0 if 12 <= i <= 132 else 5.0}" for i in range(140)]
    found = kryos.evaluate(log(tmp_path / "log.csv", rows))
    (episode,) = found.episodes
    assert (found.rules, found.samples, found.gaps) == ("who-refrigerator", 140, ())
    assert found.interval == timedelta(minutes=5)
    assert found.start == datetime(2022, 5, 2, tzinfo=timezone.utc)
    assert (found.min_c, found.max_c) == (5.0, 9.0)
    assert (episode.kind, episode.duration, episode.extreme_c) == ("heat", timedelta(hours=10), 9.0)
    assert episode.start == found.start + timedelta(hours=1)
    assert episode.trigger == episode.start + timedelta(hours=10)
    assert episode.ended_by == "recovered" and episode.end == episode.trigger + timedelta(minutes=5)
    assert kryos.evaluate(tmp_path / "log.csv", profile="fridge-2-8").episodes[0].trigger != episode.trigger


def test_an_episode_that_goes_on_has_no_end(tmp_path):
    (episode,) = kryos.evaluate(log(tmp_path / "log.csv", [f"{START + 300 * i},-1" for i in range(20)])).episodes
    assert episode.end is None and episode.ended_by is None and episode.kind == "freeze"


def test_gaps_are_told_and_means_are_none_where_no_two_rows_are_near(tmp_path):
    rows = [f"{START + at},{value}" for at, value in ((0, 5), (60, 5), (120, 5), (9999, 6))]
    found = kryos.evaluate(log(tmp_path / "log.csv", rows))
    assert found.mean_c == 5.0
    assert len(found.gaps) == 1 and found.gaps[0].duration == timedelta(seconds=9879)
    found = kryos.evaluate(log(tmp_path / "log.csv", [f"{START},5", f"{START + 5 * 86400},6"]))
    assert found.mean_c is None and found.mkt_c is None and found.max_c == 6.0


def test_each_channel_is_asked_for_by_name(tmp_path):
    path = log(tmp_path / "log.csv", [f"{START},5,a", f"{START},6,b", f"{START + 60},5,a"], "time,celsius,channel")
    assert [found.channel for found in kryos.evaluate_all(path)] == ["a", "b"]
    assert kryos.evaluate(path, channel="b").max_c == 6.0
    with pytest.raises(kryos.InputError, match="several channels: channel='a' or 'b'"):
        kryos.evaluate(path)
    with pytest.raises(kryos.InputError, match="there are a, b"):
        kryos.evaluate(path, channel="c")


def test_days_vial_monitors_and_rows_left_out(tmp_path):
    rows = [f"{START + 3600 * i},25" for i in range(48)]
    path = log(tmp_path / "log.csv", rows + rows[-1:])
    with pytest.raises(kryos.InputError, match=r"log\.csv:50: the row is the same"):
        kryos.evaluate(path)
    found = kryos.evaluate(path, repair=True, days=True, vvm=["vvm2", "vvm14"])
    assert found.left_out == (kryos.LeftOut(50, "the row is the same as the one before"),)
    assert [day.samples for day in found.days] == [24, 24]
    assert str(found.days[0].date) == "2022-05-02" and found.days[0].mean_c == 25.0
    assert found.vvm["vvm2"] > found.vvm["vvm14"] > 0
    with pytest.raises(kryos.InputError, match="vvm2, vvm7, vvm14, vvm30"):
        kryos.evaluate(path, vvm=["vvm3"])


@pytest.mark.parametrize("content, part", [
    ("time,celsius\n2022-05-02T00:00:00Z,warm\n", "log.csv:2: "),
    ("time,celsius\n2022-05-02 00:00,5\n", "log.csv:2: "),
    ("time,celsius\n", "no row"),
    ("", "log.csv:1: "),
    ("\x00\x00", "NUL byte"),
])
def test_a_bad_log_is_named_by_its_line(tmp_path, content, part):
    (tmp_path / "log.csv").write_text(content)
    with pytest.raises(kryos.InputError) as caught:
        kryos.evaluate(tmp_path / "log.csv")
    assert part in str(caught.value)


def test_what_is_missing_or_unknown_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.csv"):
        kryos.evaluate(tmp_path / "none.csv")
    path = log(tmp_path / "log.csv", [f"{START},5"])
    with pytest.raises(kryos.InputError, match="who-refrigerator"):
        kryos.evaluate(path, profile="who-sauna")
    assert "who-shipping-1" in kryos.profiles()
    (tmp_path / "rules.ini").write_text("[rule warm]\nkind = heat\nthreshold = warm\n")
    with pytest.raises(kryos.Error) as caught:
        kryos.evaluate(path, rules=tmp_path / "rules.ini")
    assert "rules.ini" in str(caught.value)


def test_rows_of_a_log_are_a_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = kryos.evaluate(log(tmp_path / "log.csv", [f"{START},5.25", f"{START + 60},-1"])).to_pandas()
    assert table["celsius"].tolist() == [5.25, -1.0]
    assert table.index[0] == pandas.Timestamp("2022-05-02T00:00:00Z")


@pytest.mark.parametrize("energy", [0, -1, 5000, float("nan"), float("inf")])
def test_an_energy_that_is_none_is_refused(tmp_path, energy):
    with pytest.raises(kryos.InputError, match="1 to 1000 kJ/mol"):
        kryos.evaluate(log(tmp_path / "log.csv", [f"{START},5"]), mkt_energy=energy)


def test_findings_go_to_another_process_and_their_rows_stay(tmp_path):
    pytest.importorskip("numpy")
    found = kryos.evaluate(log(tmp_path / "log.csv", [f"{START + 60 * i},-1" for i in range(90)]))
    assert asdict(found)["episodes"][0]["kind"] == "freeze"
    sent = pickle.loads(pickle.dumps(found))
    assert sent == found and len(found.to_numpy()) == 90
    with pytest.raises(kryos.ClosedError, match="process"):
        sent.to_numpy()
