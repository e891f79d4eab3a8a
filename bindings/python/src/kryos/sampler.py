# SPDX-License-Identifier: Apache-2.0
"""Measuring in rounds, each of which is on the disk before it is told."""
import os
import shutil
import tempfile
import warnings
import weakref
from typing import Any, Dict, Iterator, Mapping, Optional, Union

from ._library import PathLike, Seconds, check, encode, lib, nanoseconds, sized
from .context import Closable, Context, Handle
from .errors import InputError
from .readings import Event, Reading
from .store import Store

Probes = Union[str, Mapping[str, str]]


class _Folder:
    """A folder that goes with whoever made it: a child of a fork must not take the parent's away."""

    def __init__(self) -> None:
        self.name = tempfile.mkdtemp(prefix="kryos-")
        self.remove = weakref.finalize(self, self._remove, self.name, os.getpid())

    @staticmethod
    def _remove(name: str, pid: int) -> None:
        if os.getpid() == pid:
            shutil.rmtree(name, ignore_errors=True)


class Sampler(Handle):
    """Measures sensors in rounds and hands each round to a store. It runs while the context's process is called.

    every: between rounds. record: None stores every measurement, else mean, min and max of each such period.
    manual: rounds happen when round() is called.
    """

    def __init__(self, store: Store, *, every: Seconds = 60, record: Optional[Seconds] = None,
                 manual: bool = False) -> None:
        super().__init__("the sampler", store.context)
        self.store = store
        config = sized("kryos_sampler_config")
        config.every_ns = nanoseconds(every)
        config.record_ns = nanoseconds(record) if record is not None else 0
        config.manual = manual
        with store.guard:
            self._open("kryos_sampler", lib.kryos_sampler_new, config, under=store.pointer)
        self.context.samplers.add(self)

    def _close(self, pointer: Any) -> None:
        # With its store it went too.
        if not self.store.closed:
            lib.kryos_sampler_free(pointer)

    def add(self, name: str, device: str) -> None:
        """Adds a sensor; one that is absent is looked for until it is there. InputError: no such driver, or the name is
        in use."""
        with self.context.guard, self.context.lock, self.store.guard, self.guard:
            check(lib.kryos_sampler_add(self.pointer, encode(name), encode(device)))

    def round(self) -> None:
        """Starts a round of every sensor now; done when busy is false."""
        with self.context.guard, self.context.lock, self.store.guard, self.guard:
            check(lib.kryos_sampler_round(self.pointer))

    @property
    def busy(self) -> bool:
        """A round is under way, or its readings are not yet on the disk."""
        with self.context.guard, self.context.lock, self.store.guard, self.guard:
            return bool(check(lib.kryos_sampler_busy(self.pointer)))


