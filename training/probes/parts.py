"""Part segmentation probe: one linear layer from a cell's descriptor to its class.

Protocol: linear evaluation of dense features, as in DINOv2 (Oquab et al. 2023,
https://arxiv.org/abs/2304.07193), at the descriptors' resolution.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.probes.frozen import FrozenViews
from dense_descriptor_ros.training.sources.bop import CLASS_NAMES
from dense_descriptor_ros.training.sources.image import IGNORE

CELLS = 60
"""Cells sampled of each class in each training view."""
ITERATIONS = 150
WEIGHT_DECAY = 1e-4
"""Of weights on standardised descriptors; every class has the same weight in the loss."""


def probe(
    train: FrozenViews, test: FrozenViews, class_names: Sequence[str] = CLASS_NAMES, seed: int = 0
) -> dict[str, float]:
    """`miou` and `iou/CLASS` on the test views; a class that they do not show is NaN, and not in the mean.

    Raises:
        DatasetError: the training views have no labelled cell.
    """
    layer = fit_linear(*sampled_cells(train, len(class_names), seed), len(class_names))
    counts = torch.zeros(len(class_names), len(class_names), dtype=torch.int64)
    for view in tqdm(test, desc='parts, test', unit='view'):
        with torch.no_grad():
            predicted = layer(view.descriptors.flatten(1).T.float()).argmax(1)
        counts += confusion(torch.from_numpy(view.classes).flatten().long(), predicted, len(class_names))
    iou = intersection_over_union(counts)
    names = zip(class_names, iou.tolist(), strict=True)
    return {'miou': float(iou.nanmean()), **{f'iou/{name}': value for name, value in names}}


def sampled_cells(views: FrozenViews, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Descriptors (N, D) float32 and classes (N,) of up to `CELLS` cells of each class in each view."""
    features, labels = [], []
    for k, view in enumerate(tqdm(views, desc='parts, training', unit='view')):
        rng = np.random.default_rng([seed, k])
        flat = view.classes.ravel()
        picks = [rng.permutation(np.flatnonzero(flat == label))[:CELLS] for label in range(classes)]
        pick = np.concatenate(picks)
        features.append(view.descriptors.flatten(1)[:, torch.from_numpy(pick)].T.float())
        labels.append(torch.from_numpy(flat[pick]).long())
    if not sum(len(part) for part in labels):
        raise DatasetError(f'{len(views)} training views have no labelled cell: nothing to fit a probe to')
    return torch.cat(features), torch.cat(labels)


def fit_linear(features: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.nn.Linear:
    """Logistic regression of labels (N,) on features (N, D), the classes that occur weighing the same.

    Fitted to convergence by L-BFGS from zero, on standardised features: nothing is drawn at random, and no
    learning rate favours a representation.
    """
    mean, scale = features.mean(0), features.std(0, correction=0).clamp(min=1e-6)
    standard = (features - mean) / scale
    count = torch.bincount(labels, minlength=classes)
    weight = torch.where(count > 0, len(labels) / count.clamp(min=1), 0.0)
    layer = torch.nn.Linear(features.shape[1], classes)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.LBFGS(
        layer.parameters(), max_iter=ITERATIONS, line_search_fn='strong_wolfe', tolerance_change=1e-7
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(layer(standard), labels, weight)
        loss = loss + WEIGHT_DECAY * layer.weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        layer.weight.div_(scale)
        layer.bias.sub_(layer.weight @ mean)
    return layer


def confusion(truth: torch.Tensor, predicted: torch.Tensor, classes: int) -> torch.Tensor:
    """Counts (C, C) of true (row) and predicted (column) classes (N,); IGNORE in the truth is left out."""
    labelled = truth != IGNORE
    cell = truth[labelled] * classes + predicted[labelled]
    return torch.bincount(cell, minlength=classes**2).view(classes, classes)


def intersection_over_union(counts: torch.Tensor) -> torch.Tensor:
    """(C,) of a confusion matrix (C, C); NaN for a class that the truth does not show."""
    hits, truth = counts.diagonal().double(), counts.sum(1)
    iou = hits / (truth + counts.sum(0) - hits).clamp(min=1)
    return torch.where(truth > 0, iou, torch.nan)
