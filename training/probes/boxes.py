"""Boxes of objects, and average precision of predicted ones.

A box is (left, top, right, bottom) in pixels; right and bottom are the first column and row beyond it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import box_iou

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.training.metrics.acf_metrics import PrecisionRecall


@dataclass(frozen=True)
class ScoredBoxes:
    """Predictions in one image."""

    boxes: np.ndarray
    """(N, 4)"""
    scores: np.ndarray
    """(N,)"""


def mask_box(mask: np.ndarray) -> np.ndarray:
    """(4,) float box around the True pixels of a mask (H, W), which has some."""
    v, u = np.nonzero(mask)
    return np.array([u.min(), v.min(), u.max() + 1, v.max() + 1], float)


def average_precision_boxes(
    truth: list[np.ndarray], predicted: list[ScoredBoxes], iou_threshold: float = 0.5
) -> float:
    """Area under precision over recall of all images together, as PASCAL VOC 2010 and later.

    By falling score, each prediction claims the unclaimed true box of its image that it overlaps most; it is
    right if their intersection over union is at least the threshold. NaN without true boxes.

    Args:
        truth: (M, 4) boxes of each image.
        predicted: of the same images.
        iou_threshold: 0 to 1.

    Raises:
        InputError: the lists are of different images.
    """
    if len(truth) != len(predicted):
        raise InputError(
            f'boxes of {len(truth)} images and predictions of {len(predicted)}: expected the same'
        )
    overlaps = [overlap(p.boxes, boxes) for p, boxes in zip(predicted, truth, strict=True)]
    ranked = [(score, image, n) for image, p in enumerate(predicted) for n, score in enumerate(p.scores)]
    ranked.sort(key=lambda item: -item[0])
    hits = np.zeros(len(ranked), bool)
    for rank, (_, image, n) in enumerate(ranked):
        iou = overlaps[image]
        if iou.shape[1] and iou[n].max() >= iou_threshold:
            hits[rank] = True
            iou[:, iou[n].argmax()] = -1  # claimed
    scores = np.array([score for score, _, _ in ranked])
    return PrecisionRecall(scores, hits, sum(map(len, truth))).area


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4)."""
    first, second = (torch.from_numpy(np.asarray(boxes, float).reshape(-1, 4)) for boxes in (a, b))
    return box_iou(first, second).numpy()
