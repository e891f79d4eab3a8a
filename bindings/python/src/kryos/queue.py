# SPDX-License-Identifier: Apache-2.0
"""A named reader of a store that remembers, over restarts, what it still owes."""
from dataclasses import dataclass
from typing import Any, Iterator, Optional, Sequence, Union

from ._library import check, encode, ffi, lib, sized, text
from .context import Handle
from .readings import Event, Reading, reading_of
from .store import Store, _stored_event

_STREAMS = {1: "events", 2: "live", 4: "backlog"}


@dataclass(frozen=True)
class Record:
    """What is lent until it is acknowledged: a reading or an event. (device, epoch, seq) is its id, for ever."""

    device: str
    epoch: int
    seq: int
    stream: str
    historical: bool
    volatile: bool
    salvaged: bool
    reading: Optional[Reading] = None
    event: Optional[Event] = None


@dataclass(frozen=True)
class QueueStatus:
    owed: int
    lent: int
    acked: int
    rejected: int
    dead_letters: int


class Queue(Handle):
    """Opens or makes the queue of that name. Iterating lends what is owed now, each record once a session, until ack.

    channels: a name or pattern as "fridge.*", or several; None: all. from_now: a new queue owes only what comes from
    now on.
    """

    def __init__(self, store: Store, name: str, *, channels: Union[str, Sequence[str], None] = None,
                 from_now: bool = False) -> None:
        super().__init__(f"queue {name}", store.context)
        self.store = store
        config = sized("kryos_queue_config")
        config.from_now = from_now
        names = [channels] if isinstance(channels, str) else channels
        wanted = ffi.NULL if names is None else ffi.new("char[]", encode(",".join(names)))
        config.channels = wanted
        with store.guard:
            self._open("kryos_queue", lib.kryos_queue_open, encode(name), config, under=store.pointer)

    def _close(self, pointer: Any) -> None:
        if not self.store.closed:
            lib.kryos_queue_close(pointer)

    def next(self) -> Optional[Record]:
        """The next record that is owed, events first; None: none now."""
        out = ffi.new("struct kryos_record **")
        # What is lent lives until the next call, so no other thread may come between.
        with self.context.guard, self.context.lock, self.store.guard, self.guard:
            if not check(lib.kryos_queue_next(self.pointer, out)):
                return None
            record = out[0]
            is_event = record.event != ffi.NULL
            return Record(text(record.device), record.epoch, record.seq, _STREAMS.get(record.stream, "?"),
                          bool(record.flags & 1), bool(record.flags & 2), bool(record.flags & 4),
                          None if is_event else reading_of(record.sample, text(record.channel), text(record.unit)),
                          _stored_event(self.context, record) if is_event else None)

    def __iter__(self) -> Iterator[Record]:
        record = self.next()
        while record:
            yield record
            record = self.next()

    def ack(self, seq: int) -> None:
        """The far end has it."""
        self._say(lib.kryos_queue_ack, seq)

    def reject(self, seq: int, reason: str) -> None:
        """The far end will never take it: it becomes a dead letter and blocks nothing."""
        self._say(lib.kryos_queue_reject, seq, encode(reason))

    def release(self, seq: int) -> None:
        """It was not sent after all: it is lent again."""
        self._say(lib.kryos_queue_release, seq)

    def resend(self, first: int, last: int) -> None:
        """Owes these again, as backlog."""
        self._say(lib.kryos_queue_resend, first, last)

    def commit(self) -> None:
        """Makes durable what was acknowledged; else that happens by itself, after 100 or 5 s, and at close."""
        self._say(lib.kryos_queue_commit)

    def _say(self, call: Any, *arguments: Any) -> None:
        with self.context.guard, self.store.guard, self.guard:
            check(call(self.pointer, *arguments))

    @property
    def status(self) -> QueueStatus:
        got = sized("kryos_queue_status")
        self._say(lib.kryos_queue_get_status, got)
        return QueueStatus(got.owed, got.lent, got.acked, got.rejected, got.dead_letters)
