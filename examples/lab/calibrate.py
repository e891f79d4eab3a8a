# SPDX-License-Identifier: Apache-2.0
"""Calibrates a probe against a reference in a bath: at each point waits until both are still, and takes their means.

    python3 calibrate.py ds18b20@w1:any tmp117@i2c-1:0x48 --points 3 --store calibration

What it prints goes to the station file, below the probe's [sensor]. Every reading is kept in the store.
"""
import argparse
from collections import deque

import kryos

CHANNELS = "probe.temperature", "reference.temperature"


def settle(readings, count, within):
    """Takes readings until the last count of both lie within that many kelvin: their means, by channel."""
    last = {}
    for reading in readings:
        if reading.channel not in CHANNELS:
            continue  # its humidity, say
        if not reading.is_good:
            print(f"  {reading}")
            last.pop(reading.channel, None)  # what was still before tells nothing about what comes after
            continue
        last.setdefault(reading.channel, deque(maxlen=count)).append(reading.value)
        still = [values for values in last.values() if len(values) == count and max(values) - min(values) <= within]
        if len(still) == len(CHANNELS):
            return {channel: sum(values) / count for channel, values in last.items()}
    raise SystemExit("calibrate: the time is over, and they are not still: a better stirred bath, or a larger --within")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("probe", help="device string of what is calibrated")
    parser.add_argument("reference", help="device string of what is right")
    parser.add_argument("--points", type=int, default=1, help="1: an offset; 2 to 8: lines between them, coldest first")
    parser.add_argument("--store", default="calibration", help="folder of the record")
    parser.add_argument("--every", type=float, default=10, help="seconds")
    parser.add_argument("--count", type=int, default=30, help="readings that must be still")
    parser.add_argument("--within", type=float, default=0.1, help="kelvin")
    parser.add_argument("--patience", type=float, default=7200, help="seconds for each point")
    options = parser.parse_args()
    if not 1 <= options.points <= 8:
        parser.error(f"--points {options.points}: 1 to 8 are allowed")

    points = []
    probes = {"probe": options.probe, "reference": options.reference}
    with kryos.Store(options.store) as store:
        while len(points) < options.points:
            input(f"Point {len(points) + 1} of {options.points}: both in the bath, then Enter ")
            with kryos.sample(probes, into=store, every=options.every, seconds=options.patience) as readings:
                means = settle(readings, options.count, options.within)
            point = tuple(means[channel] for channel in CHANNELS)
            if points and not (point[0] > points[-1][0] and point[1] > points[-1][1]):
                print(f"  {point[0]:.3f} C is not above the point before it; warmer, please")
                continue
            points.append(point)
            print(f"  probe {point[0]:.3f} C, reference {point[1]:.3f} C: {point[1] - point[0]:+.3f} K")
            store.note("calibration", f"probe {point[0]:.6f} C, reference {point[1]:.6f} C")
        store.flush()
        day = store.context.now().time.date()
    print("\n[channel probe.temperature]")
    if len(points) == 1:
        print(f"offset     = {points[0][1] - points[0][0]:.3f}")
    else:
        print("points     = " + " ".join(f"{reading:.3f}:{true:.3f}" for reading, true in points))
    print(f"calibrated = {day}")


if __name__ == "__main__":
    main()
