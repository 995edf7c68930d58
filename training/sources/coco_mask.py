"""Masks of COCO annotations: polygons, or runs down the columns, plain or as text.

Source: https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.h
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np


def annotation_mask(segmentation: Any, height: int, width: int) -> np.ndarray:
    """(H, W) bool of a `segmentation` entry.

    Raises:
        ValueError: it has another size than the image, or is damaged.
    """
    if isinstance(segmentation, list):
        return polygon_mask(segmentation, height, width)
    if list(segmentation['size']) != [height, width]:
        raise ValueError(f'size {segmentation["size"]}, expected [{height}, {width}] as of the image')
    counts = segmentation['counts']
    return run_mask(run_lengths(counts) if isinstance(counts, str) else counts, height, width)


def polygon_mask(polygons: Sequence[Sequence[float]], height: int, width: int) -> np.ndarray:
    """(H, W) bool: pixels in any of some polygons [x, y, x, y, ...], edges included."""
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        # COCO counts from the corner of the first pixel, OpenCV from its middle.
        corners = np.array(polygon, float).reshape(-1, 2) - 0.5
        cv2.fillPoly(mask, [corners.round().astype(np.int32)], 1)
    return mask.astype(bool)


def run_mask(counts: Sequence[int], height: int, width: int) -> np.ndarray:
    """(H, W) bool of the lengths of runs, of 0 first, down one column after the other."""
    runs = np.array(counts, np.int64)
    if runs.sum() != height * width or (runs < 0).any():
        raise ValueError(f'runs of {runs.sum()} pixels in all, expected {height * width}, none negative')
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def run_lengths(text: str) -> list[int]:
    """Lengths of runs from text: 5 bits a character, low bits first, from the fourth on as differences.

    Each is the difference to the last but one; bit 5 of a character says that more follow, and bit 4 of the
    last one is the sign.
    """
    lengths: list[int] = []
    value, shift = 0, 0
    for character in text.encode('ascii'):
        bits = character - ord('0')
        if not 0 <= bits < 64:
            raise ValueError(f'character {chr(character)!r} in the counts, expected 0 to o')
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise ValueError('the counts end within a number')
    return lengths