class Readings(Closable, Iterator[Reading]):
    """What kryos.sample gives: the readings, one by one, each of them on the disk. Breaking off is allowed at any time;
    what was measured until then is kept. It takes the news of its context, so there is one at a time."""

    def __init__(self, store: Store, probes: Mapping[str, str], every: Seconds, seconds: Optional[Seconds],
                 folder: Optional[_Folder] = None, owned: bool = False) -> None:
        self.store = store
        self._owned, self._folder = owned, folder
        self._names = tuple(f"{name}." for name in probes)
        self.is_over = True
        context = store.context
        with context.lock:
            other = context.sampling() if context.sampling else None
            if other and not other.is_over:
                raise InputError(-22, "the context samples already: all probes in one call, or a context for each")
            context.sampling = weakref.ref(self)
        # What an earlier one left behind is news no more.
        self._start_ns = context.now().boot_ns
        for _ in context.events():
            pass
        self._sampler = Sampler(store, every=every)
        # From the first round on, which is within one interval: as many rounds as fit, the first one counted.
        self._length_ns = None if seconds is None else max(nanoseconds(seconds) - nanoseconds(every) // 2, 0)
        self._end_ns = None if self._length_ns is None else (
            self._start_ns + nanoseconds(every) + self._length_ns)
        self._begun = self.is_over = False
        try:
            for name, device in probes.items():
                self._sampler.add(name, device)
            self._tell_trouble(store.status.text)
        except BaseException:
            self.close()
            raise

    def __next__(self) -> Reading:
        context, last_look = self.store.context, False
        while not self.is_over:
            reading = next(filter(None, map(self._take, context.events())), None)
            if reading:
                return reading
            if last_look:
                break
            left = self._left()
            # What was accepted since the look before is told by one more.
            last_look = left == 0 and not self._sampler.busy
            if not last_look:
                context.wait(None if left is None else max(left, 0.01))
            context.process()
        self.close()
        raise StopIteration

    def _left(self) -> Optional[float]:
        """Seconds until the end; None: there is none."""
        if self._end_ns is None:
            return None
        return max(self._end_ns - self.store.context.now().boot_ns, 0) / 1e9

    def _take(self, event: Event) -> Optional[Reading]:
        if event.dropped:
            warnings.warn(f"{event.dropped} pieces of news were dropped: the store has all readings", RuntimeWarning,
                          stacklevel=3)
        if event.type == "store" and event.code < 0:
            self._tell_trouble(event.text)
        if event.type != "sample" or not event.reading or not event.reading.channel.startswith(self._names):
            return None
        # It was on its way to the disk when an earlier one was left.
        if event.reading.boot_ns < self._start_ns:
            return None
        if not self._begun and self._length_ns is not None:
            self._end_ns = event.reading.boot_ns + self._length_ns
        self._begun = True
        return event.reading

    def _tell_trouble(self, why: str) -> None:
        """Readings that are not on the disk are not given, so somebody would wait for them in vain."""
        if why:
            warnings.warn(f"{self.store.path}: readings come once they are on the disk: {why}", RuntimeWarning,
                          stacklevel=4)

    def fileno(self) -> int:
        return self.store.context.fileno()

    def close(self) -> None:
        """Stops measuring. The store stays open, if it was given."""
        self.is_over = True
        self._sampler.close()
        if self._owned:
            self.store.close()
        if self._folder:
            self._folder.remove()

    def __del__(self) -> None:
        # A loop that was left by break, or by Ctrl-C.
        if not getattr(self, "is_over", True):
            self.close()


def sample(probes: Probes, *, into: Union[Store, PathLike, None] = None, every: Seconds = 60,
           seconds: Optional[Seconds] = None, context: Optional[Context] = None) -> Readings:
    """Measures probes every so often, for seconds or until it is left, and gives each reading once it is on the disk.

    probes: {"fridge": "ds18b20@w1:any"}, or one device string, whose driver is then the name. into: a store, or its
    folder; without it the readings are kept until the iteration ends. Rounds fall on whole intervals since the machine
    was started, so the first comes within one. A probe that is absent gives readings that say so.
    """
    named = _named(probes)
    if nanoseconds(every) <= 0 or (seconds is not None and nanoseconds(seconds) <= 0):
        raise InputError(-22, f"every {every!r}, seconds {seconds!r}: more than 0 is allowed")
    if isinstance(into, Store):
        return Readings(into, named, every, seconds)
    folder = _Folder() if into is None else None
    store: Optional[Store] = None
    try:
        store = Store(folder.name if folder else into, context=context)  # type: ignore[arg-type]
        return Readings(store, named, every, seconds, folder, owned=True)
    except BaseException:
        if store:
            store.close()
        if folder:
            folder.remove()
        raise


def _named(probes: Probes) -> Dict[str, str]:
    if isinstance(probes, str):
        return {probes.partition("@")[0] or "probe": probes}
    if not isinstance(probes, Mapping) or not probes:
        raise InputError(-22, 'probes: a device string, or {"name": "driver@bus:place"} with at least one')
    return dict(probes)
