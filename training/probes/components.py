"""Principal components of a representation: what probes with a larger head train on.

A representation of a thousand dimensions would take minutes and memory, and get a larger head than one of
sixteen. Whitened, no probe's learning rate favours large or small values.
"""

from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.probes.frozen import FrozenViews

COMPONENTS = 128
CELLS = 200
"""Sampled in each view."""
MIN_VARIANCE = 1e-8
"""Below is rounding: descriptors are unit vectors in half precision."""


@dataclass(frozen=True, eq=False)
class Components:
    """A linear map of descriptors of D dimensions to k uncorrelated ones of mean 0 and variance 1."""

    mean: torch.Tensor
    """(D,)"""
    basis: torch.Tensor
    """(k, D)"""

    def __len__(self) -> int:
        return len(self.basis)

    def __call__(self, descriptors: torch.Tensor) -> torch.Tensor:
        """(k, h, w) float16 of descriptors (D, h, w)."""
        rows = descriptors.flatten(1).float() - self.mean[:, None]
        return (self.basis @ rows).unflatten(1, descriptors.shape[1:]).half()


def principal_components(views: FrozenViews, count: int = COMPONENTS, seed: int = 0) -> Components:
    """The `count` components of largest variance, or all where there are fewer dimensions.

    Raises:
        DatasetError: there are no views.
    """
    if not len(views):
        raise DatasetError('no training views: a probe needs some')
    samples = []
    for k, view in enumerate(tqdm(views, desc='components', unit='view')):
        flat = view.descriptors.flatten(1)
        pick = np.random.default_rng([seed, k]).permutation(flat.shape[1])[:CELLS]
        samples.append(flat[:, torch.from_numpy(pick)].T.float())
    rows = torch.cat(samples)
    mean = rows.mean(0)
    variance, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))  # ascending
    variance, vectors = variance.flip(0)[:count], vectors.flip(1)[:, :count]
    return Components(mean, (vectors / variance.clamp(min=MIN_VARIANCE).sqrt()).T)
