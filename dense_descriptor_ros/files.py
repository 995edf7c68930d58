"""Files that are there whole or not at all."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dense_descriptor_ros.errors import DenseDescriptorError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` on a temporary name beside `path`, then rename it to `path`.

    A killed or failed run leaves the old file, or none, never half of one. The temporary name keeps the
    suffix, since image writers choose the format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{os.getpid()}.{path.name}')
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding='utf-8'))


def write_json(path: Path, value: Any, indent: int | None = None) -> None:
    """Write a JSON file atomically; a number that is not finite raises ValueError, as JSON has none."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False))


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image atomically: (H, W, 3) uint8 RGB, or (H, W) uint8 or uint16.

    Raises:
        DenseDescriptorError: OpenCV does not know the suffix, or cannot encode such an array in its format.
        OSError: the file cannot be written, for example on a full disk.
    """
    bgr = image[..., ::-1] if image.ndim == 3 else image
    try:
        _, encoded = cv2.imencode(path.suffix, np.ascontiguousarray(bgr))
    except cv2.error as error:
        raise DenseDescriptorError(
            f'{path}: OpenCV cannot encode a {image.dtype} array of shape {image.shape} as {path.suffix!r}; '
            'name a .png or .jpg'
        ) from error
    write_atomically(path, lambda temporary: temporary.write_bytes(encoded.tobytes()))
