# SPDX-License-Identifier: Apache-2.0
"""kryos: cold-chain devices from Python. docs/api/python.md is the guide.

    with kryos.Store("run-7") as store:
        for reading in kryos.sample({"fridge": "ds18b20@w1:any"}, into=store, every=10, seconds=3600):
            print(reading)
        table = store.to_pandas()
    log = kryos.evaluate("log.csv", profile="who-refrigerator")
"""
from ._library import version
from .context import Context, Time
from .errors import (AccessError, ClockError, ClosedError, DeviceError, Error, ForkError, HostError, InputError,
                     LinkError, NotFoundError, StoreError, VolatileError)
from .evaluation import Day, Episode, Evaluation, Gap, LeftOut, evaluate, evaluate_all, profiles
from .evidence import Verification, verify, write_bundle
from .queue import Queue, QueueStatus, Record
from .readings import Event, Reading
from .sampler import Readings, Sampler, sample
from .sensor import Sensor
from .store import DamageWarning, Reader, Store, StoreStatus, open, quality_name

__version__ = version()

__all__ = [
    "AccessError", "ClockError", "ClosedError", "Context", "DamageWarning", "Day", "DeviceError", "Episode", "Error",
    "Evaluation", "Event", "ForkError", "Gap", "HostError", "InputError", "LeftOut", "LinkError", "NotFoundError",
    "Queue", "QueueStatus", "Reader", "Reading", "Readings", "Record", "Sampler", "Sensor", "Store", "StoreError",
    "StoreStatus", "Time", "Verification", "VolatileError", "evaluate", "evaluate_all", "open", "profiles",
    "quality_name", "sample", "verify", "version", "write_bundle",
]
