"""Masks of slots, and how well they show the objects of an image."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment

EPSILON = 1e-8
"""Keeps the shares of a cell finite that no slot looked at."""


def slot_shares(attention: torch.Tensor) -> torch.Tensor:
    """Shares (B, S, N) of the slots in each token, which sum to 1 over the slots, of attention (B, S, N)."""
    attention = attention.float() + EPSILON
    return attention / attention.sum(1, keepdim=True)


def slot_labels(masks: torch.Tensor, height: int, width: int) -> np.ndarray:
    """(B, H, W) int64: the slot that has most of each pixel, of soft masks (B, S, h, w)."""
    large = F.interpolate(masks.float(), size=(height, width), mode='bilinear', align_corners=False)
    return np.asarray(large.argmax(1).cpu().numpy())


def stripes(height: int, width: int, count: int) -> np.ndarray:
    """(H, W) int64: vertical stripes, the masks of a network that has learned places alone."""
    return np.broadcast_to(np.arange(width) * count // width, (height, width))


def object_iou(labels: np.ndarray, instances: np.ndarray) -> list[float]:
    """Intersection over union of each object with its own slot; background is no object.

    Each object takes one slot and none takes two, such that the sum is largest; an object without one has 0.

    Args:
        labels: (H, W) slot of each pixel.
        instances: (H, W), 0 where no object is.
    """
    objects, slots = np.unique(instances[instances > 0]), np.unique(labels)
    found = np.zeros((len(objects), len(slots)))
    for i, number in enumerate(objects):
        for j, slot in enumerate(slots):
            a, b = instances == number, labels == slot
            found[i, j] = (a & b).sum() / (a | b).sum()
    rows, columns = linear_sum_assignment(found, maximize=True)
    best = np.zeros(len(objects))
    best[rows] = found[rows, columns]
    return [float(value) for value in best]
