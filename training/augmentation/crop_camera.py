"""Random resized crops as virtual cameras, and the exact map between two of them."""

import numpy as np

from dense_descriptor_ros.training.augmentation.virtual_camera import VirtualCamera, virtual_camera

CROP_SHARE = (0.4, 1.0)
"""Of the image's area."""
ROTATION_DEG = 45.0


def draw_crop_camera(
    image_shape: tuple[int, ...], K: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> VirtualCamera:
    """A camera that sees a random part of an image, flipped either way or not, and rotated.

    Before the rotation the part lies inside the image, as far as its shape allows, which is that of the view:
    a view of 256 x 192 pixels is a part of that shape.

    Args:
        image_shape: height and width of the image, pixels.
        K: (3, 3) of the image's camera.
        shape: height and width of the view, pixels.
        rng: draws the camera.
    """
    image_size, size = np.array(image_shape[::-1]), np.array(shape[::-1])
    zoom = float(np.sqrt(size.prod() / (rng.uniform(*CROP_SHARE) * image_size.prod())))
    half = size / (2 * zoom)
    lowest, highest = np.minimum(half, image_size / 2), np.maximum(image_size - half, image_size / 2)
    centre_uv = rng.uniform(lowest, highest) - 0.5
    across, upside_down = rng.random(2) < 0.5
    # Upside down is half a turn and mirrored.
    roll = np.radians(rng.uniform(-ROTATION_DEG, ROTATION_DEG)) + (np.pi if upside_down else 0)
    return virtual_camera(K, centre_uv, shape[1], shape[0], zoom, float(roll), bool(across != upside_down))


def between(first: VirtualCamera, second: VirtualCamera) -> np.ndarray:
    """(2, 3) affine map from pixels of one view to those of another of the same image.

    Back by the inverse of all that the first did, at once: undone one by one, its steps would have to come in
    reverse order.
    """
    to_first, to_second = (np.vstack([camera.affine, [0, 0, 1]]) for camera in (first, second))
    return (to_second @ np.linalg.inv(to_first))[:2]


def matches_between(
    first: VirtualCamera, second: VirtualCamera, uv: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where pixels (N, 2) of one view are in another, (N, 2) float32, and which (N,) bool are inside it."""
    affine = between(first, second)
    match_uv = uv @ affine[:, :2].T + affine[:, 2]
    inside = inside_view(match_uv, second)
    return np.where(inside[:, None], match_uv, 0).astype(np.float32), inside


def inside_view(uv: np.ndarray, camera: VirtualCamera) -> np.ndarray:
    """(N,) bool: which pixels (N, 2) lie among the pixels of a view."""
    last = np.array([camera.width - 1, camera.height - 1])
    return np.asarray(((uv >= 0) & (uv <= last)).all(1))
