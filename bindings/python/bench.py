# SPDX-License-Identifier: Apache-2.0
"""How long a store takes to become an array. By hand, never part of a test:

    python3 bench.py FOLDER [--readings 1000000]     FOLDER is made where it is not there

Processor time is what counts on a machine that does other things too; beside it stands what SQLite itself takes for
going over the same rows, which is the limit.
"""
import argparse
import sqlite3
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import kryos


def fill(folder, readings):
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    names = [f"probe{number}.temperature" for number in range(8)]
    with kryos.Store(folder) as store:
        for first in range(0, readings // 8, 500):
            store.append([kryos.Reading(name, 5 + number % 100 / 100, "Cel", "good", start + timedelta(minutes=number),
                                        "synced", round=number + 1, boot_ns=(number + 1) * 60 * 10**9)
                          for number in range(first, min(first + 500, readings // 8)) for name in names])


def measure(what, call, runs=5):
    took = []
    for _ in range(runs):
        processor, wall = time.process_time(), time.perf_counter()
        count = call()
        took.append((time.process_time() - processor, time.perf_counter() - wall))
    processor, wall = min(took)
    print(f"{what:24} {count:9} rows  {processor:.3f} s processor, {wall:.3f} s wall (best of {runs})")


def bare_sqlite(folder):
    count = 0
    for segment in Path(folder).glob("*.seg"):
        database = sqlite3.connect(f"file:{segment}?mode=ro", uri=True)
        (rows,) = database.execute("SELECT count(*) FROM (SELECT * FROM sample WHERE value_micro + crc + t_wall_ns"
                                   " + t_boot_ns + channel + boot + round + trust + quality + alarm > 0)").fetchone()
        count += rows
        database.close()
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--readings", type=int, default=1000000)
    options = parser.parse_args()
    if not Path(options.folder).exists():
        fill(options.folder, options.readings)
    with kryos.open(options.folder) as reader:
        measure("bare SQLite, all columns", lambda: bare_sqlite(options.folder))
        measure("to_numpy()", lambda: len(reader.to_numpy()))
        measure("to_pandas()", lambda: len(reader.to_pandas()))
        measure("to_pandas(long=True)", lambda: len(reader.to_pandas(long=True)))


if __name__ == "__main__":
    main()
