"""Pictures of what the network finds, for people. Images are (H, W, 3) uint8 RGB."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import project

RGB = tuple[int, int, int]
AXIS_COLOURS: tuple[RGB, RGB, RGB] = ((235, 60, 60), (60, 200, 60), (70, 120, 255))  # x, y, z as in RViz
SUBPIXEL_BITS = 4


def draw_frames(
    rgb: np.ndarray,
    frames: Sequence[AffordanceFrame],
    K: np.ndarray,
    axis_length_m: float = 0.05,
    colour: RGB | None = None,
) -> np.ndarray:
    """A copy of the image with each frame's axes, keypoint and label.

    x is red, y green and z blue; only z is drawn where the rotation about it is unknown. `colour` draws
    everything in one colour and leaves the labels out, to lay two sets of frames over each other.
    Frames behind the camera or far outside the image are left out.
    """
    check_rgb(rgb)
    image = np.ascontiguousarray(rgb).copy()
    projected = [(frame, project_axes(frame, K, axis_length_m)) for frame in frames]
    seen = [(frame, uv) for frame, uv in projected if (np.abs(uv) < 10 * max(image.shape)).all()]
    if colour is None:
        for frame, uv in seen:  # below the axes, so that no label hides one
            draw_label(image, uv[0], f'{frame.part} {frame.score:.2f}')
    for _, uv in seen:
        for end, axis_colour in zip(uv[1:], AXIS_COLOURS[-len(uv[1:]) :], strict=True):
            draw_line(image, uv[0], end, colour or axis_colour)
        draw_dot(image, uv[0], colour or (255, 255, 255))
    return image


def project_axes(frame: AffordanceFrame, K: np.ndarray, axis_length_m: float) -> np.ndarray:
    """`uv` of the keypoint and the ends of x, y and z (4, 2), or of z alone (2, 2); NaN behind the camera."""
    directions = frame.T_camera_part()[:3, :3].T if frame.orientation_complete else frame.axis[None]
    points = np.vstack([frame.origin_m, frame.origin_m + axis_length_m * directions])
    return np.where(points[:, 2:] > 0, project(K, points), np.nan)


def line_width(image: np.ndarray) -> int:
    """Width of a line in pixels that looks the same at every resolution."""
    return max(1, round(max(image.shape) / 320))


def draw_line(image: np.ndarray, start: np.ndarray, end: np.ndarray, colour: RGB) -> None:
    """Anti-aliased line between two `uv` (2,), in place; it starts at the dot and has no arrow head."""
    cv2.line(
        image, fixed_point(start), fixed_point(end), colour, line_width(image), cv2.LINE_AA, SUBPIXEL_BITS
    )


def draw_dot(image: np.ndarray, uv: np.ndarray, colour: RGB) -> None:
    """Dot with a dark border, in place."""
    radius = (line_width(image) + 1) << SUBPIXEL_BITS
    border = 1 << SUBPIXEL_BITS
    cv2.circle(image, fixed_point(uv), radius + border, (20, 20, 20), cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)
    cv2.circle(image, fixed_point(uv), radius, colour, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_label(image: np.ndarray, uv: np.ndarray, text: str) -> None:
    """Small white text on a darkened box to the right of a pixel, in place."""
    scale = max(0.3, max(image.shape) / 640 * 0.36)
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left, bottom = int(uv[0]) + 3 * line_width(image), int(uv[1]) - 2 * line_width(image)
    rows = slice(max(bottom - height - 2, 0), max(bottom + base, 0))
    columns = slice(max(left - 2, 0), max(left + width + 2, 0))
    image[rows, columns] //= 3
    cv2.putText(image, text, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)


def fixed_point(uv: np.ndarray) -> tuple[int, int]:
    """A pixel in the fixed-point numbers that OpenCV draws with."""
    u, v = np.rint(uv * (1 << SUBPIXEL_BITS)).astype(int)
    return int(u), int(v)


def descriptors_to_rgb(descriptors: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 colours of a descriptor image (D, h, w).

    The projection depends on D alone: the same descriptor has the same colour in every image and run.
    """
    if descriptors.ndim != 3:
        raise InputError(f'descriptors have shape {descriptors.shape}, expected (D, h, w)')
    dimension = descriptors.shape[0]
    projected = np.tensordot(descriptors, colour_projection(dimension), axes=(0, 0))
    # A unit vector's projection has a standard deviation of 1 / sqrt(D): two of them fill the range.
    colours = 0.5 + 0.25 * np.sqrt(dimension) * np.nan_to_num(projected)
    return np.rint(255 * np.clip(colours, 0, 1)).astype(np.uint8)


@cache
def colour_projection(dimension: int) -> np.ndarray:
    """(D, 3) float32 with orthonormal columns (rows for D < 3)."""
    directions, triangle = np.linalg.qr(np.random.default_rng(0).standard_normal((max(dimension, 3), 3)))
    signs = np.sign(np.diag(triangle))  # LAPACK builds choose them differently
    return (directions * signs)[:dimension].astype(np.float32)


def side_by_side(images: Sequence[np.ndarray], gap_px: int = 4) -> np.ndarray:
    """Images in one row, resized to the first one's height, with white between them."""
    if not images:
        raise InputError('no images to put side by side')
    height = images[0].shape[0]
    row: list[np.ndarray] = []
    for image in images:
        check_rgb(image)
        width = max(1, round(image.shape[1] * height / image.shape[0]))
        method = cv2.INTER_NEAREST if height > image.shape[0] else cv2.INTER_AREA
        row += [
            cv2.resize(image, (width, height), interpolation=method),
            np.full((height, gap_px, 3), 255, np.uint8),
        ]
    return np.concatenate(row[:-1], 1)


def check_rgb(rgb: np.ndarray) -> None:
    """Raise InputError unless the array is a colour image."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise InputError(f'image has shape {rgb.shape} and type {rgb.dtype}, expected (H, W, 3) uint8 RGB')
