# SPDX-License-Identifier: Apache-2.0
"""The context that everything hangs off, and its loop: two calls, and a descriptor for somebody else's."""
import select
import threading
import weakref
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Callable, Iterator, Optional, Type, TypeVar

from ._guard import Guard
from ._library import check, encode, ffi, lib, sized, text, time_of
from .errors import InputError
from .readings import Event, Reading, event_of, reading_of

Self = TypeVar("Self", bound="Closable")

# What kryos.testing puts in the place of clock and buses.
make_hook: Optional[Callable[["Context", Any], None]] = None
made_hook: Optional[Callable[["Context"], None]] = None
wait_hook: Optional[Callable[["Context", Optional[float]], bool]] = None

_LEVELS = {"error": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}


class Closable:
    """What is closed at the end of a with statement, when it is told to, or at the latest when the program ends."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()


@dataclass(frozen=True)
class Time:
    """The time now, and how far it can be believed: none, floor, rtc, synced."""

    time: datetime
    trust: str
    boot_ns: int


class Context(Closable):
    """Buses, workers, news and time. Every other constructor makes its own unless it is given one.

    log: "stderr" or "syslog" for what the library absorbs, from level on; None: silent.
    """

    def __init__(self, *, log: Optional[str] = None, level: str = "notice") -> None:
        config = sized("kryos_ctx_config")
        if log not in (None, "stderr", "syslog") or level not in _LEVELS:
            raise InputError(-22, f"log {log!r}, level {level!r}: stderr, syslog, and {', '.join(_LEVELS)} are allowed")
        if log:
            config.log = ffi.addressof(lib, f"kryos_log_to_{log}")
            config.log_level = _LEVELS[level]
        if make_hook:
            make_hook(self, config)
        out = ffi.new("struct kryos_ctx **")
        check(lib.kryos_ctx_new(out, config))
        self.pointer = out[0]
        self.guard = Guard("the context")
        # process, and what runs in it, belong to one thread at a time.
        self.lock = threading.RLock()
        self.samplers: "weakref.WeakSet[Any]" = weakref.WeakSet()
        self.sampling: "Optional[weakref.ref[Any]]" = None  # what takes the news
        self._end = weakref.finalize(self, lib.kryos_ctx_free, self.pointer)
        if made_hook:
            made_hook(self)

    def close(self) -> None:
        """Closes what is still open under it, newest first. Waits at most 5 s for what hangs in the kernel."""
        if self.guard.close():
            with self.lock:
                self._end()

    @property
    def closed(self) -> bool:
        return self.guard.closed

    def fileno(self) -> int:
        """One descriptor, readable when process has work: for select, or asyncio's add_reader."""
        with self.guard:
            return check(lib.kryos_ctx_get_fd(self.pointer))

    def process(self) -> None:
        """Moves everything on as far as it goes without waiting."""
        with self.guard, self.lock:
            check(lib.kryos_ctx_process(self.pointer))

    def busy(self) -> bool:
        """A round is under way, or its readings are not yet on the disk."""
        return any(sampler.busy for sampler in self.samplers if not sampler.closed)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Until there is work for process, at most timeout seconds; False: there is none. Can be interrupted."""
        if wait_hook:
            return wait_hook(self, timeout)
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        # Longer than poll can wait is as good as long.
        return bool(poll.poll(None if timeout is None else max(0, round(min(timeout, 86400) * 1000))))

    def next_event(self) -> Optional[Event]:
        """The oldest piece of news, or None. At most 256 wait; the store is the truth."""
        out = ffi.new("struct kryos_event **")
        with self.guard, self.lock:
            if not check(lib.kryos_ctx_next_event(self.pointer, out)):
                return None
            event = out[0]
            reading = self.reading(event.sample) if event.sample.channel else None
            return event_of(event, reading)

    def events(self) -> Iterator[Event]:
        """The news there is; it never waits. Call process before."""
        event = self.next_event()
        while event:
            yield event
            event = self.next_event()

    def now(self) -> Time:
        out = ffi.new("struct kryos_time *")
        with self.guard:
            check(lib.kryos_clock_now(self.pointer, out))
        return Time(time_of(out.t_wall_ns), text(lib.kryos_trust_name(out.trust)), out.t_boot_ns)

    def use_rtc(self, device: str) -> None:
        """Takes time from a real-time clock: "ds3231@i2c-1:0x68". Waits at most 2 s."""
        with self.guard:
            check(lib.kryos_clock_use_rtc(self.pointer, encode(device)))

    def channel(self, name: str, unit: str) -> int:
        """The number of a channel, which is added when new."""
        out = ffi.new("uint32_t *")
        with self.guard:
            check(lib.kryos_channel_add(self.pointer, encode(name), encode(unit), out))
        return int(out[0])

    def channel_name(self, number: int) -> str:
        with self.guard:
            return text(lib.kryos_channel_name(self.pointer, number))

    def channel_unit(self, number: int) -> str:
        with self.guard:
            return text(lib.kryos_channel_unit(self.pointer, number))

    def reading(self, sample: Any) -> Reading:
        """Of a struct kryos_sample of this context."""
        return reading_of(sample, self.channel_name(sample.channel), self.channel_unit(sample.channel))


class Handle(Closable):
    """An object of C under a context, its own or one that was given."""

    def __init__(self, what: str, context: Optional[Context]) -> None:
        self._owned = context is None
        self.context = Context() if context is None else context
        self.guard = Guard(what)
        self.pointer: Any = ffi.NULL

    def _open(self, kind: str, call: Callable[..., int], *arguments: Any, under: Any = None) -> None:
        """call(&pointer, context or the object that it hangs off, arguments...)."""
        out = ffi.new(f"struct {kind} **")
        try:
            with self.context.guard, self.context.lock:
                check(call(out, self.context.pointer if under is None else under, *arguments))
        except BaseException:
            if self._owned:
                self.context.close()
            raise
        self.pointer = out[0]

    def _close(self, pointer: Any) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Closes it, and the context that it made for itself. More than once is allowed."""
        # A context that was closed before has closed it.
        if self.guard.close() and not self.context.closed:
            with self.context.guard, self.context.lock:
                self._close(self.pointer)
        if self._owned:
            self.context.close()

    @property
    def closed(self) -> bool:
        return self.guard.closed or self.context.closed
