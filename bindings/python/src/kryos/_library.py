# SPDX-License-Identifier: Apache-2.0
"""The C library, and what every module needs to speak with it."""
import os
from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import Any, Callable, List, Optional, Tuple, Union

from .errors import InputError, error_for

ffi: Any
lib: Any

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SONAME = "libkryos.so.0"

Seconds = Union[int, float, timedelta]
PathLike = Union[str, "os.PathLike[str]"]


def _load(name: str) -> Tuple[Any, Any]:
    from ._abi import ffi as abi_ffi

    try:
        loaded = abi_ffi.dlopen(name)
        number = loaded.kryos_version_number()
    except (OSError, abi_ffi.error) as error:
        raise ImportError(f"kryos: {error}; this package is without a compiled part, so libkryos must be "
                          "installed, or KRYOS_LIBRARY name it") from None
    # The declarations are of one version, whose layouts hold for all of the same minor one.
    ours = _version()
    if (number >> 16, number >> 8 & 255) != ours:
        raise ImportError(f"kryos: {name} is version {abi_ffi.string(loaded.kryos_version()).decode()}, "
                          f"and this package is for {ours[0]}.{ours[1]}")
    return abi_ffi, loaded


def _version() -> Tuple[int, int]:
    from importlib.metadata import version

    major, minor = version("kryos").split(".")[:2]
    return int(major), int(minor)


if "KRYOS_LIBRARY" in os.environ:
    ffi, lib = _load(os.environ["KRYOS_LIBRARY"])
else:
    try:
        _compiled = import_module("kryos._ffi")
        ffi, lib = _compiled.ffi, _compiled.lib
    except ModuleNotFoundError:
        ffi, lib = _load(_SONAME)


def check(result: int) -> int:
    """The result of a call, or its error."""
    if result < 0:
        raise error_for(result, text(lib.kryos_strerror(result)))
    return result


def text(pointer: Any) -> str:
    """A C string; what is no UTF-8 in it does not come as something else."""
    return "" if pointer == ffi.NULL else str(ffi.string(pointer).decode("utf-8", "surrogateescape"))


def encode(value: Optional[str]) -> Any:
    """For a call's argument: NULL for None."""
    return ffi.NULL if value is None else _whole(value.encode("utf-8", "surrogateescape"))


def path_bytes(path: PathLike) -> bytes:
    return _whole(os.fsencode(path))


def _whole(value: bytes) -> bytes:
    """C would take what stands before a NUL for all of it."""
    if b"\0" in value:
        raise InputError(-22, f"{value!r}: a NUL byte is not allowed")
    return value


def number_of(name: Callable[[int], Any], word: str, what: str) -> int:
    """The number of a word, by the call that gives the word for a number."""
    words: List[str] = []
    while text(name(len(words))) != "?":
        words.append(text(name(len(words))))
    if word not in words:
        raise InputError(-22, f"{what} {word!r}: {', '.join(words)} are allowed")
    return words.index(word)


def sized(kind: str) -> Any:
    """A struct of C with its size filled in, as configs and statuses want it."""
    struct = ffi.new(f"struct {kind} *")
    struct.size = ffi.sizeof(f"struct {kind}")
    return struct


def nanoseconds(duration: Seconds) -> int:
    """Of seconds, or of a timedelta: exact where it is whole microseconds."""
    try:
        exact = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
    except (ValueError, OverflowError):
        exact = timedelta.max
    ns = (exact // timedelta(microseconds=1)) * 1000
    if abs(ns) >= 1 << 63:
        raise InputError(-22, f"{duration!r} is no duration; seconds or a timedelta below 292 years are allowed")
    return ns


def time_of(t_ns: int) -> datetime:
    """An instant in UTC. Of its nanoseconds a datetime has the microseconds."""
    return _EPOCH + timedelta(microseconds=t_ns // 1000)


def time_ns_of(when: datetime) -> int:
    if when.tzinfo is None:
        raise InputError(-22, f"{when}: the time has no zone; datetime(..., tzinfo=timezone.utc) has one")
    return ((when - _EPOCH) // timedelta(microseconds=1)) * 1000


def duration_of(ns: int) -> timedelta:
    return timedelta(microseconds=ns // 1000)


def version() -> str:
    """The C library's."""
    return text(lib.kryos_version())


def absolute(path: PathLike) -> str:
    """What it names now it names after a chdir too. Nothing stays nothing, which C refuses."""
    name = os.fsdecode(path)
    return os.path.abspath(name) if name else name
