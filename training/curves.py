"""Draws a run's losses and validation figures as a picture.

python training/curves.py runs/mug docs/images/curves.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.files import write_atomically
from dense_descriptor_ros.program import errors_in_one_line

SMOOTHING_STEPS = 200
PANELS = (
    ('losses, smoothed', 'loss/', ('object', 'part', 'axis', 'multi_view', 'across_instances')),
    ('keypoint loss, smoothed', 'loss/', ('keypoint',)),
    ('average precision (20 mm, 10°)', 'val/ap_20mm_10deg/', ('body', 'handle', 'opening')),
    ('median origin error (mm)', 'val/origin_mm_p50/', ('body', 'handle', 'opening')),
)

Curve = tuple[np.ndarray, np.ndarray]
"""Steps (N,) and values (N,)."""


def read_curves(folder: Path) -> dict[str, Curve]:
    """Scalars by tag, of a run and what resumed it.

    Raises:
        DatasetError: the folder holds no TensorBoard events.
    """
    if not list(folder.glob('events.out.tfevents.*')):
        raise DatasetError(f'{folder}: no TensorBoard events; name the folder of a run, such as runs/mug')
    events = EventAccumulator(str(folder), size_guidance={'scalars': 0})
    events.Reload()
    return {
        tag: (
            np.array([event.step for event in events.Scalars(tag)]),
            np.array([event.value for event in events.Scalars(tag)]),
        )
        for tag in events.Tags()['scalars']
    }


def smoothed(curve: Curve) -> Curve:
    """Means over `SMOOTHING_STEPS`."""
    steps, values = curve
    bins = steps // SMOOTHING_STEPS
    used = np.unique(bins)
    return (used + 0.5) * SMOOTHING_STEPS, np.array([values[bins == b].mean() for b in used])


def draw(curves: dict[str, Curve], path: Path) -> None:
    """Write the picture atomically."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(4 * len(PANELS), 3.2), layout='constrained')
    for axis, (title, prefix, names) in zip(axes, PANELS, strict=True):
        for name in names:
            curve = curves.get(prefix + name)
            if curve is not None:
                axis.plot(*(smoothed(curve) if prefix == 'loss/' else curve), label=name)
        axis.set(title=title, xlabel='step')
        axis.grid(color='#e6e6e6')
        if axis.lines:
            axis.legend(fontsize=8, frameon=False)
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=100))
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('run', type=Path, help='folder of the run')
    parser.add_argument('out', type=Path, help='picture to write, .png or .svg')
    args = parser.parse_args(arguments)
    with errors_in_one_line():
        draw(read_curves(args.run), args.out)


if __name__ == '__main__':
    main()
