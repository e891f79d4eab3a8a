# SPDX-License-Identifier: Apache-2.0
"""Anybody's log, judged by the device's own alarm rules."""
import errno
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Tuple

from . import tables
from ._library import PathLike, check, duration_of, encode, ffi, lib, number_of, path_bytes, sized, text, time_of
from .errors import ClosedError, InputError

if TYPE_CHECKING:
    import numpy
    import pandas


@dataclass(frozen=True)
class Episode:
    """A stretch in which a rule was broken. end and ended_by are None while it goes on at the end of the log."""

    rule: str
    kind: str
    start: datetime
    trigger: datetime
    end: Optional[datetime]
    ended_by: Optional[str]
    duration: timedelta
    accumulated: timedelta
    indeterminate: timedelta
    extreme_c: Optional[float]
    extreme_at: Optional[datetime]


@dataclass(frozen=True)
class Gap:
    start: datetime
    end: datetime

    @property
    def duration(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True)
class Day:
    """A day in UTC; what is not known of it is None."""

    date: date
    samples: int
    min_c: Optional[float]
    max_c: Optional[float]
    mean_c: Optional[float]
    unmeasured: timedelta


@dataclass(frozen=True)
class LeftOut:
    line: int
    why: str


class _Log:
    """The library's own, which stays in its process: a copy shares it, and one for another process is without rows."""

    def __init__(self, pointer: Any = None) -> None:
        self.pointer = pointer

    def __deepcopy__(self, memo: Any) -> "_Log":
        return self

    def __reduce__(self) -> Tuple[Any, ...]:
        return _Log, ()


@dataclass(frozen=True)
class Evaluation:
    """What was found of one channel of a log. mean_c and mkt_c are None where no two rows are near enough."""

    channel: Optional[str]
    rules: str
    samples: int
    start: datetime
    end: datetime
    interval: timedelta
    min_c: float
    max_c: float
    mean_c: Optional[float]
    mkt_c: Optional[float]
    vvm: Mapping[str, float]  # percent of its life used, an estimate
    gaps: Tuple[Gap, ...]
    episodes: Tuple[Episode, ...]
    days: Tuple[Day, ...]
    left_out: Tuple[LeftOut, ...]
    _log: _Log = field(repr=False, compare=False)
    _number: int = field(repr=False, compare=False)

    def to_numpy(self) -> "numpy.ndarray[Any, Any]":
        """The rows of the log: seq is the line in the file."""
        done = 0
        if self._log.pointer is None:
            raise ClosedError(-errno.EBADF, "the rows of an evaluation stay in the process that made it")

        def read(rows: Any, count: int) -> int:
            nonlocal done
            got = check(lib.kryos_evaluation_get_rows(self._log.pointer, self._number, done, rows, count))
            done += got
            return got

        return tables.read_all(read)

    def to_pandas(self) -> "pandas.DataFrame":
        """The rows of the log: UTC index, one column, Celsius."""
        import pandas

        rows = self.to_numpy()
        return pandas.DataFrame({self.channel or "celsius": rows["value"]},
                                index=pandas.DatetimeIndex(rows["time"], tz="UTC", name="time"))


def evaluate(path: PathLike, *, profile: Optional[str] = None, rules: Optional[PathLike] = None,
             channel: Optional[str] = None, repair: bool = False, days: bool = False, vvm: Iterable[str] = (),
             vvm_model: str = "goldwood-diesburg-2018", mkt_energy: Optional[float] = None) -> Evaluation:
    """Judges a log of one channel, or one channel of a log: a CSV file with a header time,celsius.

    profile: "who-refrigerator" where neither it nor a file of rules is given. repair: leaves out rows that are out of
    order or there twice, and lists them. mkt_energy: in kJ/mol.
    """
    found = evaluate_all(path, profile=profile, rules=rules, repair=repair, days=days, vvm=vvm, vvm_model=vvm_model,
                         mkt_energy=mkt_energy)
    names = [one.channel for one in found]
    if channel is not None and channel not in names:
        raise InputError(-22, f"{path}: there is no channel {channel!r}; there are "
                              f"{', '.join(name for name in names if name) or 'no names'}")
    if channel is None and len(found) > 1:
        raise InputError(-22, f"{path}: is of several channels: channel={' or '.join(repr(name) for name in names)}, "
                              "or evaluate_all")
    return found[names.index(channel)] if channel is not None else found[0]


