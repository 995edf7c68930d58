"""Fits the confidence of a checkpoint, so that its scores are probabilities.

A score is then the probability that a frame lies within 20 mm and 10 degrees of a true one. training/train.py
does this at its end on its validation scenes. By itself, for data of your own:

python training/calibrate.py runs/mug/best.safetensors data/mine --split val
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from dense_descriptor_ros.bop import MM, BopDataset, View, open_bop
from dense_descriptor_ros.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dense_descriptor_ros.confidence import Confidence
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.metrics.acf_metrics import Truth, judged_predictions
from dense_descriptor_ros.training.metrics.breakdown import RIGHT_DEG, RIGHT_MM
from dense_descriptor_ros.training.metrics.predictions import PredictedFrame, Predictions
from dense_descriptor_ros.training.metrics.truth import ImageKey, view_frames

LOG = logging.getLogger(__name__)
REGULARISATION = 0.3
"""Inverse strength, as scikit-learn's C."""
DEPTH_FOLDERS = ('depth', 'depth_noisy')


@dataclass(frozen=True)
class Found:
    """What an engine finds in some images, with the truth."""

    truth: Truth
    predictions: Predictions
    features: dict[tuple[ImageKey, int], np.ndarray]
    """(F,) of each object, by image and instance."""


def calibrated(checkpoint: Checkpoint, dataset: BopDataset, views: list[View], device: str) -> Checkpoint:
    """The checkpoint with a confidence fitted to these images.

    Raises:
        DatasetError: all frames of some part are right or all wrong, which fits no regression.
    """
    found = find(Engine(replace(checkpoint, confidence=None), device), dataset, views)
    rows = np.array(list(found.features.values()))
    mean, scale = rows.mean(0), rows.std(0) + 1e-6
    fits = []
    for part in checkpoint.category.part_names:
        judged = judged_predictions(found.truth, found.predictions, part, RIGHT_MM, RIGHT_DEG)
        hits = np.array([hit for _, _, hit in judged], bool)
        if hits.all() or not hits.any():
            raise DatasetError(
                f'{dataset.root / dataset.split}: {hits.sum()} of {len(hits)} predictions of part {part!r} '
                'are right; a confidence is fitted to right and wrong ones: give more images'
            )
        inputs = np.array([found.features[key, frame.instance] for key, frame, _ in judged])
        fits.append(LogisticRegression(C=REGULARISATION, max_iter=1000).fit((inputs - mean) / scale, hits))
    LOG.info('confidence fitted to %d objects in %d images', len(rows), len(found.truth))
    return replace(
        checkpoint,
        confidence=Confidence(
            mean,
            scale,
            np.stack([fit.coef_[0] for fit in fits]),
            np.array([fit.intercept_[0] for fit in fits]),
        ),
    )


def find(engine: Engine, dataset: BopDataset, views: list[View]) -> Found:
    """Objects in each view, once with each depth that it has: scores should hold for all of them."""
    found = Found({}, {}, {})
    images = [(v, f) for v in views for f in DEPTH_FOLDERS if (v.folder / f).is_dir()]
    for number, (view, depth_folder) in enumerate(tqdm(images, desc='calibrate', unit='image')):
        key = (number, view.im_id)
        objects = engine.find_objects(view.rgb(), view.depth_m(depth_folder), view.K)
        found.truth[key] = view_frames(view, dataset.models)
        found.predictions[key] = [
            PredictedFrame(f.part, f.score, f.origin_m / MM, f.axis, f.category, f.instance)
            for one in objects
            for f in one.frames
        ]
        found.features.update({(key, one.frames[0].instance): one.features for one in objects})
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, help='.safetensors file, which is rewritten')
    parser.add_argument('data', type=Path, help='data set in BOP scenewise format that it was not trained on')
    parser.add_argument('--split', default='val')
    parser.add_argument('--device', default='auto')
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO)
    with errors_in_one_line():
        dataset = open_bop(args.data, args.split)
        checkpoint = load_checkpoint(args.checkpoint)
        save_checkpoint(args.checkpoint, calibrated(checkpoint, dataset, dataset.views, args.device))


if __name__ == '__main__':
    main()
