# SPDX-License-Identifier: Apache-2.0
"""One class for each family of errors. The text is the library's sentence: place, what was found, what is allowed."""
import errno
from typing import Dict, Type


class Error(Exception):
    """Any failure that the library tells of. code is the C result: -errno, or below -4096 one of enum kryos_error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return self.text


class InputError(Error, ValueError):
    """What was given is wrong: an argument, a device string, a file of rules, a log."""


class DeviceError(Error):
    """A chip or its bus: nothing answers there, something else does, a line is stuck."""


class StoreError(Error):
    """What is stored: damaged, of a newer version, full."""


class VolatileError(StoreError):
    """The readings are in memory only, and are written when the disk is back: do not append them again."""


class ClockError(Error):
    """The time is not known well enough."""


class LinkError(Error):
    """The other side of a link: refused, not authenticated, against the protocol."""


class ForkError(Error):
    """The object was made before a fork: the child makes its own."""


class ClosedError(Error, ValueError):
    """The object was closed."""


class HostError(Error, OSError):
    """The operating system refuses: errno says why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.errno = -code
        self.strerror = text


class NotFoundError(HostError, FileNotFoundError):
    """There is no such file, store, queue."""


class AccessError(HostError, PermissionError):
    """It is not for this user."""


_CLASSES: Dict[int, Type[Error]] = {
    -errno.EINVAL: InputError,
    -errno.ERANGE: InputError,
    -errno.EBADMSG: InputError,
    -errno.EILSEQ: InputError,
    -errno.EEXIST: InputError,
    -errno.ENODEV: DeviceError,
    -errno.ENXIO: DeviceError,
    -errno.ENOENT: NotFoundError,
    -errno.EACCES: AccessError,
    -errno.EPERM: AccessError,
    -errno.ECANCELED: ClosedError,
    -4097: VolatileError,
    -4098: ForkError,
    -4099: DeviceError,  # another chip
    -4100: DeviceError,  # a checksum
    -4101: DeviceError,  # a stuck line
    -4102: InputError,  # a configuration
    -4103: StoreError,  # damaged
    -4104: StoreError,  # newer
    -4105: StoreError,  # full
    -4106: ClockError,
    -4107: InputError,  # a device string
    -4108: LinkError,  # rejected
    -4109: LinkError,  # authentication
    -4110: LinkError,  # protocol
}


def error_for(code: int, text: str) -> Error:
    return _CLASSES.get(code, HostError if code > -4096 else Error)(code, text)
