# SPDX-License-Identifier: Apache-2.0
"""Readings and events as values: frozen, comparable, with aware times in UTC."""
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ._library import ffi, lib, text, time_of


@dataclass(frozen=True)
class Reading:
    """One value of one channel at one instant.

    value is in unit (SenML's: "Cel", "%RH", "Pa"), and NaN where there is none: quality says why. trust says how far
    time can be believed: none, floor, rtc, synced.
    """

    channel: str
    value: float
    unit: str
    quality: str
    time: datetime
    trust: str = "none"
    seq: int = 0
    round: int = 0
    boot: int = 0
    time_ns: int = 0
    boot_ns: int = 0

    def __float__(self) -> float:
        return self.value

    @property
    def is_good(self) -> bool:
        return self.quality == "good"

    def __str__(self) -> str:
        number = "" if math.isnan(self.value) else f"{value_text(self.value)} {self.unit}  "
        return f"{self.time.isoformat(sep=' ', timespec='seconds')}  {self.channel}  {number}{self.quality}"


@dataclass(frozen=True)
class Event:
    """What has happened. type is the field's word for it: "sample", "sensor-lost", "alarm-on", "gap", ..."""

    type: str
    name: str
    text: str
    code: int
    first_seq: int
    last_seq: int
    dropped: int
    reading: Optional[Reading] = None
    time: Optional[datetime] = None
    seq: int = 0


def value_text(value: float) -> str:
    """As the library writes it: decimal, at most six decimals, without trailing zeros."""
    buffer = ffi.new("char[]", 40)
    micro = ffi.new("int64_t *")
    if lib.kryos_micro_from_double(value, micro) < 0:
        return repr(value)
    return text(lib.kryos_value_text(micro[0], buffer))


def reading_of(sample: Any, channel: str, unit: str) -> Reading:
    row = ffi.new("struct kryos_row *")
    lib.kryos_row_from_sample(ffi.addressof(sample), row)
    return Reading(channel, row.value, unit, text(lib.kryos_quality_name(sample.quality)), time_of(sample.t_wall_ns),
                   text(lib.kryos_trust_name(sample.trust)), sample.seq, sample.round, sample.boot, sample.t_wall_ns,
                   sample.t_boot_ns)


def event_of(event: Any, reading: Optional[Reading], time: Optional[datetime] = None, seq: int = 0) -> Event:
    return Event(text(lib.kryos_event_type_name(event.type)), text(event.name), text(event.text), event.code,
                 event.first_seq, event.last_seq, event.dropped, reading, time, seq)
