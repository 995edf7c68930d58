"""Slot probe: how well masks of slots agree with the objects of an image.

Foreground adjusted Rand index (Hubert and Arabie 1985; over the pixels of objects, as Greff et al. 2019,
https://arxiv.org/abs/1903.00450), and intersection over union of masks paired one to one (Kuhn 1955).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score
from tqdm import tqdm

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.training.probes.frozen import FrozenView, FrozenViews

Masks = Callable[[FrozenView], torch.Tensor]
"""Masks (S, h, w) of a view at any resolution: for each pixel weights of the slots, the largest counts."""
MIN_CELLS = 10
"""An object that shows fewer cells is neither expected nor punished."""


class SlotScore(NamedTuple):
    """Figures of one image."""

    ari: float
    """Foreground ARI, NaN for fewer than two objects: one object is always whole."""
    iou: float
    """Mean over objects, NaN without any."""
    iou_with_background: float
    """Mean over objects and background."""


def probe(test: FrozenViews, masks: Masks) -> dict[str, float]:
    """Means over the test views: `fg_ari`, `iou`, `iou_with_background`, and how many images are behind them.

    `images` counts those of `fg_ari`, `images_left_out` those with fewer than two objects, which have none.
    """
    views = tqdm(test, desc='slots', unit='view')
    scores = [score(masks(view)[None], torch.from_numpy(view.instances)[None])[0] for view in views]
    return summary(scores)


def summary(scores: list[SlotScore]) -> dict[str, float]:
    """Means of the figures of single images over those that have them."""
    ari, iou, iou_with_background = (
        np.array([getattr(item, name) for item in scores]) for name in SlotScore._fields
    )
    return {
        'fg_ari': known_mean(ari),
        'iou': known_mean(iou),
        'iou_with_background': known_mean(iou_with_background),
        'images': float(np.isfinite(ari).sum()),
        'images_left_out': float(np.isnan(ari).sum()),
    }


def score(masks: torch.Tensor, instances: torch.Tensor) -> list[SlotScore]:
    """Figures of B images.

    Args:
        masks: (B, S, h, w) weights of slots, of any resolution.
        instances: (B, H, W) int: 0 for background, else the object's number.

    Raises:
        InputError: the shapes do not fit.
    """
    if masks.dim() != 4 or instances.dim() != 3 or len(masks) != len(instances):
        raise InputError(
            f'masks have shape {tuple(masks.shape)} and instances {tuple(instances.shape)}: '
            'expected (B, S, h, w) and (B, H, W)'
        )
    size = instances.shape[-2:]
    large = F.interpolate(masks.float(), size=size, mode='bilinear', align_corners=False)
    slots = large.argmax(1).cpu().numpy()
    return [
        score_image(slot.ravel(), truth.ravel(), masks.shape[1])
        for slot, truth in zip(slots, instances.cpu().numpy(), strict=True)
    ]


def score_image(slot: np.ndarray, truth: np.ndarray, slots: int) -> SlotScore:
    """Figures of one image from its cells' slots (N,) below `slots` and object numbers (N,)."""
    numbers, counts = np.unique(truth[truth > 0], return_counts=True)
    small = np.isin(truth, numbers[counts < MIN_CELLS])
    slot, truth = slot[~small], truth[~small]
    objects = numbers[counts >= MIN_CELLS]
    foreground = truth > 0
    nan = float('nan')
    return SlotScore(
        ari=float(adjusted_rand_score(truth[foreground], slot[foreground])) if len(objects) > 1 else nan,
        iou=matched_iou(slot, truth, objects, slots) if len(objects) else nan,
        iou_with_background=matched_iou(slot, truth, np.array([0, *objects]), slots),
    )


def matched_iou(slot: np.ndarray, truth: np.ndarray, numbers: np.ndarray, slots: int) -> float:
    """Mean over the segments `numbers` of the IoU with their slots, paired one to one for the largest sum.

    A segment without a slot, where there are more segments than slots, has 0.
    """
    own = truth[None] == numbers[:, None]  # (M, N)
    of_slot = slot[None] == np.arange(slots)[:, None]  # (S, N)
    shared = own.astype(np.float64) @ of_slot.T.astype(np.float64)
    union = own.sum(1)[:, None] + of_slot.sum(1)[None] - shared
    iou = shared / np.maximum(union, 1)
    rows, columns = linear_sum_assignment(iou, maximize=True)
    return float(iou[rows, columns].sum() / len(numbers))


def known_mean(values: np.ndarray) -> float:
    """Mean of those that are not NaN; NaN of none."""
    finite = values[~np.isnan(values)]
    return float(finite.mean()) if len(finite) else float('nan')
