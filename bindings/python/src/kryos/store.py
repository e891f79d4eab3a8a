# SPDX-License-Identifier: Apache-2.0
"""A store: what is kept in a folder, by its one writer and by any number of readers."""
import math
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Optional, Tuple, Union

from . import tables
from ._library import (PathLike, Seconds, absolute, check, encode, ffi, lib, nanoseconds, number_of, path_bytes,
                       sized, text, time_ns_of, time_of)
from .context import Context, Handle
from .errors import InputError
from .readings import Event, Reading, event_of, reading_of

if TYPE_CHECKING:
    import numpy
    import pandas

_FULL = {"drop-oldest": 1, "refuse": 2}


class DamageWarning(UserWarning):
    """Rows were left out whose checksum is wrong: kryos.verify says where."""


class Readable(Handle):
    """What is kept in a folder, to be read. Each call begins with the oldest and sees what is there by then."""

    path: str

    @contextmanager
    def _reader(self, since: Optional[datetime] = None) -> Iterator[Any]:
        raise NotImplementedError
        yield

    def readings(self, since: Optional[datetime] = None) -> Iterator[Reading]:
        """The readings, oldest first, from the first at or after a time on."""
        out = ffi.new("struct kryos_record **")
        with self._reader(since) as reader:
            while True:
                with self.context.guard, self.guard:
                    if not check(lib.kryos_reader_next(reader, out)):
                        break
                    record = out[0]
                    reading = reading_of(record.sample, text(record.channel), text(record.unit))
                yield reading

    __iter__ = readings

    def events(self) -> Iterator[Event]:
        """The stored events, oldest first."""
        out = ffi.new("struct kryos_record **")
        with self._reader() as reader:
            while True:
                with self.context.guard, self.guard:
                    if not check(lib.kryos_reader_next_event(reader, out)):
                        break
                    event = _stored_event(self.context, out[0])
                yield event

    def to_numpy(self, since: Optional[datetime] = None) -> "numpy.ndarray[Any, Any]":
        """Every reading as a structured array, filled by C: seq, time, value, channel, round, boot, quality, trust.

        value is NaN where there is none; channel_name() has names, quality_name() words.
        """
        def read(rows: Any, count: int) -> int:
            with self.context.guard, self.guard:
                return check(lib.kryos_reader_read_rows(reader, rows, count))

        with self._reader(since) as reader:
            rows = tables.read_all(read)
        strangers = len(rows) - int((rows["channel"] != 0).sum())
        if strangers:
            warnings.warn(f"{self.path}: {strangers} readings are of channels that have another unit in this context: "
                          "they are of channel 0, and in no column of to_pandas; iterating gives their names",
                          RuntimeWarning, stacklevel=2)
        return rows

    def to_pandas(self, since: Optional[datetime] = None, *, long: bool = False) -> "pandas.DataFrame":
        """One row for each round, a column for each channel, NaN where the reading is not good; UTC index.

        long: one row for each reading, whatever its quality, with channel, value, unit, quality, trust, seq.
        """
        rows = self.to_numpy(since)
        channels = tables.channels_of(rows, self.context.channel_name)
        if long:
            return tables.to_long(rows, channels, self.context.channel_unit)
        return tables.to_wide(rows, channels)

    def channel_name(self, number: int) -> str:
        return self.context.channel_name(number)


def _stored_event(context: Context, record: Any) -> Event:
    event = record.event
    reading = context.reading(event.sample) if event.sample.channel else None
    return event_of(event, reading, time_of(record.sample.t_wall_ns), record.seq)


def _warn_of_damage(reader: Any, path: str) -> None:
    damaged, newer = ffi.new("uint64_t *"), ffi.new("uint32_t *")
    if lib.kryos_reader_get_damaged(reader, damaged) >= 0 and damaged[0]:
        warnings.warn(f"{path}: {damaged[0]} damaged rows or segments were left out; kryos.verify says where",
                      DamageWarning, stacklevel=5)
    if lib.kryos_reader_get_newer(reader, newer) >= 0 and newer[0]:
        warnings.warn(f"{path}: {newer[0]} segments of a newer version's format were left out", DamageWarning,
                      stacklevel=5)


@dataclass(frozen=True)
class StoreStatus:
    device: str
    samples: int
    first_seq: int
    last_seq: int
    bytes: int
    limit_bytes: int
    segments: int
    gaps: int
    volatile: int  # readings in memory only
    error: int  # 0: healthy
    text: str  # why it is not
    last_sync: float  # seconds
    worst_sync: float


