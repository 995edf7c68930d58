"""The report's plots, each an SVG picture as a data URI."""

import base64
import io
from collections.abc import Callable
from typing import Any

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dense_descriptor_ros.training.evaluation import Evaluation
from dense_descriptor_ros.training.metrics.acf_metrics import precision_recall
from dense_descriptor_ros.training.metrics.breakdown import CONDITIONS, RIGHT_DEG, RIGHT_MM
from dense_descriptor_ros.training.metrics.calibration import BIN_EDGES, calibration_error, reliability
from dense_descriptor_ros.training.metrics.descriptor_metrics import pixel_errors, surface_errors_mm

COLOURS = ('#2a6fdb', '#e07b00', '#2a9d60', '#8e44ad', '#c0392b', '#555555')
NEVER = 1e9  # stands for an error that no threshold admits
WIDTH_IN = 3.4
STYLE: dict[Any, Any] = {
    'font.size': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.color': '#e6e6e6',
    'legend.frameon': False,
    'svg.hashsalt': 'report',
    'axes.axisbelow': True,
}


def picture(columns: int, draw: Callable[[list[Axes]], None], height: float = 2.9) -> str:
    """Data URI of a row of plots that `draw` fills."""
    with plt.rc_context(STYLE):
        size = (WIDTH_IN * columns, height)
        figure, axes = plt.subplots(1, columns, figsize=size, squeeze=False, layout='constrained')
        draw(list(axes[0]))
        return data_uri(figure)


def data_uri(figure: Figure) -> str:
    """The figure as an SVG data URI; closes it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format='svg', metadata={'Date': None})
    plt.close(figure)
    return 'data:image/svg+xml;base64,' + base64.b64encode(buffer.getvalue()).decode()


def parts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Parts and their colours."""
    return list(zip(evaluation.outcomes, COLOURS, strict=False))


def precision_recall_plot(evaluation: Evaluation) -> str:
    """Precision over recall of each part at two pairs of thresholds."""

    def draw(axes: list[Axes]) -> None:
        for axis, (t_mm, r_deg) in zip(axes, ((10.0, 5.0), (RIGHT_MM, RIGHT_DEG), (50.0, 15.0)), strict=True):
            for part, colour in parts(evaluation):
                curve = precision_recall(evaluation.truth, evaluation.predictions, part, t_mm, r_deg)
                axis.plot(curve.recall, curve.precision, color=colour, label=f'{part} {curve.area:.2f}')
            axis.set(title=f'within {t_mm:g} mm and {r_deg:g}°', xlabel='recall', xlim=(0, 1), ylim=(0, 1.02))
            axis.legend(title='average precision', loc='lower left', fontsize=8, title_fontsize=8)
        axes[0].set_ylabel('precision')

    return picture(3, draw)


def error_plot(evaluation: Evaluation) -> str:
    """Share of the required frames found within an error."""

    def draw(axes: list[Axes]) -> None:
        for part, colour in parts(evaluation):
            required = [outcome for outcome in evaluation.outcomes[part] if outcome.truth]
            for axis, name in zip(axes, ('origin_mm', 'axis_deg'), strict=True):
                errors = np.array([getattr(outcome, name) for outcome in required])
                cumulative(axis, np.nan_to_num(errors, nan=NEVER), colour, part)
        axes[0].set(xlabel='origin error (mm)', ylabel='share of required frames', xlim=(0, 60), ylim=(0, 1))
        axes[1].set(xlabel='axis error (degrees)', xlim=(0, 45), ylim=(0, 1))
        axes[0].axvline(RIGHT_MM, color='#999999', linestyle=':')
        axes[1].axvline(RIGHT_DEG, color='#999999', linestyle=':')
        axes[0].legend(loc='lower right')

    return picture(2, draw)


