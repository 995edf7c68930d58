"""The comparison of objectives as a table and a figure."""

import math
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np

from dense_descriptor_ros.files import write_atomically, write_text

Results = dict[str, dict[str, dict[str, float | None]]]
"""Figures by training and seed."""

COLUMNS = {
    'same mug < 2 %': 'descriptors/same_instance/mask/below_0.02',
    'other mug < 10 %': 'descriptors/across_instances/mask/within_.10',
    'mirrored': 'descriptors/across_instances/mask/mirror_rate',
    'frames, AP': 'frames/ap_20mm_10deg',
    'parts, mIoU': 'parts/miou',
    'boxes, AP50': 'detector/ap50',
    'same part / random': 'association/same_part_ratio',
    'distance / random': 'association/distance_ratio',
}
SLOT_COLUMNS = {
    'ARI of objects': 'fg_ari',
    'IoU of objects': 'iou',
    'with background': 'iou_with_background',
    'MSE of painting': 'mse',
    'of the mean image': 'mean_image_mse',
}
BASELINE = 'untrained'
"""Training whose encoder the k-means of features clusters in the table of slots."""


def write_report(folder: Path, results: Results) -> str:
    """Write `table.md` and `figure.png`; returns the table."""
    text = f'{main_table(results)}\n{slot_table(results)}'
    write_text(folder / 'table.md', text)
    write_atomically(folder / 'figure.png', lambda temporary: draw(results, temporary))
    return text


def main_table(results: Results) -> str:
    """Markdown with a row for each training."""
    rows = [
        [name, f'{mean_of(seeds, "steps"):.0f}', *(cell(seeds, key) for key in COLUMNS.values())]
        for name, seeds in results.items()
    ]
    return markdown(['', 'steps', *COLUMNS], rows)


def slot_table(results: Results) -> str:
    """Markdown with a row for each that has masks, those that need no training first."""
    rows = []
    baseline = results.get(BASELINE, {})
    known = {key.split('/')[0] for figures in baseline.values() for key in figures}
    for probe in sorted(name for name in known if name.startswith('slots by ')):
        rows.append([probe.removeprefix('slots by '), *slot_cells(baseline, probe)])
    for name, seeds in results.items():
        if any('slots/fg_ari' in figures for figures in seeds.values()):
            rows.append([name, *slot_cells(seeds, 'slots')])
    return markdown(['slots', *SLOT_COLUMNS], rows)


def slot_cells(seeds: dict[str, dict[str, float | None]], probe: str) -> list[str]:
    """Cells of one row."""
    return [cell(seeds, f'{probe}/{name}') for name in SLOT_COLUMNS.values()]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def values_of(seeds: dict[str, dict[str, float | None]], key: str) -> np.ndarray:
    """A figure over the seeds, without those that have none."""
    values = [figures.get(key) for figures in seeds.values()]
    return np.array([value for value in values if value is not None], float)


def mean_of(seeds: dict[str, dict[str, float | None]], key: str) -> float:
    """Mean over the seeds, NaN without any."""
    values = values_of(seeds, key)
    return float(values.mean()) if len(values) else math.nan


def cell(seeds: dict[str, dict[str, float | None]], key: str) -> str:
    """Mean and deviation over the seeds, as the table shows them."""
    values = values_of(seeds, key)
    if not len(values):
        return ''
    spread = f' ± {values.std(ddof=1):.3f}' if len(values) > 1 else ''
    return f'{values.mean():.3f}{spread}'


def draw(results: Results, path: Path) -> None:
    """Bars with deviations, a panel for each column of the table."""
    names = list(results)
    figure, axes = plt.subplots(2, 4, figsize=(15, 6.5), sharey=True, layout='constrained')
    for axis, (label, key) in zip(axes.flat, COLUMNS.items(), strict=True):
        values = [values_of(results[name], key) for name in names]
        means = [float(v.mean()) if len(v) else 0.0 for v in values]
        errors = [float(v.std(ddof=1)) if len(v) > 1 else 0.0 for v in values]
        colours = ['0.6' if name.startswith(('untrained', 'supervised')) else 'tab:blue' for name in names]
        axis.barh(names, means, xerr=errors, color=colours)
        axis.set_title(label)
    axes[0, 0].invert_yaxis()  # shared by all: the first name on top
    figure.savefig(path, dpi=80)
    plt.close(figure)
