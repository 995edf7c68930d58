"""By what, where and how precisely the network is run: names that are known without loading torch."""

import re
from dataclasses import dataclass

from dense_descriptor_ros.errors import ConfigError

ENGINES = ('auto', 'torch')
PRECISIONS = ('auto', 'float32', 'bfloat16', 'float16')
DEVICE = re.compile(r'auto|cpu|cuda(:\d+)?')


@dataclass(frozen=True)
class Runtime:
    """What runs a network; `auto` takes the fastest that the machine has.

    Raises:
        ConfigError: a name is unknown. Whether the machine has it shows when a network is loaded.
    """

    device: str = 'auto'
    engine: str = 'auto'
    precision: str = 'auto'

    def __post_init__(self) -> None:
        if not DEVICE.fullmatch(self.device):
            raise ConfigError(f'device is {self.device!r}: expected auto, cpu, cuda or cuda:N')
        for name, known in (('engine', ENGINES), ('precision', PRECISIONS)):
            if getattr(self, name) not in known:
                raise ConfigError(f'{name} is {getattr(self, name)!r}: expected one of {list(known)}')
