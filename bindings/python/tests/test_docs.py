# SPDX-License-Identifier: Apache-2.0
"""What docs/api/python.md shows is run, block by block, in one program."""
import os
import re
from pathlib import Path

import pytest

LAB = os.environ.get("KRYOS_LAB")
TOP = Path(LAB).parents[1] if LAB else Path(__file__).resolve().parents[3]


def test_what_the_guide_shows_runs(bench, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas")
    text = (TOP / "docs" / "api" / "python.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)
    assert len(blocks) >= 6
    monkeypatch.chdir(tmp_path)
    bench.add("ds18b20@w1:28-0316a2795bff").set("temperature", 5.25)
    bench.add("tmp117@i2c-1:0x48").set("temperature", 5.0)
    rows = [f"{1651449600 + 300 * i},{9 if i < 200 else 5}" for i in range(300)]
    (tmp_path / "log.csv").write_text("\n".join(["time,celsius", *rows]) + "\n")
    program = {}
    for block in blocks:
        exec(compile(block, "python.md", "exec"), program)
    out = capsys.readouterr().out
    assert "2026-11-20 09:12:00+00:00  fridge.temperature  5.25 Cel  good\n" in out
    assert "offset +0.250 K" in out
    assert "5.0 Cel" in out
    assert "heat 2022-05-02 00:00:00+00:00 16:35:00 recovered" in out


def test_what_the_guide_tests_with_is_a_test_that_passes(bench, monkeypatch):
    text = (TOP / "docs" / "api" / "python.md").read_text()
    (block,) = re.findall(r"^```python skip\n(.*?)^```$", text, flags=re.M | re.S)
    bench.close()
    program = {}
    exec(compile("import kryos\n" + block, "python.md", "exec"), program)
    program["test_a_warm_fridge_is_seen"]()
