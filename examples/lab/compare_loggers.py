# SPDX-License-Identifier: Apache-2.0
"""Compares two loggers that lay side by side: how far apart they are, whether they drift, where they differ most.

    python3 compare_loggers.py ours.csv theirs.csv [--within 300] [-o difference.png]
"""
import argparse

import numpy
import pandas

import kryos


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--within", type=float, help="seconds between two readings that are a pair; an interval's half")
    parser.add_argument("-o", "--output", help="a plot of the difference")
    options = parser.parse_args()

    try:
        logs = [kryos.evaluate(path) for path in (options.first, options.second)]
    except kryos.Error as error:
        raise SystemExit(f"compare_loggers: {error}") from None
    first, second = (log.to_pandas().set_axis([name], axis="columns") for log, name in zip(logs, ("first", "second")))
    half = max(log.interval for log in logs) / 2
    within = half if options.within is None else pandas.Timedelta(seconds=options.within)
    pairs = pandas.merge_asof(first, second, left_index=True, right_index=True, direction="nearest",
                              tolerance=pandas.Timedelta(within)).dropna()
    if len(pairs) < 2:
        raise SystemExit("compare_loggers: no two readings are of one time; --within allows them to be further apart")

    difference = pairs["first"] - pairs["second"]
    days = (pairs.index - pairs.index[0]) / pandas.Timedelta(days=1)
    drift = numpy.polyfit(days, difference, 1)[0] if days[-1] > 0 else 0.0
    worst = difference.abs().idxmax()
    print(f"{len(pairs)} pairs, {pairs.index[0]:%Y-%m-%d %H:%M} to {pairs.index[-1]:%Y-%m-%d %H:%M} UTC")
    print(f"offset {difference.mean():+.3f} K, spread {difference.std():.3f} K, drift {drift:+.4f} K a day")
    print(f"furthest apart {difference[worst]:+.3f} K at {worst:%Y-%m-%d %H:%M}")
    for path, log in zip((options.first, options.second), logs):
        print(f"{path}: {log.min_c:.1f} to {log.max_c:.1f} C, {len(log.episodes)} alarms, {len(log.gaps)} gaps")
    if options.output:
        difference.plot(ylabel="kelvin").figure.savefig(options.output)


if __name__ == "__main__":
    main()
