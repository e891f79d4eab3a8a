# SPDX-License-Identifier: Apache-2.0
"""Readings by the million: filled by C, as numpy wants them. numpy and pandas are imported when they are asked for."""
import warnings
from typing import TYPE_CHECKING, Any, Callable, Sequence, Tuple

from ._library import ffi, lib, text

if TYPE_CHECKING:
    import numpy
    import pandas

_FIRST = 1 << 16


def _dtype() -> Any:
    """struct kryos_row, field by field."""
    import numpy

    dtype = numpy.dtype([("seq", "i8"), ("time", "datetime64[ns]"), ("value", "f8"), ("channel", "u4"),
                         ("round", "u4"), ("boot", "u4"), ("quality", "u2"), ("trust", "u2")])
    assert dtype.itemsize == ffi.sizeof("struct kryos_row")
    return dtype


def read_all(read: Callable[[Any, int], int]) -> "numpy.ndarray[Any, Any]":
    """read(rows, count) writes rows and says how many, or raises; none: there are no more.

    Fewer than count is no end: what can't be read is told by the call behind it.
    """
    import numpy

    rows, done = numpy.empty(_FIRST, _dtype()), 0
    while True:
        room = len(rows) - done
        got = read(ffi.from_buffer("struct kryos_row[]", rows[done:]), room)
        done += got
        # The memory moves rather than its content: nobody else has seen it yet.
        if not got:
            rows.resize(done, refcheck=False)
            return rows
        if done == len(rows):
            rows.resize(2 * len(rows), refcheck=False)


def channels_of(rows: "numpy.ndarray[Any, Any]", name: Callable[[int], str]) -> Tuple[Tuple[int, str], ...]:
    """Numbers and names of the channels that are there; 0 is none."""
    import numpy

    return tuple((int(number), name(int(number))) for number in numpy.unique(rows["channel"]) if number)


def to_wide(rows: "numpy.ndarray[Any, Any]", channels: Sequence[Tuple[int, str]]) -> "pandas.DataFrame":
    """One row for each round, NaN where a reading is not good. What belongs to no round is a row for each instant."""
    import numpy
    import pandas

    rows = rows[rows["channel"] != 0]
    # A bus that was slow may have handed in its part of a round behind the next one.
    rows = rows[numpy.lexsort((rows["round"], rows["time"], rows["boot"]))]
    first = numpy.ones(len(rows), bool)
    first[1:] = False
    for field in ("boot", "time", "round"):
        first[1:] |= rows[field][1:] != rows[field][:-1]
    line = numpy.cumsum(first) - 1
    index = pandas.DatetimeIndex(rows["time"][first], tz="UTC", name="time")
    frame, covered = {}, 0
    for number, name in channels:
        wanted = (rows["channel"] == number) & (rows["quality"] == lib.KRYOS_QUALITY_GOOD)
        column = numpy.full(len(index), numpy.nan)
        column[line[wanted]] = rows["value"][wanted]
        frame[name] = column
        covered += int(wanted.sum() - numpy.isfinite(column).sum())
    if covered:
        warnings.warn(f"{covered} readings have channel, time and round of a later one, which has their place in the "
                      "table: long=True has all", RuntimeWarning, stacklevel=3)
    return pandas.DataFrame(frame, index=index)


def to_long(rows: "numpy.ndarray[Any, Any]", channels: Sequence[Tuple[int, str]],
            unit: Callable[[int], str]) -> "pandas.DataFrame":
    """Every reading, with all that is known of it."""
    import numpy
    import pandas

    def words(field: str, of: Callable[[int], str]) -> Any:
        names = [of(number) for number in range(int(rows[field].max()) + 1)] if len(rows) else []
        kinds = sorted(set(names))
        codes = numpy.array([kinds.index(name) for name in names], int)
        return pandas.Categorical.from_codes(codes[rows[field]], kinds)

    named = dict(channels)
    return pandas.DataFrame({
        "channel": words("channel", lambda number: named.get(number, "?")),
        "value": rows["value"],
        "unit": words("channel", unit),
        "quality": words("quality", lambda number: text(lib.kryos_quality_name(number))),
        "trust": words("trust", lambda number: text(lib.kryos_trust_name(number))),
        "seq": rows["seq"],
        "round": rows["round"],
        "boot": rows["boot"],
    }, index=pandas.DatetimeIndex(rows["time"], tz="UTC", name="time"))
