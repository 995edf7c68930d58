"""Masks that need no slot network, to stand beside one that has: each gives a `Masks` of the slot probe."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans

from dense_descriptor_ros.training.probes.frozen import FrozenView
from dense_descriptor_ros.training.probes.slots import Masks

POSITION_WEIGHT = 0.5
"""Of an image's width, as far as the distance from black to white."""


def stripes(slots: int) -> Masks:
    """Vertical stripes of equal width, left to right."""

    def masks(view: FrozenView) -> torch.Tensor:
        h, w = view.descriptors.shape[-2:]
        column = torch.arange(w) * slots // w
        return one_hot(column.expand(h, w), slots)

    return masks


def colour_kmeans(slots: int, seed: int = 0) -> Masks:
    """Clusters of the cells' mean colours and positions."""

    def masks(view: FrozenView) -> torch.Tensor:
        h, w = view.descriptors.shape[-2:]
        colour = cv2.resize(view.image.rgb, (w, h), interpolation=cv2.INTER_AREA) / 255
        v, u = np.mgrid[:h, :w] / w * POSITION_WEIGHT
        return clusters(np.concatenate([colour, u[..., None], v[..., None]], -1), slots, seed)

    return masks


def feature_kmeans(slots: int, seed: int = 0) -> Masks:
    """Clusters of the cells' descriptors."""

    def masks(view: FrozenView) -> torch.Tensor:
        return clusters(view.descriptors.permute(1, 2, 0).float().numpy(), slots, seed)

    return masks


def clusters(values: np.ndarray, slots: int, seed: int) -> torch.Tensor:
    """(S, h, w) one-hot masks of k-means on values (h, w, D); slots stay empty if fewer values differ."""
    h, w, dimension = values.shape
    rows = values.reshape(-1, dimension)
    distinct = min(slots, len(np.unique(rows, axis=0)))
    labels = KMeans(distinct, n_init=1, random_state=seed).fit_predict(rows)
    return one_hot(torch.from_numpy(labels).view(h, w), slots)


def one_hot(labels: torch.Tensor, slots: int) -> torch.Tensor:
    """(S, h, w) of slot numbers (h, w)."""
    return F.one_hot(labels.long(), slots).permute(2, 0, 1).float()
