"""The report: one HTML page with everything in it, to be read from top to bottom."""

import math
from collections import Counter
from collections.abc import Callable
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from dense_descriptor_ros.files import write_text
from dense_descriptor_ros.training.evaluation import TRAINED, Evaluation
from dense_descriptor_ros.training.metrics.breakdown import CONDITIONS
from dense_descriptor_ros.training.metrics.descriptor_metrics import Answer, pixel_errors, surface_errors_mm
from dense_descriptor_ros.training.report import plots
from dense_descriptor_ros.training.report.cases import KINDS, Case, all_cases, worst_cases
from dense_descriptor_ros.training.report.page import figure, number, plot, table
from dense_descriptor_ros.training.report.pictures import case_picture, match_picture, scene_picture

TEMPLATE = Path(__file__).with_name('template.html')
SCENES = 6
FRAME_ROWS = {
    'ap_20mm_10deg': 'average precision, 20 mm and 10°',
    'ap_10mm_5deg': 'average precision, 10 mm and 5°',
    'ap_50mm_15deg': 'average precision, 50 mm and 15°',
    'acc_gt_20mm_10deg': 'share of required found within 20 mm and 10°',
    'acc_tp_20mm_10deg': 'the same, of found frames only',
    'required': 'required frames',
    'recall': 'recall',
    'precision': 'precision',
    'origin_mm_p50': 'origin error, median (mm)',
    'origin_mm_p90': 'origin error, 90th percentile (mm)',
    'axis_deg_p50': 'axis error, median (°)',
    'axis_deg_p90': 'axis error, 90th percentile (°)',
}
DESCRIPTOR_ROWS = {
    ('same_instance', 'mask', 'below_0.02'): 'same mug: error below 2 % of the diagonal',
    ('same_instance', 'mask', 'below_0.13'): 'same mug: error below 13 % of the diagonal',
    ('same_instance', 'mask', 'pck_5px'): 'same mug: within 5 pixels',
    ('same_instance', 'mask', 'mean_error'): 'same mug: mean error / diagonal',
    ('same_instance', 'mask', 'closer_than_truth'): 'same mug: share of pixels closer than the truth',
    ('across_instances', 'mask', 'within_.05'): 'other mug: within 5 % of its size',
    ('across_instances', 'mask', 'within_.10'): 'other mug: within 10 % of its size',
    ('across_instances', 'mask', 'within_2cm'): 'other mug: within 2 cm',
    ('across_instances', 'mask', 'handle_agrees'): 'other mug: handle goes to handle',
    ('across_instances', 'mask', 'mirror_rate'): 'other mug: left and right confused',
    ('same_instance', 'full', 'below_0.02'): 'full image, same mug: error below 2 % of the diagonal',
    ('across_instances', 'full', 'within_.10'): 'full image, other mug: within 10 % of its size',
}


def write_report(path: Path, evaluation: Evaluation) -> None:
    """Write the page atomically."""
    config = evaluation.config
    about = (
        f'{evaluation.metrics["frames"]["images"]} images of {config.data}, split {config.split}, depth from '
        f'{config.depth}; checkpoint {evaluation.metrics["checkpoint"].get("path", "")}'
    )
    sections = (headline, scenes, precision, errors, conditions, reliability, descriptors, worst)
    body = '\n'.join(section(evaluation) for section in sections)
    page = Template(TEMPLATE.read_text(encoding='utf-8'))
    write_text(
        path,
        page.substitute(
            title=f'Evaluation on {escape(config.data.resolve().name)}', about=escape(about), body=body
        ),
    )


def headline(evaluation: Evaluation) -> str:
    """The figures that a reader wants first."""
    frames, figures = evaluation.metrics['frames'], evaluation.metrics['descriptors']
    main = ', '.join(f'{part} <b>{number(row["ap_20mm_10deg"])}</b>' for part, row in frames['parts'].items())
    p50_s, p95_s = frames['time_s']['p50'], frames['time_s']['p95']
    rows = [
        (
            label,
            [
                number(row[key], 1 if key.startswith(('origin', 'axis')) else 3)
                for row in frames['parts'].values()
            ],
        )
        for key, label in FRAME_ROWS.items()
    ]
    return (
        f'<p>Average precision at 20 mm and 10°: {main}. An image takes {p50_s * 1e3:.0f} ms '
        f'(median; 95th percentile {p95_s * 1e3:.0f} ms).</p>'
        + '<h2>Affordance frames</h2>'
        + table(list(frames['parts']), rows, main=0)
        + '<p class="about">A frame is required if its object is at least 10 % visible and, for a handle, 25 '
        'of its pixels are. Shares and errors are at a score of 0.5, average precision over all scores.</p>'
        + '<h2>Descriptors</h2><p>The nearest neighbour of a point of one mug, searched within the mask of '
        'the same mug in another view or of another mug.</p>' + table(list(figures), descriptor_rows(figures))
    )


