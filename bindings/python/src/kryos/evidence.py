# SPDX-License-Identifier: Apache-2.0
"""What a record proves."""
from dataclasses import dataclass
from datetime import datetime
from typing import Iterable, Optional, Tuple

from ._library import PathLike, check, encode, ffi, lib, path_bytes, sized, text, time_ns_of, time_of
from .context import Context


@dataclass(frozen=True)
class Verification:
    """What was looked at, and what of it is wrong. ok: nothing is."""

    segments: int
    sealed: int
    samples: int
    events: int
    bad_rows: int
    bad_links: int
    bad_seals: int
    unsealed_events: int
    event_seals: int
    anchors: int
    devices: int
    fingerprint: str
    first_problem: str
    problem_seq: int
    problem_time: Optional[datetime]

    @property
    def ok(self) -> bool:
        return not (self.bad_rows or self.bad_links or self.bad_seals or self.first_problem)


def verify(path: PathLike, *, anchors: Iterable[Tuple[int, str]] = (), public_key: Optional[str] = None,
           context: Optional[Context] = None) -> Verification:
    """Checks checksums, hash chains and seals of a store's folder, a segment file, or a bundle. Reads everything.

    anchors: seals as they were received elsewhere, (number, hash). public_key: PEM of the device's; without it the one
    in the record is taken, which proves less.
    """
    config, result = sized("kryos_verify_config"), sized("kryos_verify_result")
    wanted = list(anchors)
    hashes = [ffi.new("char[]", encode(hash)) for _, hash in wanted]
    list_ = ffi.new("struct kryos_anchor[]", [(number, hash) for (number, _), hash in zip(wanted, hashes)])
    config.anchors, config.anchor_count = list_, len(wanted)
    key = ffi.new("char[]", encode(public_key)) if public_key is not None else ffi.NULL
    config.public_key = key
    own = context or Context()
    try:
        with own.guard:
            check(lib.kryos_verify_with(own.pointer, path_bytes(path), config, result))
    finally:
        if context is None:
            own.close()
    return Verification(result.segments, result.sealed, result.samples, result.events, result.bad_rows,
                        result.bad_links, result.bad_seals, result.unsealed_events, result.event_seals,
                        result.anchors, result.devices, text(result.fingerprint), text(result.first_problem),
                        result.problem_seq, time_of(result.problem_wall_ns) if result.problem_wall_ns else None)


def write_bundle(store: PathLike, path: PathLike, *, since: Optional[datetime] = None, until: Optional[datetime] = None,
                 signed: bool = True, key: Optional[PathLike] = None, context: Optional[Context] = None) -> int:
    """Writes a store's folder, or the part of it between two times, as one signed file; gives its size in bytes."""
    config, result = sized("kryos_bundle_config"), sized("kryos_bundle_result")
    config.is_unsigned = not signed
    config.from_ns = time_ns_of(since) if since else 0
    config.to_ns = time_ns_of(until) if until else 0
    key_path = ffi.new("char[]", path_bytes(key)) if key is not None else ffi.NULL
    config.key_path = key_path
    own = context or Context()
    try:
        with own.guard:
            check(lib.kryos_bundle_write(own.pointer, path_bytes(store), path_bytes(path), config, result))
    finally:
        if context is None:
            own.close()
    return int(result.bytes)