def evaluate_all(path: PathLike, *, profile: Optional[str] = None, rules: Optional[PathLike] = None,
                 repair: bool = False, days: bool = False, vvm: Iterable[str] = (),
                 vvm_model: str = "goldwood-diesburg-2018",
                 mkt_energy: Optional[float] = None) -> Tuple[Evaluation, ...]:
    """The same for each channel of the log, in the order in which it names them."""
    config = sized("kryos_evaluate_config")
    profile_text = ffi.NULL if profile is None else ffi.new("char[]", encode(profile))
    rules_path = ffi.NULL if rules is None else ffi.new("char[]", path_bytes(rules))
    config.profile, config.rules = profile_text, rules_path
    config.repair, config.days = repair, days
    kinds = [number_of(lib.kryos_vvm_name, kind, "vvm") for kind in vvm]
    config.vvm = sum(1 << kind for kind in set(kinds))
    config.vvm_model = number_of(lib.kryos_vvm_model_name, vvm_model, "vvm_model")
    # 0 would be the default in C, and a NaN is no number of joules.
    if mkt_energy is not None and not 1 <= mkt_energy <= 1000:
        raise InputError(-22, f"mkt_energy {mkt_energy!r}: 1 to 1000 kJ/mol is allowed")
    config.activation_j_per_mol = 0 if mkt_energy is None else round(mkt_energy * 1000)
    out = ffi.new("struct kryos_evaluation **")
    check(lib.kryos_evaluate(out, path_bytes(path), config))
    log = ffi.gc(out[0], lib.kryos_evaluation_free)
    return tuple(_channel(log, number, kinds) for number in range(lib.kryos_evaluation_get_channel_count(log)))


def _celsius(micro: int, is_known: Any = True) -> Optional[float]:
    return float(lib.kryos_micro_to_double(micro)) if is_known else None


def _channel(log: Any, number: int, kinds: Iterable[int]) -> Evaluation:
    summary, exposure = sized("kryos_evaluation_summary"), sized("kryos_exposure_result")
    check(lib.kryos_evaluation_get_summary(log, number, summary))
    check(lib.kryos_evaluation_get_exposure(log, number, exposure))
    used: Dict[str, float] = {text(lib.kryos_vvm_name(kind)): lib.kryos_micro_to_double(exposure.vvm_micro[kind])
                              for kind in kinds}
    return Evaluation(
        None if summary.channel == ffi.NULL else text(summary.channel), text(summary.rules), summary.samples,
        time_of(summary.from_ns), time_of(summary.to_ns), duration_of(summary.interval_ns),
        lib.kryos_micro_to_double(exposure.min_micro), lib.kryos_micro_to_double(exposure.max_micro),
        _celsius(exposure.mean_micro, exposure.has_mean), _celsius(exposure.mkt_micro, exposure.has_mean), used,
        tuple(_gap(log, number, index) for index in range(summary.gaps)),
        tuple(_episode(log, number, index) for index in range(summary.episodes)),
        tuple(_day(log, number, index) for index in range(summary.days)),
        tuple(_left_out(log, number, index) for index in range(summary.left_out)), _Log(log), number)


def _gap(log: Any, number: int, index: int) -> Gap:
    start, end = ffi.new("int64_t *"), ffi.new("int64_t *")
    check(lib.kryos_evaluation_get_gap(log, number, index, start, end))
    return Gap(time_of(start[0]), time_of(end[0]))


def _episode(log: Any, number: int, index: int) -> Episode:
    got = ffi.new("struct kryos_episode *")
    check(lib.kryos_evaluation_get_episode(log, number, index, got))
    over = got.ended_by != lib.KRYOS_EPISODE_OPEN
    return Episode(
        text(got.name), text(lib.kryos_rule_kind_name(got.rule.kind)), time_of(got.start.t_wall_ns),
        time_of(got.trigger.t_wall_ns), time_of(got.end.t_wall_ns) if over else None,
        text(lib.kryos_episode_end_name(got.ended_by)) if over else None, duration_of(got.duration_ns),
        duration_of(got.accumulated_ns), duration_of(got.indeterminate_ns),
        _celsius(got.extreme_micro, got.has_extreme), time_of(got.extreme_at.t_wall_ns) if got.has_extreme else None)


def _day(log: Any, number: int, index: int) -> Day:
    got = sized("kryos_history_day")
    check(lib.kryos_evaluation_get_day(log, number, index, got))
    return Day(date(1970, 1, 1) + timedelta(days=got.number), got.samples, _celsius(got.min_micro, got.samples),
               _celsius(got.max_micro, got.samples), _celsius(got.mean_micro, got.time_ns),
               duration_of(got.unmeasured_ns))


def _left_out(log: Any, number: int, index: int) -> LeftOut:
    line, why = ffi.new("uint32_t *"), ffi.new("const char **")
    check(lib.kryos_evaluation_get_left_out(log, number, index, line, why))
    return LeftOut(line[0], text(why[0]))


def profiles() -> Tuple[str, ...]:
    """The names of the profiles that there are."""
    names: List[str] = []
    while lib.kryos_profile_name(len(names)) != ffi.NULL:
        names.append(text(lib.kryos_profile_name(len(names))))
    return tuple(names)
