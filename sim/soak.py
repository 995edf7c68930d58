"""Endurance of the perception node: a camera at a fixed rate, for minutes or hours.

    python -m dense_descriptor_ros.sim.soak --minutes 5
    python -m dense_descriptor_ros.sim.soak --minutes 480 --out soak

Three processes: a camera that shows recorded images over and over, the node, and this observer. Prints what
the node's memory, its latency and its images did; fails if an image is unaccounted for, memory grows, or the
node ends.
"""

import argparse
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from tqdm import tqdm

from dense_descriptor_ros.errors import ConfigError, DenseDescriptorError
from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.msg import AffordanceFrameArray
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.sim.node_processes import RELIABLE, check_alive, child, use_private_domain

WARM_UP_S = 20.0
"""The first images let caches and allocators grow to their size."""
REPLAYED_VIEWS = 24
IN_WORK = 10
"""Images that may be neither processed nor dropped: one in work, one next, eight that wait for depth."""
GROWTH_PERCENT_PER_HOUR = 1.0
SHORT_RUN_MB = 32.0
"""Growth that says nothing: a steady node swings by as much, with what is in the images."""


@dataclass(frozen=True)
class Sample:
    """What the node said of itself at one moment."""

    time_s: float
    memory_mb: float
    latency_p50_ms: float
    latency_p95_ms: float
    input_hz: float
    output_hz: float
    received: int
    processed: int
    dropped: int

    @property
    def in_work(self) -> int:
        """Images that were received and are neither processed nor dropped."""
        return self.received - self.processed - self.dropped


@dataclass(frozen=True)
class Endurance:
    """What a whole run shows, after its warm-up."""

    minutes: float
    memory_mb: tuple[float, float]
    """Median of the first and of the last quarter."""
    memory_growth_percent_per_hour: float
    """By the slope of a line through all samples."""
    latency_p95_ms: tuple[float, float]
    """Median of the first and of the last quarter."""
    input_hz: float
    """Below the camera's rate, images are lost on the way."""
    output_hz: float
    received: int
    processed: int
    dropped: int
    most_in_work: int

    def complaints(self) -> list[str]:
        """What is not as it should be."""
        found = []
        grown_mb = self.memory_mb[1] - self.memory_mb[0]
        if self.memory_growth_percent_per_hour > GROWTH_PERCENT_PER_HOUR and grown_mb > SHORT_RUN_MB:
            found.append(
                f'memory grows by {self.memory_growth_percent_per_hour:.1f} % an hour '
                f'({grown_mb:.1f} MB here)'
            )
        if self.most_in_work > IN_WORK:
            found.append(f'{self.most_in_work} images were neither processed nor dropped')
        if not self.processed:
            found.append('no image was processed')
        return found


class Observer(Node):
    """Listens to the node's frames, so that it works, and to what it says of itself."""

    def __init__(self) -> None:
        super().__init__('observer')
        self.samples: list[Sample] = []
        self.create_subscription(AffordanceFrameArray, 'perception/acf_poses', lambda _: None, 10)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._note, 10)

    def _note(self, message: DiagnosticArray) -> None:
        values = {pair.key: pair.value for pair in message.status[0].values}
        if values['state'] == 'active' and values['latency_p95_ms']:
            self.samples.append(sample(time.monotonic(), values))


def sample(time_s: float, values: dict[str, str]) -> Sample:
    """From the keys and values of the node's diagnostics."""
    return Sample(
        time_s,
        memory_mb=float(values['memory_mb']),
        latency_p50_ms=float(values['latency_p50_ms']),
        latency_p95_ms=float(values['latency_p95_ms']),
        input_hz=float(values['image_hz']),
        output_hz=float(values['output_hz']),
        received=int(values['images_received']),
        processed=int(values['images_processed']),
        dropped=int(values['images_dropped']),
    )