def descriptor_rows(figures: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Lines of the descriptors' table."""
    rows = [
        (label, [number(row[question].get(where, {}).get(key, math.nan)) for row in figures.values()])
        for (question, where, key), label in DESCRIPTOR_ROWS.items()
    ]
    spread = [number(row['min_dimension_std']) for row in figures.values()]
    return [*rows, ('smallest standard deviation of a dimension (0: collapsed)', spread)]


def scenes(evaluation: Evaluation) -> str:
    """Images at even steps through the split, neither the best nor the worst."""
    views = evaluation.dataset.views
    chosen = [views[i] for i in np.unique(np.linspace(0, len(views) - 1, SCENES).astype(int))]
    pictures = [
        figure(scene_picture(evaluation, view), f'scene {view.scene_id}, image {view.im_id}')
        for view in chosen
    ]
    return (
        '<h2>What it sees</h2><p>Images at even steps through the split, with <span class="true">true</span> '
        'and <span class="predicted">predicted</span> axes from their keypoints, beside the descriptors in '
        f'fixed colours.</p><div class="wide">{"".join(pictures)}</div>'
    )


def precision(evaluation: Evaluation) -> str:
    """Precision-recall curves."""
    return '<h2>Precision and recall</h2>' + plot(plots.precision_recall_plot(evaluation))


def errors(evaluation: Evaluation) -> str:
    """Distributions of the errors."""
    return (
        '<h2>Errors</h2>'
        + plot(
            plots.error_plot(evaluation),
            'Share of required frames found within an error: a miss never is. '
            'Dotted: the thresholds of the main figure.',
        )
        + plot(
            plots.error_histogram(evaluation),
            'Errors of found frames. The last origin bin holds all beyond '
            'it; the axis counts are on a logarithmic scale above 10.',
        )
    )


def conditions(evaluation: Evaluation) -> str:
    """Accuracy by visibility, pose and distance."""
    tables = ''
    for condition in CONDITIONS:
        rows = evaluation.metrics['frames_by'][condition.name]
        lines = [
            (
                label,
                [
                    f'{number(rows[part][label]["acc_gt_20mm_10deg"])} of {rows[part][label]["required"]}'
                    for part in rows
                ],
            )
            for label, _, _ in condition.bins
        ]
        tables += table(list(rows), lines, corner=condition.name)
    return (
        '<h2>When it works</h2><p>Share of required frames found within 20 mm and 10°.</p>'
        + plot(plots.condition_plot(evaluation))
        + tables
    )


def reliability(evaluation: Evaluation) -> str:
    """Whether scores are probabilities."""
    return '<h2>Can the score be trusted?</h2>' + plot(
        plots.reliability_plot(evaluation),
        'Left: of the predictions with a score, how many are right. Right: how many predictions have it.',
    )


def descriptors(evaluation: Evaluation) -> str:
    """Match errors and examples."""
    answers = evaluation.answers[TRAINED]
    if not answers.same and not answers.across:
        return '<h2>Descriptor matches</h2><p>The split holds no pair of views to match between.</p>'
    same = quartiles(answers.same, lambda item: float(np.median(pixel_errors(item, 'mask'))))
    across = quartiles(answers.across, lambda item: float(np.median(surface_errors_mm(item, 'mask'))))
    pictures = [
        figure(match_picture(item), f'{what}, {rank} pair: median error {number(value, 1)} {unit}')
        for what, unit, chosen in (('same mug', 'pixels', same), ('other mug', 'mm', across))
        for rank, value, item in chosen
    ]
    return (
        '<h2>Descriptor matches</h2>'
        + plot(plots.descriptor_plot(evaluation))
        + '<p>Queries on the left; on the right, a dot where each was found, joined to the ring where it '
        f'should be.</p><div class="wide">{"".join(pictures)}</div>'
    )


def quartiles(
    answers: list[Answer[Any]], error: Callable[[Answer[Any]], float]
) -> list[tuple[str, float, Answer[Any]]]:
    """A good, a typical and a bad pair with their errors."""
    ranked = sorted(((error(item), i) for i, item in enumerate(answers)))
    if not ranked:
        return []
    chosen = (('good', 0.1), ('typical', 0.5), ('bad', 0.9))
    picks = [(name, ranked[int(share * (len(ranked) - 1))]) for name, share in chosen]
    return [(name, value, answers[i]) for name, (value, i) in picks]


def worst(evaluation: Evaluation) -> str:
    """What went wrong, how often, and the worst of each kind."""
    cases = all_cases(evaluation.outcomes)
    parts = list(evaluation.outcomes)
    counts = Counter((case.kind, case.part) for case in cases)
    rows = [
        (f'{kind}: {meaning}', [str(counts[kind, part]) for part in parts]) for kind, meaning in KINDS.items()
    ]
    pictures = [figure(case_picture(evaluation, case), describe(case)) for case in worst_cases(cases)]
    return (
        '<h2>What goes wrong</h2>'
        + table(parts, rows)
        + '<p>The worst twenty, each kind in turn. <span class="true">True</span>, <span class="predicted">'
        f'predicted</span>.</p><div class="cards">{"".join(pictures)}</div>'
    )


def describe(case: Case) -> str:
    """One line under the picture of a case."""
    outcome, (scene_id, im_id) = case.outcome, case.outcome.key
    where = f'<b>{case.kind}</b>, {escape(case.part)}, scene {scene_id}, image {im_id}'
    if outcome.truth and outcome.predicted:
        errors = f'{outcome.origin_mm:.0f} mm, {outcome.axis_deg:.0f}°'
        return f'{where}: {errors}, score {outcome.predicted.score:.2f}'
    if outcome.truth:
        return f'{where}: {100 * outcome.truth.visible:.0f} % visible'
    return f'{where}: score {outcome.predicted.score:.2f}' if outcome.predicted else where