class Store(Readable):
    """Opens or makes the store in a folder, as its one writer. What a power cut left behind is recovered.

    full: what happens at a limit: "drop-oldest", or "refuse". Sizes are in bytes, times in seconds or timedeltas.
    """

    def __init__(self, path: PathLike, *, keep: Optional[Seconds] = None, keep_bytes: int = 0,
                 full: str = "drop-oldest", segment: Optional[Seconds] = None,
                 context: Optional[Context] = None) -> None:
        self.path = absolute(path)
        if full not in _FULL:
            raise InputError(-22, f"full {full!r}: drop-oldest and refuse are allowed")
        super().__init__(f"store {self.path}", context)
        config = sized("kryos_store_config")
        config.full = _FULL[full]
        config.keep_ns = nanoseconds(keep) if keep is not None else 0
        config.keep_bytes = keep_bytes
        config.segment_ns = nanoseconds(segment) if segment is not None else 0
        self._open("kryos_store", lib.kryos_store_open, path_bytes(self.path), config)

    def _close(self, pointer: Any) -> None:
        got = sized("kryos_store_status")
        if lib.kryos_store_get_status(pointer, got) >= 0 and got.error and got.volatile_samples:
            warnings.warn(f"{self.path}: closed while {got.volatile_samples} readings were in memory only: "
                          f"{text(got.text)}", RuntimeWarning, stacklevel=3)
        lib.kryos_store_close(pointer)

    @contextmanager
    def _reader(self, since: Optional[datetime] = None) -> Iterator[Any]:
        with Reader(self.path, context=self.context) as reader:
            with reader._reader(since) as pointer:
                yield pointer

    def append(self, readings: Union[Reading, Iterable[Reading]]) -> Tuple[Reading, ...]:
        """Keeps readings as one commit, and gives them with their seq once they are durable.

        VolatileError: the disk failed; they are kept in memory and written when it is back. Do not append them again.
        """
        given = (readings,) if isinstance(readings, Reading) else tuple(readings)
        samples = ffi.new("struct kryos_sample[]", len(given) or 1)
        for sample, reading in zip(samples, given):
            self._fill(sample, reading)
        with self.context.guard, self.guard:
            check(lib.kryos_store_append(self.pointer, samples, len(given)))
            return tuple(self.context.reading(samples[i]) for i in range(len(given)))

    def _fill(self, sample: Any, reading: Reading) -> None:
        micro, row = ffi.new("int64_t *"), ffi.new("struct kryos_row *")
        if not math.isnan(reading.value):
            check(lib.kryos_micro_from_double(reading.value, micro))
        sample.value_micro = micro[0]
        sample.channel = self.context.channel(reading.channel, reading.unit)
        sample.quality = number_of(lib.kryos_quality_name, reading.quality, "quality")
        sample.trust = number_of(lib.kryos_trust_name, reading.trust, "trust")
        sample.t_boot_ns = reading.boot_ns
        # Of a copy with another time the nanoseconds are the original's.
        exact = time_of(reading.time_ns) == reading.time
        sample.t_wall_ns = reading.time_ns if exact else time_ns_of(reading.time)
        sample.round = reading.round
        lib.kryos_row_from_sample(ffi.addressof(sample), row)
        # In C it would be a zero, and good.
        if math.isnan(reading.value) and not math.isnan(row.value):
            raise InputError(-22, f"{reading.channel}: a NaN can't be {reading.quality}; where there is no value, quality "
                                  "is \"absent\", or says what failed")

    def note(self, name: str, text: str) -> None:
        """Stores an event of type audit: who did what. It is durable a moment later."""
        event = sized("kryos_event")
        event.type = lib.KRYOS_EVENT_AUDIT
        words = ffi.new("char[]", encode(name)), ffi.new("char[]", encode(text))
        event.name, event.text = words
        with self.context.guard, self.guard:
            check(lib.kryos_store_add_event(self.pointer, event))

    def flush(self, timeout: float = 30.0) -> None:
        """Waits until all that was handed in before is durable."""
        with self.context.guard, self.guard:
            check(lib.kryos_store_flush(self.pointer, nanoseconds(timeout)))

    @property
    def status(self) -> StoreStatus:
        got = sized("kryos_store_status")
        with self.context.guard, self.guard:
            check(lib.kryos_store_get_status(self.pointer, got))
        return StoreStatus(text(got.device), got.samples, got.first_seq, got.last_seq, got.bytes, got.limit_bytes,
                           got.segments, got.gaps, got.volatile_samples, got.error, text(got.text),
                           got.last_sync_ns / 1e9, got.worst_sync_ns / 1e9)


class Reader(Readable):
    """Looks at a store, or at a bundle, without owning it, while another process writes or none does."""

    def __init__(self, path: PathLike, *, context: Optional[Context] = None) -> None:
        self.path = absolute(path)
        self._idle = threading.Lock()
        super().__init__(f"reader of {self.path}", context)
        self._open("kryos_reader", lib.kryos_reader_open, path_bytes(self.path))

    def _close(self, pointer: Any) -> None:
        lib.kryos_reader_close(pointer)

    @contextmanager
    def _reader(self, since: Optional[datetime] = None) -> Iterator[Any]:
        # Its place is one: who looks while another is on the way looks through a reader of its own.
        if not self._idle.acquire(blocking=False):
            with Reader(self.path, context=self.context) as other:
                with other._reader(since) as pointer:
                    yield pointer
            return
        try:
            with self.context.guard, self.guard:
                if since is None:
                    check(lib.kryos_reader_seek(self.pointer, 1))
                else:
                    check(lib.kryos_reader_seek_time(self.pointer, time_ns_of(since)))
            yield self.pointer
            with self.context.guard, self.guard:
                _warn_of_damage(self.pointer, self.path)
        finally:
            self._idle.release()


def open(path: PathLike, *, context: Optional[Context] = None) -> Reader:
    """A store's folder, or a bundle, to be read."""
    return Reader(path, context=context)


def quality_name(number: int) -> str:
    """The word for a number of to_numpy()."""
    return text(lib.kryos_quality_name(number))


__all__ = ["DamageWarning", "Reader", "Store", "StoreStatus", "open", "quality_name"]
