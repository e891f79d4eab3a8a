# SPDX-License-Identifier: Apache-2.0
"""A bench without hardware: register-level models of chips on fake buses, and a clock that moves when it is told to.

While a bench is in force every new context is on it: its time is the bench's, and its buses are those with models.
Where a program waits, time goes on by tick once all that is under way is done: an hour of sampling takes seconds.
The models are those of libkryos-testing; the package must have been built with them (docs/api/python.md).
"""
import select
import weakref
from datetime import datetime, timezone
from typing import Any, Dict, Optional

from . import context as _context
from ._library import Seconds, check, encode, ffi, lib, nanoseconds, time_ns_of, time_of
from .context import Closable, Context
from .errors import InputError

_SOON = 0.02  # seconds that workers and disk have, for what is under way, before a look


class Model:
    """A chip. What it measures is set, in the unit of the quantity, and quantised as the chip does."""

    def __init__(self, pointer: Any) -> None:
        self._pointer = pointer

    def set(self, quantity: str, value: float) -> None:
        micro = ffi.new("int64_t *")
        check(lib.kryos_micro_from_double(value, micro))
        check(lib.kryos_model_set(self._pointer, encode(quantity), micro[0]))

    def plug(self, present: bool = True) -> None:
        """Plugs it in, which is a power-on, or with False unplugs it."""
        lib.kryos_model_set_present(self._pointer, present)


class Bench(Closable):
    """The bench; in force from its making to its close. start: what time it is, in UTC."""

    def __init__(self, start: datetime = datetime(2026, 11, 20, 9, 12, tzinfo=timezone.utc), *,
                 tick: Seconds = 1) -> None:
        if not hasattr(lib, "kryos_fake_clock_new"):
            raise ImportError("kryos.testing: this package was built without libkryos-testing; "
                              "KRYOS_PYTHON_TESTING=1 builds it with")
        if _context.make_hook:
            raise InputError(-22, "a bench is in force already; one at a time is allowed")
        self._tick_ns = nanoseconds(tick)
        self._buses: Dict[str, Any] = {}
        self._contexts: "weakref.WeakSet[Context]" = weakref.WeakSet()
        out = ffi.new("struct kryos_fake_clock **")
        check(lib.kryos_fake_clock_new(out, time_ns_of(start)))
        self._clock = out[0]
        lib.kryos_fake_clock_set_synced(self._clock, 1)
        _context.make_hook, _context.made_hook, _context.wait_hook = self._make, self._made, self._wait

    def add(self, device: str) -> Model:
        """Puts the chip that a device string names on its bus: "ds18b20@w1:28-0316a2795bff"."""
        driver, _, where = device.partition("@")
        name, _, place = where.partition(":")
        make = getattr(lib, f"kryos_fake_bus_add_{driver}", None)
        if not name or make is None:
            raise InputError(-22, f"{device!r}: there is no model of that; driver@bus:place is allowed")
        if name not in self._buses:
            bus = ffi.new("struct kryos_fake_bus **")
            check(lib.kryos_fake_bus_new(bus, encode(name)))
            self._buses[name] = bus[0]
            for context in self._contexts:
                check(lib.kryos_fake_bus_attach(bus[0], context.pointer))
        out = ffi.new("struct kryos_model **")
        check(make(self._buses[name], encode(place), out))
        return Model(out[0])

    @property
    def now(self) -> datetime:
        return time_of(lib.kryos_fake_clock_wall_ns(self._clock))

    def advance(self, duration: Seconds) -> None:
        """Time passes; what falls due is done by the next process."""
        lib.kryos_fake_clock_advance(self._clock, nanoseconds(duration))

    def close(self) -> None:
        """Closes every context on it, and takes it out of force."""
        if self._clock is None:
            return
        for context in list(self._contexts):
            context.close()
        _context.make_hook = _context.made_hook = _context.wait_hook = None
        for bus in self._buses.values():
            lib.kryos_fake_bus_free(bus)
        lib.kryos_fake_clock_free(self._clock)
        self._clock = None

    def _make(self, context: Context, config: Any) -> None:
        config.clock = lib.kryos_fake_clock_source()
        config.clock_userdata = self._clock

    def _made(self, context: Context) -> None:
        self._contexts.add(context)
        for bus in self._buses.values():
            check(lib.kryos_fake_bus_attach(bus, context.pointer))

    def _wait(self, context: Context, timeout: Optional[float]) -> bool:
        poll = select.poll()
        poll.register(context.fileno(), select.POLLIN)
        if poll.poll(0):
            return True
        # Workers have real time for what they do: the clock stands still meanwhile, so no round ends too early.
        if context.busy():
            return bool(poll.poll(round(_SOON * 1000)))
        step_ns = self._tick_ns if timeout is None else min(self._tick_ns, nanoseconds(timeout))
        lib.kryos_fake_clock_advance(self._clock, step_ns)
        return bool(poll.poll(0))
