"""How far a checkpoint's frames hold when images are worse than those it was trained on.

python training/robustness.py data=data/mugs_test split=test [checkpoint=runs/mug/best.safetensors]
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hydra
import numpy as np
from omegaconf import DictConfig
from tqdm import tqdm

from dense_descriptor_ros.bop import BopDataset, open_bop
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.frames import AffordanceFrame, Infers, Prediction
from dense_descriptor_ros.geometry import angle_deg, project
from dense_descriptor_ros.predict import predict_dataset
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.evaluate import read_config
from dense_descriptor_ros.training.evaluation import EvaluateConfig, finite
from dense_descriptor_ros.training.metrics.acf_metrics import OPERATING_SCORE, Truth, acf_metrics, ratio
from dense_descriptor_ros.training.metrics.degradations import DEGRADATIONS, Degradation
from dense_descriptor_ros.training.metrics.predictions import parse_predictions
from dense_descriptor_ros.training.metrics.truth import TrueFrame, load_truth

NEAR_OF_DIAGONAL = 0.02
"""A keypoint without depth is right within this share of the image's diagonal."""
COLUMNS = ('ap_20mm_10deg', 'recall', 'precision', 'origin_mm_p50', 'axis_deg_p50')


@dataclass
class DegradedEngine:
    """An engine that sees every image through a degradation; always the same one for the same order."""

    engine: Infers
    degradation: Degradation
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def infer(self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray) -> Prediction:
        """Frames and descriptors of one image; frames are in the camera frame, which stays."""
        return self.engine.infer(*self.degradation(rgb, depth_m, K, self.rng))


def robustness(engine: Infers, dataset: BopDataset, depth_folder: str) -> dict[str, dict[str, Any]]:
    """Figures by degradation and part."""
    truth, rows = load_truth(dataset), {}
    for name, degradation in DEGRADATIONS.items():
        contents = predict_dataset(DegradedEngine(engine, degradation), dataset, depth_folder)
        predictions, times_s = parse_predictions(contents)
        rows[name] = acf_metrics(truth, predictions, times_s)['parts']
    return rows


def without_depth(
    infer_colour: Callable[[np.ndarray, np.ndarray], Prediction], dataset: BopDataset, truth: Truth
) -> dict[str, dict[str, float]]:
    """By part: how many keypoints are found in the image, and how well their axes, from colour alone.

    A found keypoint lies within 2 % of the image's diagonal of the true one's projection.
    """
    errors_deg: dict[str, list[float]] = defaultdict(list)
    required, wrong = Counter[str](), Counter[str]()
    for view in tqdm(dataset.views, desc='colour alone', unit='image'):
        rgb, truths = view.rgb(), truth[view.scene_id, view.im_id]
        near_px = NEAR_OF_DIAGONAL * float(np.hypot(*rgb.shape[:2]))
        required.update(true.part for true in truths if true.required)
        free = list(truths)
        for frame in infer_colour(rgb, view.K).frames:
            if frame.score < OPERATING_SCORE:
                continue
            near = [true for true in free if distance_px(frame, true, view.K) < near_px]
            if not near:
                wrong[frame.part] += 1
                continue
            nearest = min(near, key=lambda true: distance_px(frame, true, view.K))
            free.remove(nearest)
            if nearest.required:
                errors_deg[frame.part].append(float(angle_deg(frame.axis, nearest.axis)))
    return {
        part: {
            'recall': ratio(len(errors_deg[part]), required[part]),
            'precision': ratio(len(errors_deg[part]), len(errors_deg[part]) + wrong[part]),
            'axis_deg_p50': float(np.median(errors_deg[part])) if errors_deg[part] else math.nan,
        }
        for part in sorted(required)
    }


def distance_px(frame: AffordanceFrame, true: TrueFrame, K: np.ndarray) -> float:
    """Between the two keypoints in the image; infinite for different parts."""
    if frame.part != true.part:
        return math.inf
    return float(np.linalg.norm(project(K, frame.origin_m) - project(K, true.origin_mm)))


def print_table(rows: dict[str, dict[str, Any]], colour_alone: dict[str, dict[str, float]]) -> None:
    """Figures on the terminal."""
    for column in COLUMNS:
        print(f'\n{column:52}' + ''.join(f'{part:>10}' for part in colour_alone))
        for name, parts in rows.items():
            print(f'{name:52}' + ''.join(f'{parts[part][column]:10.3f}' for part in colour_alone))
    print('\nwithout any depth, keypoints within 2 % of the image diagonal')
    for column in ('recall', 'precision', 'axis_deg_p50'):
        print(f'{column:52}' + ''.join(f'{row[column]:10.3f}' for row in colour_alone.values()))


def run(config: EvaluateConfig) -> None:
    """Measure, print and keep the figures."""
    dataset = open_bop(config.data, config.split)
    engine = Engine.load(config.checkpoint, config.device)
    rows = robustness(engine, dataset, config.depth)
    colour_alone = without_depth(engine.infer_colour, dataset, load_truth(dataset))
    path = config.folder / 'robustness.json'
    write_json(path, finite({'degraded': rows, 'without depth': colour_alone}), indent=1)
    print_table(rows, colour_alone)
    print(f'\n{path}')


@hydra.main(version_base=None, config_path='config', config_name='evaluate')
def main(config: DictConfig) -> None:
    """Command line."""
    with errors_in_one_line():
        run(read_config(config))


if __name__ == '__main__':
    main()
