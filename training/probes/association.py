"""Association probe: where pixels of one mug find themselves on another mug, nothing trained.

Objects are compared in coordinates centred on their boxes and scaled by their sizes, so no 3-D model is
needed. Views may differ by a turn, so even a perfect representation has a distance above zero: figures stand
beside the expectation of a random pixel of the other object.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from tqdm import tqdm

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.items.labels import HANDLE
from dense_descriptor_ros.training.probes.frozen import FrozenView, FrozenViews
from dense_descriptor_ros.training.sources.bop import CLASS_NAMES

MIN_CELLS = 40
"""Smaller objects are left out."""
QUERIES = 200
"""At most so many cells of an object look for themselves."""
PARTS = tuple(CLASS_NAMES.index(name) for name in ('body', HANDLE))


@dataclass(frozen=True)
class ObjectCells:
    """The N cells of one object in one view whose part is known."""

    obj_id: int
    descriptors: torch.Tensor
    """(N, D) float16, unit"""
    centred: np.ndarray
    """(N, 2) from the centre of the object's box, in widths and heights of the box."""
    part: np.ndarray
    """(N,) class"""


@dataclass(frozen=True)
class Association:
    """What the queries of one object found on another; random: expected of a cell drawn at random there."""

    part: np.ndarray
    """(N,) class of the query"""
    hit: np.ndarray
    """(N,) bool: the found cell is of the same part."""
    hit_random: np.ndarray
    """(N,) probability"""
    distance: np.ndarray
    """(N,) between centred coordinates, in box sizes"""
    distance_random: np.ndarray
    """(N,) mean"""


def probe(test: FrozenViews, pairs: int = 200, seed: int = 0) -> dict[str, float]:
    """Same-part hits and centred distances over random pairs of different instances.

    `same_part`, `same_part_random` and their quotient `same_part_ratio`, with `/body` and `/handle` for the
    queries there; `distance`, `distance_random`, `distance_ratio`.

    Raises:
        DatasetError: fewer than two different objects are seen.
    """
    objects = [item for view in tqdm(test, desc='association', unit='view') for item in object_cells(view)]
    if len({item.obj_id for item in objects}) < 2:
        raise DatasetError(f'{len(test)} views show fewer than two different objects: nothing to associate')
    rng = np.random.default_rng(seed)
    found: list[Association] = []
    while len(found) < pairs:
        a, b = (objects[k] for k in rng.integers(0, len(objects), 2))
        if a.obj_id != b.obj_id:
            found.append(associate(a, b, rng))
    return figures(found)


def object_cells(view: FrozenView) -> list[ObjectCells]:
    """The objects of the category that a view shows with at least `MIN_CELLS` cells."""
    instances, classes = view.instances, view.classes
    found = []
    for number, obj_id in view.objects.items():
        i, j = np.nonzero((instances == number) & np.isin(classes, PARTS))
        if len(i) < MIN_CELLS:
            continue
        cell = np.stack([j, i], 1)
        low, high = cell.min(0), cell.max(0)
        centred = (cell - (low + high) / 2) / (high - low + 1)
        found.append(ObjectCells(obj_id, view.descriptors[:, i, j].T, centred, classes[i, j]))
    return found


def associate(a: ObjectCells, b: ObjectCells, rng: np.random.Generator) -> Association:
    """Nearest neighbours in `b` of up to `QUERIES` cells of `a`, by cosine."""
    pick = rng.permutation(len(a.part))[:QUERIES]
    nearest = (a.descriptors[pick].float() @ b.descriptors.float().T).argmax(1).numpy()
    part, at = a.part[pick], a.centred[pick]
    same = part[:, None] == b.part[None]
    distance = np.linalg.norm(at[:, None] - b.centred[None], axis=-1)
    rows = np.arange(len(pick))
    return Association(part, same[rows, nearest], same.mean(1), distance[rows, nearest], distance.mean(1))


def figures(found: list[Association]) -> dict[str, float]:
    """Means over all queries, beside what is expected at random."""
    part, hit, hit_random, distance, distance_random = (
        np.concatenate([getattr(item, field.name) for item in found]) for field in fields(Association)
    )
    result = same_part(hit, hit_random, '')
    for index in PARTS:
        own = part == index
        result |= same_part(hit[own], hit_random[own], f'/{CLASS_NAMES[index]}')
    return result | {
        'distance': mean(distance),
        'distance_random': mean(distance_random),
        'distance_ratio': mean(distance) / mean(distance_random),
    }


def same_part(hit: np.ndarray, hit_random: np.ndarray, suffix: str) -> dict[str, float]:
    """Share of hits, its expectation at random, and their quotient; NaN without queries or hope."""
    observed, expected = mean(hit), mean(hit_random)
    ratio = observed / expected if expected > 0 else float('nan')
    return {
        f'same_part{suffix}': observed,
        f'same_part_random{suffix}': expected,
        f'same_part_ratio{suffix}': ratio,
    }


def mean(values: np.ndarray) -> float:
    """NaN of nothing."""
    return float(values.mean()) if len(values) else float('nan')
