"""Predicted affordance frames as `predict` writes them: camera frame, millimetres."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.metrics.truth import ImageKey


@dataclass(frozen=True)
class PredictedFrame:
    """One predicted part in the camera frame."""

    part: str
    score: float
    origin_mm: np.ndarray
    """(3,)"""
    axis: np.ndarray
    """(3,) unit"""
    category: str = ''
    instance: int = 0


Predictions = dict[ImageKey, list[PredictedFrame]]


def read_predictions(path: Path) -> tuple[Predictions, np.ndarray]:
    """Frames by image, and inference times (s), of a predictions.json.

    Raises:
        DatasetError: the file is missing or not in the layout that `predict` writes.
    """
    try:
        return parse_predictions(json.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DatasetError(f'{path}: not readable as predictions ({error})') from error
    except DatasetError as error:
        raise DatasetError(f'{path}: {error}') from error


def parse_predictions(value: dict[str, Any]) -> tuple[Predictions, np.ndarray]:
    """Frames by image, and inference times (s), of the contents of a predictions.json."""
    predictions: Predictions = {}
    times = []
    try:
        for image in value['images']:
            key = (int(image['scene_id']), int(image['im_id']))
            if key in predictions:
                raise DatasetError(f'image {key} appears twice; every image has one entry')
            predictions[key] = [parse_frame(frame) for frame in image['frames']]
            if image.get('time_s') is not None:
                times.append(float(image['time_s']))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f'predictions do not fit the layout that predict writes: {error!r}') from error
    return predictions, np.array(times)


def parse_frame(frame: dict[str, Any]) -> PredictedFrame:
    """One predicted frame from JSON values."""
    axis = np.array(frame['axis'], float)
    return PredictedFrame(
        part=frame['part'],
        score=float(frame['score']),
        origin_mm=np.array(frame['origin_mm'], float),
        axis=axis / max(float(np.linalg.norm(axis)), 1e-9),
        category=frame.get('category', ''),
        instance=int(frame.get('instance', 0)),
    )
