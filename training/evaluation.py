"""Runs a network over a data set and gathers every figure, with what the report shows of it."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dense_descriptor_ros.bop import BopDataset, View
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.frames import Infers
from dense_descriptor_ros.predict import descriptors_path, predict_dataset, read_descriptors
from dense_descriptor_ros.training.metrics.acf_metrics import (
    Outcome,
    Truth,
    acf_metrics,
    outcomes,
    part_names,
    precision_recall,
)
from dense_descriptor_ros.training.metrics.breakdown import CONDITIONS, RIGHT_DEG, RIGHT_MM, breakdown
from dense_descriptor_ros.training.metrics.calibration import calibration_error
from dense_descriptor_ros.training.metrics.descriptor_metrics import (
    Answer,
    DescriptorSource,
    across_instances_metrics,
    answer,
    dimension_spread,
    same_instance_metrics,
)
from dense_descriptor_ros.training.metrics.descriptor_pairs import (
    AcrossPair,
    SameInstancePair,
    draw_across_instances,
    draw_same_instance,
    mug_views,
)
from dense_descriptor_ros.training.metrics.predictions import Predictions, parse_predictions
from dense_descriptor_ros.training.metrics.truth import load_truth

TRAINED = 'this network'
"""Name of the evaluated descriptors among the baselines."""


@dataclass(frozen=True)
class EvaluateConfig:
    """What is evaluated on what."""

    data: Path
    split: str = 'test'
    depth: str = 'depth'
    checkpoint: Path | None = None
    """None: the shipped one"""
    out: Path | None = None
    """None: a folder below runs/evaluate"""
    device: str = 'auto'
    pairs: int = 100
    seed: int = 0
    dense_object_nets: Path | None = None
    """Weights of that baseline; None leaves it out."""

    def __post_init__(self) -> None:
        for name, least in (('pairs', 1), ('seed', 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ConfigError(f'{name} is {value!r}: expected a whole number of at least {least}')

    @property
    def folder(self) -> Path:
        """Where the results go."""
        path = self.checkpoint.resolve() if self.checkpoint else None
        # With the run's name, since every run has a best.safetensors.
        checkpoint = f'{path.parent.name}_{path.stem}' if path else 'shipped'
        name = f'{checkpoint}_{self.data.resolve().name}_{self.split}_{self.depth}'
        return self.out or Path('runs/evaluate') / name


@dataclass(frozen=True)
class DescriptorAnswers:
    """What one kind of descriptor answered to the two questions."""

    same: list[Answer[SameInstancePair]]
    across: list[Answer[AcrossPair]]


@dataclass(frozen=True)
class Evaluation:
    """Figures, and what they were computed from."""

    config: EvaluateConfig
    dataset: BopDataset
    truth: Truth
    predictions: Predictions
    outcomes: dict[str, list[Outcome]]
    """By part."""
    answers: dict[str, DescriptorAnswers]
    """By kind of descriptor, `TRAINED` first."""
    metrics: dict[str, Any]

    def view(self, key: tuple[int, int]) -> View:
        """The image of a scene and image number."""
        return next(view for view in self.dataset.scenes[key[0]] if view.im_id == key[1])

    def descriptors(self, view: View) -> np.ndarray:
        """(D, h, w) of the evaluated network."""
        return stored_descriptors(self.config.folder, view)


def evaluate(
    engine: Infers,
    dataset: BopDataset,
    config: EvaluateConfig,
    baselines: dict[str, DescriptorSource],
    about: dict[str, Any],
) -> Evaluation:
    """Predict, keep the predictions beside the results, and measure.

    Args:
        engine: the network.
        dataset: the split to run over.
        config: what was asked for.
        baselines: descriptors to stand beside the network's, by name.
        about: goes into the metrics as `checkpoint`, where the figures come from.
    """
    if not any(instance.obj_id in dataset.models for view in dataset.views for instance in view.instances):
        raise DatasetError(
            f'{dataset.root / dataset.split}: shows no object of models/models_acf.json; '
            'nothing can be measured'
        )
    contents = predict_dataset(engine, dataset, config.depth, config.folder / 'descriptors')
    write_json(config.folder / 'predictions.json', contents)
    predictions, times_s = parse_predictions(contents)
    truth = load_truth(dataset)
    by_part = {part: outcomes(truth, predictions, part) for part in part_names(truth)}
    sources: dict[str, DescriptorSource] = {TRAINED: partial(stored_descriptors, config.folder), **baselines}
    answers, descriptor_figures = measure_descriptors(dataset, config, sources)
    metrics = {
        'data': str(config.data),
        'split': config.split,
        'depth': config.depth,
        'checkpoint': about,
        'frames': acf_metrics(truth, predictions, times_s),
        'calibration_error': {
            part: calibration_error(precision_recall(truth, predictions, part, RIGHT_MM, RIGHT_DEG))
            for part in by_part
        },
        'frames_by': {
            condition.name: {part: breakdown(results, condition) for part, results in by_part.items()}
            for condition in CONDITIONS
        },
        'descriptors': descriptor_figures,
    }
    return Evaluation(config, dataset, truth, predictions, by_part, answers, metrics)


def stored_descriptors(folder: Path, view: View) -> np.ndarray:
    """(D, h, w) as the evaluation's prediction left them."""
    return read_descriptors(descriptors_path(folder / 'descriptors', view))


def measure_descriptors(
    dataset: BopDataset, config: EvaluateConfig, sources: dict[str, DescriptorSource]
) -> tuple[dict[str, DescriptorAnswers], dict[str, Any]]:
    """Answers and figures by kind of descriptor; all answer the same pairs."""
    views = mug_views(dataset)
    same = draw_same_instance(views, np.random.default_rng(config.seed), config.pairs)
    across = draw_across_instances(views, np.random.default_rng(config.seed), config.pairs)
    answers, figures = {}, {}
    for name, source in sources.items():
        answers[name] = DescriptorAnswers(
            answer(same, source, f'{name}, same mug'), answer(across, source, f'{name}, other mug')
        )
        dimensions, spread = dimension_spread(views, source)
        figures[name] = {
            'dimensions': dimensions,
            'min_dimension_std': spread,
            'same_instance': same_instance_metrics(answers[name].same),
            'across_instances': across_instances_metrics(answers[name].across),
        }
    return answers, figures


def finite(value: Any) -> Any:
    """The value with None for every number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