def error_histogram(evaluation: Evaluation) -> str:
    """Errors of the found frames, the last bin open."""

    def draw(axes: list[Axes]) -> None:
        for axis, name, top, label in (
            (axes[0], 'origin_mm', 60, 'mm'),
            (axes[1], 'axis_deg', 180, 'degrees'),
        ):
            values = [
                [getattr(o, name) for o in evaluation.outcomes[part] if o.truth and o.predicted]
                for part, _ in parts(evaluation)
            ]
            clipped = [np.minimum(v, top) for v in values]
            axis.hist(
                clipped,
                bins=list(np.linspace(0, top, 13)),
                color=[c for _, c in parts(evaluation)],
                label=[part for part, _ in parts(evaluation)],
            )
            axis.set(xlabel=f'{name.split("_")[0]} error ({label})')
        axes[0].set_ylabel('found frames')
        axes[1].set_yscale('symlog', linthresh=10)
        axes[0].legend()

    return picture(2, draw)


def cumulative(axis: Axes, values: np.ndarray, colour: str, label: str) -> None:
    """Share of the values up to each one."""
    ordered = np.sort(values)
    if len(ordered):
        axis.step(
            ordered, np.arange(1, len(ordered) + 1) / len(ordered), where='post', color=colour, label=label
        )


def condition_plot(evaluation: Evaluation) -> str:
    """Accuracy of each part in each bin of each condition."""

    def draw(axes: list[Axes]) -> None:
        for axis, condition in zip(axes, CONDITIONS, strict=True):
            rows = evaluation.metrics['frames_by'][condition.name]
            labels = [label for label, _, _ in condition.bins]
            width = 0.8 / max(len(rows), 1)
            for index, (part, colour) in enumerate(parts(evaluation)):
                heights = np.nan_to_num([rows[part][label]['acc_gt_20mm_10deg'] for label in labels])
                left = np.arange(len(labels)) + (index - (len(rows) - 1) / 2) * width
                axis.bar(left, heights, width, color=colour, label=part)
            axis.set_xticks(np.arange(len(labels)), labels, fontsize=8)
            axis.set(title=condition.name, ylim=(0, 1))
        axes[0].set_ylabel('share right (20 mm, 10°)')
        axes[0].legend(fontsize=8)

    return picture(len(CONDITIONS), draw)


def reliability_plot(evaluation: Evaluation) -> str:
    """Share of right predictions over the score that they were given, and how many there are."""

    def draw(axes: list[Axes]) -> None:
        axes[0].plot([0, 1], [0, 1], color='#999999', linestyle=':', label='calibrated')
        for part, colour in parts(evaluation):
            curve = precision_recall(evaluation.truth, evaluation.predictions, part, RIGHT_MM, RIGHT_DEG)
            bins = reliability(curve)
            label = f'{part}, off by {calibration_error(curve):.2f}'
            axes[0].plot(bins.score, bins.right, 'o-', markersize=3, color=colour, label=label)
            axes[1].hist(curve.scores, bins=list(BIN_EDGES), histtype='step', color=colour)
        axes[0].set(xlabel='score', ylabel='share right (20 mm, 10°)', xlim=(0, 1), ylim=(0, 1.02))
        axes[1].set(xlabel='score', ylabel='predictions', xlim=(0, 1))
        axes[0].legend(loc='upper left')

    return picture(2, draw)


def descriptor_plot(evaluation: Evaluation) -> str:
    """Share of matches within an error, searched within the mask, for each kind of descriptor."""

    def draw(axes: list[Axes]) -> None:
        for (name, answers), colour in zip(evaluation.answers.items(), COLOURS, strict=False):
            same = [pixel_errors(item, 'mask') for item in answers.same]
            across = [surface_errors_mm(item, 'mask') for item in answers.across]
            for axis, errors in zip(axes, (same, across), strict=False):
                values = np.nan_to_num(np.concatenate([*errors, []]), posinf=NEVER)
                cumulative(axis, values, colour, name)
        axes[0].set(
            title='same mug, other view', xlabel='error (pixels)', ylabel='share of matches', xlim=(0, 50)
        )
        axes[1].set(title='another mug', xlabel='error on the mug (mm)', xlim=(0, 80))
        for axis in axes[:2]:
            axis.set_ylim(0, 1)
        axes[2].axis('off')  # holds the legend, which would hide curves elsewhere
        axes[2].legend(*axes[0].get_legend_handles_labels(), loc='center left')

    return picture(3, draw)
