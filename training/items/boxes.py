"""Boxes of the objects in an image, from its instance map or proposed by selective search.

A box is (left, top, right, bottom) in whole pixels; right and bottom are the first ones outside it.
"""

import cv2
import numpy as np
import torch
from scipy import ndimage
from torchvision.ops import box_iou, nms

from dense_descriptor_ros.errors import ConfigError, InputError

MAX_IOU = 0.5
MAX_ASPECT = 3.0
REFERENCE_PX = 480
"""Shorter side of the images, such as COCO's, that the published smallest box is meant for."""
SEARCH_PX = 256
"""Longer side of the image that is searched: time grows with its area, 1.3 s at 640x480 and 0.15 s here."""


def smallest_side(height: int, width: int, min_px: float) -> int:
    """Shortest side (pixels) that a box may have.

    It is `min_px` where the image's shorter side is REFERENCE_PX, and in proportion for others.
    """
    return max(1, round(min_px * min(height, width) / REFERENCE_PX))


def instance_boxes(instances: np.ndarray) -> np.ndarray:
    """(N, 4) int64, one for each number over 0 in an instance map (H, W), in order of the numbers."""
    found = [slices for slices in ndimage.find_objects(instances) if slices is not None]
    boxes = [(columns.start, rows.start, columns.stop, rows.stop) for rows, columns in found]
    return np.array(boxes, np.int64).reshape(-1, 4)


def selective_search(rgb: np.ndarray) -> np.ndarray:
    """(N, 4) int64 proposals of an image (H, W, 3) uint8, the largest first.

    OpenCV orders them by C's `rand`, so they are sorted: the same image always gives the same array.
    Source: Uijlings et al. 2013, "Selective search for object recognition"
    (https://doi.org/10.1007/s11263-013-0620-5).

    Raises:
        ConfigError: this OpenCV has no selective search.
    """
    if not hasattr(cv2, 'ximgproc') or not hasattr(cv2.ximgproc, 'segmentation'):
        raise ConfigError(
            f'OpenCV {cv2.__version__} has no cv2.ximgproc.segmentation, which selective search needs: put '
            'opencv-contrib-python-headless in the place of opencv-python-headless, or set '
            'objective.box_source=instances'
        )
    height, width = rgb.shape[:2]
    scale = min(1.0, SEARCH_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)[..., ::-1]))
    search.switchToSelectiveSearchFast()
    left, top, w, h = np.array(search.process(), np.float64).reshape(-1, 4).T
    corners = np.stack([left, top, left + w, top + h], 1) * np.array([width / size[0], height / size[1]] * 2)
    return largest_first(corners.round().astype(np.int64))


def filter_boxes(boxes: np.ndarray, min_side: int) -> np.ndarray:
    """The boxes (N, 4) that are neither small, nor narrow, nor nearly a larger one, largest first.

    No side is under `min_side`, the aspect is 1/3 to 3, and the IoU at most 0.5 with every other that stays.

    Raises:
        InputError: `boxes` has another shape.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InputError(f'boxes have shape {boxes.shape}: expected (N, 4)')
    sides = boxes[:, 2:] - boxes[:, :2]
    short, long = sides.min(1), sides.max(1)
    fitting = largest_first(boxes[(short >= max(min_side, 1)) & (long <= MAX_ASPECT * short)])
    order = torch.arange(len(fitting), 0, -1, dtype=torch.float64)
    return fitting[nms(torch.from_numpy(fitting).double(), order, MAX_IOU).numpy()]


def largest_first(boxes: np.ndarray) -> np.ndarray:
    """The boxes (N, 4) without repetitions by falling area; equal areas by their coordinates."""
    boxes = np.unique(boxes, axis=0)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return boxes[np.argsort(-area, kind='stable')]


def overlap_of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU (N, M) of boxes (N, 4) and (M, 4)."""
    return box_iou(torch.from_numpy(a).double(), torch.from_numpy(b).double()).numpy()
