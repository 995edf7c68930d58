"""Figures and pictures of a network on whole images while it trains."""

import math
from typing import Any

import numpy as np

from dense_descriptor_ros.bop import BopDataset, View
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.frames import Prediction
from dense_descriptor_ros.predict import image_entry
from dense_descriptor_ros.training.metrics.acf_metrics import outcomes, part_names, precision_recall
from dense_descriptor_ros.training.metrics.predictions import parse_predictions
from dense_descriptor_ros.training.metrics.truth import view_frames
from dense_descriptor_ros.training.objectives.objective import Validation
from dense_descriptor_ros.visualize import descriptors_to_rgb, draw_frames, side_by_side

THRESHOLD = (20.0, 10.0)  # mm, degrees
PICTURES = 6


def validate(engine: Engine, dataset: BopDataset, views: list[View]) -> Validation:
    """Run the engine on some views and compare with the truth.

    Metrics have names such as `ap_20mm_10deg/body`; the score is the mean average precision over the parts.
    Pictures `0`, `1`, ... show frames and descriptors of the first images.
    """
    entries: list[dict[str, Any]] = []
    pictures: dict[str, np.ndarray] = {}
    for view in views:
        rgb = view.rgb()
        prediction = engine.infer(rgb, view.depth_m(), view.K)
        entries.append(image_entry(view, prediction))
        if len(pictures) < PICTURES:
            pictures[str(len(pictures))] = picture(rgb, prediction, view.K)
    truth = {(view.scene_id, view.im_id): view_frames(view, dataset.models) for view in views}
    predictions, _ = parse_predictions({'images': entries})
    metrics = {}
    for part in part_names(truth):
        metrics[f'ap_{THRESHOLD[0]:g}mm_{THRESHOLD[1]:g}deg/{part}'] = precision_recall(
            truth, predictions, part, *THRESHOLD
        ).area
        matches = [o for o in outcomes(truth, predictions, part) if o.truth and o.predicted]
        if matches:
            metrics[f'origin_mm_p50/{part}'] = float(np.median([m.origin_mm for m in matches]))
            metrics[f'axis_deg_p50/{part}'] = float(np.median([m.axis_deg for m in matches]))
    return Validation(metrics, pictures, mean_precision(metrics))


def mean_precision(metrics: dict[str, float]) -> float:
    """Mean over the parts of the average precisions that are known; 0 if none is."""
    values = [value for name, value in metrics.items() if name.startswith('ap_') and math.isfinite(value)]
    return float(np.mean(values)) if values else 0.0


def picture(rgb: np.ndarray, prediction: Prediction, K: np.ndarray) -> np.ndarray:
    """Overlay of the confident frames beside the descriptors in colour."""
    confident = [frame for frame in prediction.frames if frame.score >= 0.5]
    return side_by_side([draw_frames(rgb, confident, K), descriptors_to_rgb(prediction.descriptors)])


def spread_views(views: list[View], count: int) -> list[View]:
    """At most `count` views, evenly from all scenes."""
    return [views[k * len(views) // count] for k in range(count)] if len(views) > count else views
