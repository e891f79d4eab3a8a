# SPDX-License-Identifier: Apache-2.0
"""Keeps a C object from being closed while a call of another thread is under way, and from being used afterwards."""
import errno
import os
import threading

from .errors import ClosedError, ForkError

_PATIENCE = 10.0  # no call that waits on purpose takes longer


class Guard:
    def __init__(self, what: str) -> None:
        self._what = what
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._calls = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def __enter__(self) -> None:
        # Before any lock: another thread of the parent may have held it at the fork.
        if os.getpid() != self._pid:
            raise ForkError(-4098, f"{self._what} was opened before a fork; open it in the child")
        with self._changed:
            if self._closed:
                raise ClosedError(-errno.EBADF, f"{self._what} is closed")
            self._calls += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._calls -= 1
            if not self._calls:
                self._changed.notify_all()

    def close(self) -> bool:
        """True for the one who closes, once nobody is in a call; False: it is closed already, or is the parent's."""
        if os.getpid() != self._pid:
            return False
        with self._changed:
            if self._closed:
                return False
            self._closed = True
            # An interrupt at the wrong instant leaves a call counted for ever: then the object is left alone.
            return self._changed.wait_for(lambda: not self._calls, _PATIENCE)
