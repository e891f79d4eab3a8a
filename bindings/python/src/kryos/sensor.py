# SPDX-License-Identifier: Apache-2.0
"""One chip on one bus."""
from typing import Any, Optional, Tuple

from ._library import check, encode, ffi, lib
from .context import Context, Handle
from .readings import Reading

_MOST = 8  # channels, by kryos/sys/sensor.h


class Sensor(Handle):
    """Opens and probes the chip that a device string names; waits at most 5 s.

    "bme280@i2c-1:0x76", "ds18b20@w1:any" where exactly one is there, "iio@bme280". Its channels are name.quantity.
    options are the driver's: "wires=3 element=pt1000".
    """

    def __init__(self, name: str, device: str, *, options: Optional[str] = None,
                 context: Optional[Context] = None) -> None:
        super().__init__(f"sensor {name}", context)
        self.name = name
        self.device = device
        config = ffi.new("struct kryos_sensor_config *", {"size": ffi.sizeof("struct kryos_sensor_config")})
        said = ffi.new("char[]", encode(options)) if options else ffi.NULL
        config.options = said
        self._open("kryos_sensor", lib.kryos_sensor_open_with, encode(name), encode(device), config)

    def _close(self, pointer: Any) -> None:
        lib.kryos_sensor_close(pointer)

    @property
    def channels(self) -> Tuple[str, ...]:
        number = ffi.new("uint32_t *")
        names = []
        with self.context.guard, self.guard:
            for index in range(check(lib.kryos_sensor_get_channel_count(self.pointer))):
                check(lib.kryos_sensor_get_channel(self.pointer, index, number))
                names.append(self.context.channel_name(number[0]))
        return tuple(names)

    def read(self) -> Tuple[Reading, ...]:
        """Measures once: a reading for each channel. What failed is a reading too, whose quality says why."""
        samples = ffi.new("struct kryos_sample[]", _MOST)
        with self.context.guard, self.guard:
            count = check(lib.kryos_sensor_read(self.pointer, samples, _MOST))
            return tuple(self.context.reading(samples[i]) for i in range(count))
