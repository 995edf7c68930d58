"""The engine that the node runs: how it is loaded and made ready."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from dense_descriptor_ros.frames import Infers
from dense_descriptor_ros.runtime import Runtime

WARM_UP_SIZE = (480, 640)


class PerceptionEngine(Infers, Protocol):
    """What the node needs of `dense_descriptor_ros.engine.Engine`."""

    @property
    def device_memory_bytes(self) -> int | None:
        """Memory on a GPU; None without."""


LoadEngine = Callable[[Path | None, Runtime], PerceptionEngine]


def load_engine(path: Path | None, runtime: Runtime) -> PerceptionEngine:
    """The engine of a checkpoint, the shipped one without a path."""
    # torch takes seconds to import; until then the node is already there and answers.
    from dense_descriptor_ros.engine import Engine

    return Engine.load(path, runtime.device, precision=runtime.precision)


def warm_up(engine: PerceptionEngine) -> None:
    """Infer once on a flat scene: the first inference allocates, for which no camera should wait."""
    height, width = WARM_UP_SIZE
    K = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]])
    engine.infer(np.zeros((height, width, 3), np.uint8), np.ones((height, width), np.float32), K)