def endurance(samples: Sequence[Sample]) -> Endurance:
    """Figures of a run.

    Raises:
        DenseDescriptorError: it is too short to have any.
    """
    after = [one for one in samples if one.time_s >= samples[0].time_s + WARM_UP_S]
    if len(after) < 8:
        raise DenseDescriptorError(
            f'{len(after)} samples after {WARM_UP_S:.0f} s of warm-up: expected 8 or more; '
            'give more --minutes'
        )
    times_h = np.array([one.time_s for one in after]) / 3600
    memory = np.array([one.memory_mb for one in after])
    slope = np.polyfit(times_h - times_h[0], memory, 1)[0]
    quarter = len(after) // 4
    first, last = after[:quarter], after[-quarter:]
    return Endurance(
        minutes=float(times_h[-1] - times_h[0]) * 60,
        memory_mb=(median(first, 'memory_mb'), median(last, 'memory_mb')),
        memory_growth_percent_per_hour=float(100 * slope / memory[0]),
        latency_p95_ms=(median(first, 'latency_p95_ms'), median(last, 'latency_p95_ms')),
        input_hz=median(after, 'input_hz'),
        output_hz=median(after, 'output_hz'),
        received=after[-1].received,
        processed=after[-1].processed,
        dropped=after[-1].dropped,
        most_in_work=max(one.in_work for one in after),
    )


def median(samples: Sequence[Sample], name: str) -> float:
    """Of one figure."""
    return float(np.median([getattr(one, name) for one in samples]))


def observe(minutes: float, rate_hz: float, out: Path) -> list[Sample]:
    """Run the three processes; what the node said."""
    use_private_domain()
    camera = {'rate_hz': rate_hz, 'replay_views': REPLAYED_VIEWS}
    nodes: dict[str, dict[str, Any]] = {
        'ros.node': {'autostart': True, **RELIABLE},
        'sim.camera_node': camera,
    }
    with ExitStack() as stack:
        children = {}
        for module, parameters in nodes.items():
            log = out / f'{module}.log'
            children[log] = stack.enter_context(child(f'dense_descriptor_ros.{module}', log, parameters))
        rclpy.init()
        stack.callback(rclpy.try_shutdown)
        observer = Observer()
        bar = stack.enter_context(tqdm(total=round(60 * minutes), unit='s'))
        start_s = time.monotonic()
        while (passed_s := time.monotonic() - start_s) < 60 * minutes:
            rclpy.spin_once(observer, timeout_sec=0.5)
            check_alive(children)
            bar.update(int(passed_s) - bar.n)
            if observer.samples:
                last = observer.samples[-1]
                bar.set_postfix_str(f'{last.output_hz:.1f} Hz, {last.memory_mb:.0f} MB', refresh=False)
    return observer.samples


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--minutes', type=float, default=3.0)
    parser.add_argument('--rate-hz', type=float, default=30.0, help="the camera's (default %(default)s)")
    parser.add_argument('--out', type=Path, default=Path('soak_out'), help='folder for logs and figures')
    args = parser.parse_args(arguments)
    with errors_in_one_line():
        if args.minutes <= 0 or args.rate_hz <= 0:
            raise ConfigError(f'--minutes {args.minutes} --rate-hz {args.rate_hz}: expected more than 0')
        args.out.mkdir(parents=True, exist_ok=True)
        samples = observe(args.minutes, args.rate_hz, args.out)
        if not samples:
            raise DenseDescriptorError(f'the node published nothing; see {args.out}/ros.node.log')
        figures = endurance(samples)
        write_json(args.out / 'soak.json', {**asdict(figures), 'samples': [asdict(one) for one in samples]})
        for name, value in asdict(figures).items():
            text = ' -> '.join(f'{v:.1f}' for v in value) if isinstance(value, tuple) else f'{value:.6g}'
            print(f'{name:32} {text}')
        if complaints := figures.complaints():
            raise DenseDescriptorError('; '.join(complaints))


if __name__ == '__main__':
    main()
