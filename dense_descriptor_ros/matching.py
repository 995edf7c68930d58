"""Finds pixels by their descriptors.

A descriptor image covers the whole image at a coarser stride: cell (i, j) of (h, w) is centred on pixel
((j + 0.5) * W / w - 0.5, (i + 0.5) * H / h - 0.5). `image_size` is (H, W) throughout.
"""

import numpy as np

from dense_descriptor_ros.errors import InputError

SEARCH_STEP = 2  # pixels; finer than a cell, so that nothing is lost without a mask


def sample(descriptors: np.ndarray, uv: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Unit descriptors (N, D) float32 at pixels `uv` (N, 2), bilinear between the centres of the cells.

    Pixels outside the centres of the outermost cells take the nearest cell's descriptor.

    Raises:
        InputError: a shape does not fit, or a pixel is not finite.
    """
    low, uv = check_descriptors(descriptors), check_pixels(uv)
    _, h, w = low.shape
    H, W = image_size
    x = np.clip((uv[:, 0] + 0.5) * w / W - 0.5, 0, w - 1)
    y = np.clip((uv[:, 1] + 0.5) * h / H - 0.5, 0, h - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, w - 1), np.minimum(top + 1, h - 1)
    fx, fy = (x - left).astype(np.float32), (y - top).astype(np.float32)
    upper = low[:, top, left] * (1 - fx) + low[:, top, right] * fx
    lower = low[:, bottom, left] * (1 - fx) + low[:, bottom, right] * fx
    blended = upper * (1 - fy) + lower * fy
    return (blended / np.maximum(np.linalg.norm(blended, axis=0), 1e-8)).T


def match(
    query: np.ndarray, descriptors: np.ndarray, image_size: tuple[int, int], mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels whose descriptors are most similar to the queries.

    Args:
        query: (N, D) unit descriptors.
        descriptors: (D, h, w) descriptor image to search.
        image_size: (H, W) of the image that it covers.
        mask: (H, W) bool, pixels to search; without it every second pixel of the image.

    Returns:
        `uv` (N, 2) int and cosine similarity (N,) float32.

    Raises:
        InputError: a shape does not fit, or the mask is empty.
    """
    query = np.asarray(query, np.float32)
    if query.ndim != 2 or query.shape[1] != np.shape(descriptors)[0]:
        raise InputError(
            f'query has shape {query.shape}, expected (N, {np.shape(descriptors)[0]}) as the image has'
        )
    pixels = search_pixels(image_size, mask)
    similarity = sample(descriptors, pixels, image_size) @ query.T
    best = similarity.argmax(0)
    return pixels[best], similarity[best, np.arange(len(query))]


def search_pixels(image_size: tuple[int, int], mask: np.ndarray | None = None) -> np.ndarray:
    """Pixels `uv` (M, 2) that `match` searches.

    Raises:
        InputError: the mask has another size than the image, or is empty.
    """
    if mask is None:
        v, u = np.mgrid[: image_size[0] : SEARCH_STEP, : image_size[1] : SEARCH_STEP].reshape(2, -1)
        return np.stack([u, v], 1)
    if mask.shape != tuple(image_size):
        raise InputError(f'mask has shape {mask.shape}, expected that of the image, {tuple(image_size)}')
    v, u = np.nonzero(mask)
    if not len(u):
        raise InputError('mask is empty: no pixel to search; leave it out to search the whole image')
    return np.stack([u, v], 1)


def check_descriptors(descriptors: np.ndarray) -> np.ndarray:
    """The descriptor image as float32, if it is one."""
    if descriptors.ndim != 3 or not descriptors.size:
        raise InputError(f'descriptors have shape {descriptors.shape}, expected (D, h, w)')
    return descriptors.astype(np.float32, copy=False)


def check_pixels(uv: np.ndarray) -> np.ndarray:
    """The pixels as float64, if they are (N, 2) and finite."""
    uv = np.asarray(uv, float)
    if uv.ndim != 2 or uv.shape[1] != 2:
        raise InputError(f'uv has shape {uv.shape}, expected (N, 2) as (column, row)')
    if not np.isfinite(uv).all():
        raise InputError('uv holds values that are not finite; leave out the points that do not project')
    return uv
