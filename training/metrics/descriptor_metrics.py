"""Accuracy of dense descriptors: nearest neighbours against true correspondences.

Same instance: error in pixels over the image's diagonal, as Dense Object Nets (Florence et al. 2018) report.
Across instances: distance on the target mug from the found to the corresponding point, over its size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from tqdm import tqdm

from dense_descriptor_ros.bop import MM, View
from dense_descriptor_ros.matching import sample, search_pixels
from dense_descriptor_ros.training.metrics.descriptor_pairs import (
    HANDLE,
    OUTSIDE,
    AcrossPair,
    MugView,
    SameInstancePair,
)

Pair = TypeVar('Pair', SameInstancePair, AcrossPair)
DescriptorSource = Callable[[View], np.ndarray]
"""Descriptor image (D, h, w) of a view."""
SIDE_DEG = (30.0, 150.0)
"""Azimuths at which left and right can be told apart."""
MIRROR_TOLERANCE_DEG = 15.0


@dataclass(frozen=True)
class Found:
    """Nearest neighbours of one pair's queries, over the full image or within the mask."""

    uv: np.ndarray
    """(N, 2) int"""
    closer: np.ndarray | None
    """(N,) share of the searched pixels that are more similar than the true match; None across instances"""


@dataclass(frozen=True)
class Answer(Generic[Pair]):
    """What a descriptor answered to one pair."""

    pair: Pair
    full: Found
    mask: Found


def answer(pairs: list[Pair], source: DescriptorSource, name: str) -> list[Answer[Pair]]:
    """Nearest neighbours for every pair, with a progress bar."""
    return [answer_pair(pair, source) for pair in tqdm(pairs, desc=name, unit='pair')]


def answer_pair(pair: Pair, source: DescriptorSource) -> Answer[Pair]:
    """Nearest neighbours of the queries of one pair."""
    query = sample(source(pair.a.view), pair.uv_a, pair.a.image_size)
    target = source(pair.b.view)
    true_similarity = None
    if isinstance(pair, SameInstancePair):
        true_similarity = (query * sample(target, pair.uv_b, pair.b.image_size)).sum(1)
    full = nearest(query, target, search_pixels(pair.b.image_size), pair.b.image_size, true_similarity)
    mask = nearest(
        query, target, search_pixels(pair.b.image_size, pair.mask_b), pair.b.image_size, true_similarity
    )
    return Answer(pair, full, mask)


def nearest(
    query: np.ndarray,
    target: np.ndarray,
    pixels: np.ndarray,
    image_size: tuple[int, int],
    true_similarity: np.ndarray | None,
) -> Found:
    """The most similar of the `pixels` (M, 2) for each query (N, D)."""
    similarity = sample(target, pixels, image_size) @ query.T
    closer = None if true_similarity is None else (similarity > true_similarity).mean(0)
    return Found(pixels[similarity.argmax(0)], closer)


def same_instance_metrics(answers: list[Answer[SameInstancePair]]) -> dict[str, Any]:
    """Figures over all pairs, over the full image and within the mask."""
    result: dict[str, Any] = {'pairs': len(answers)}
    for where in ('full', 'mask') if answers else ():
        found = [getattr(item, where) for item in answers]
        error_px = np.concatenate([pixel_errors(item, where) for item in answers])
        error = error_px / np.hypot(*answers[0].pair.b.image_size)
        result[where] = {
            **{f'below_{limit:g}': share(error < limit) for limit in (0.01, 0.02, 0.05, 0.13)},
            'mean_error': float(error.mean()),
            'median_px': float(np.median(error_px)),
            **{f'pck_{limit}px': share(error_px <= limit) for limit in (3, 5, 10)},
            'closer_than_truth': float(np.concatenate([item.closer for item in found]).mean()),
        }
    return result


def pixel_errors(item: Answer[Any], where: str) -> np.ndarray:
    """(N,) distances in pixels from the found to the true pixels."""
    return np.linalg.norm(getattr(item, where).uv - item.pair.uv_b, axis=1)


def across_instances_metrics(answers: list[Answer[AcrossPair]]) -> dict[str, Any]:
    """Figures over all pairs, over the full image and within the mask."""
    result: dict[str, Any] = {'pairs': len(answers)}
    for where in ('full', 'mask') if answers else ():
        error = np.concatenate([surface_errors_mm(item, where) / item.pair.diagonal_mm for item in answers])
        result[where] = {
            'within_.05': share(error <= 0.05),
            'within_.10': share(error <= 0.10),
            'median': float(np.median(error)),
        }
    if answers:
        error_mm = np.concatenate([surface_errors_mm(item, 'mask') for item in answers])
        result['mask'] |= {
            'within_1cm': share(error_mm <= 10),
            'within_2cm': share(error_mm <= 20),
            'handle_agrees': share(np.concatenate([handle_agrees(item) for item in answers])),
            'mirror_rate': share(np.concatenate([mirrored(item) for item in answers])),
        }
    return result


def found_points_mm(item: Answer[AcrossPair], where: str) -> np.ndarray:
    """(N, 3) found points in the target's object frame, NaN where there is no depth."""
    return item.pair.b.object_points_mm(item.pair.index_b, getattr(item, where).uv)


def surface_errors_mm(item: Answer[AcrossPair], where: str) -> np.ndarray:
    """(N,) distances from the found to the corresponding points; inf without depth."""
    error = np.linalg.norm(found_points_mm(item, where) - item.pair.points_b_mm, axis=1)
    return np.where(np.isnan(error), np.inf, error)


def handle_agrees(item: Answer[AcrossPair]) -> np.ndarray:
    """(N,) bool: found and corresponding point are both on the handle, or neither is."""
    x_mm = found_points_mm(item, 'mask')[:, 0]
    handle_from_mm = item.pair.b.model(item.pair.index_b).handle_x_min_m / MM
    return (x_mm > handle_from_mm) == (item.pair.part_b == HANDLE)


def mirrored(item: Answer[AcrossPair]) -> np.ndarray:
    """(M,) bool for the queries on the outer sides: found at the azimuth's mirror image."""
    azimuth = np.arctan2(item.pair.points_b_mm[:, 1], item.pair.points_b_mm[:, 0])
    low, high = np.radians(SIDE_DEG)
    side = (item.pair.part_b == OUTSIDE) & (np.abs(azimuth) > low) & (np.abs(azimuth) < high)
    found = found_points_mm(item, 'mask')
    turn = np.arctan2(found[:, 1], found[:, 0]) + azimuth
    return np.abs(np.angle(np.exp(1j * turn)))[side] < np.radians(MIRROR_TOLERANCE_DEG)


def share(right: np.ndarray) -> float:
    """Mean of booleans, NaN for none."""
    return float(np.mean(right)) if len(right) else float('nan')


def dimension_spread(views: list[MugView], source: DescriptorSource) -> tuple[int, float]:
    """Dimensions, and the smallest standard deviation of one over mugs: near zero, it has collapsed."""
    samples = [
        sample(source(view.view), search_pixels(view.image_size, view.mask(index))[::50], view.image_size)
        for view in views[:20]
        for index in view.mugs
    ]
    if not samples:
        return 0, float('nan')
    descriptors = np.concatenate(samples)
    return descriptors.shape[1], float(descriptors.std(0).min())
