"""Frozen representations: what a trained encoder makes of the views of a BOP split, computed once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from dense_descriptor_ros.bop import View
from dense_descriptor_ros.errors import ConfigError, InputError
from dense_descriptor_ros.geometry import scale_intrinsics
from dense_descriptor_ros.model import SIZE_MULTIPLE, STRIDE
from dense_descriptor_ros.training.augmentation.virtual_camera import VirtualCamera
from dense_descriptor_ros.training.encoder import input_channels
from dense_descriptor_ros.training.items.labels import instances_of
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.sources.image import LabelledImage

Describe = Callable[[torch.Tensor], torch.Tensor]
"""From input channels (B, 9, H, W), H and W multiples of 32, to unit descriptors (B, D, H / 4, W / 4)."""

OFF_TIES_PX = 0.005
"""At half the size each pixel's centre lies between two, of which OpenCV takes another in a depth image than
in a mask; a shift that is too small to matter decides."""


@dataclass(frozen=True, eq=False)
class FrozenView:
    """One view as its representation sees it: reduced to H x W pixels, of which h x w cells are described."""

    view: View
    camera: VirtualCamera
    """Of the reduced image."""
    image: LabelledImage
    """(H, W), with instances and classes"""
    objects: dict[int, int]
    """Objects of the category: BOP model by number in `image.instances`."""
    descriptors: torch.Tensor
    """(D, h, w) float16, on the CPU"""

    @property
    def instances(self) -> np.ndarray:
        """(h, w) int32: object that each cell's centre shows, 0 for none."""
        return at_cells(known(self.image.instances, 'instances'))

    @property
    def classes(self) -> np.ndarray:
        """(h, w) uint8: class of each cell's centre, or IGNORE."""
        return at_cells(known(self.image.classes, 'classes'))

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        image = self.image
        arrays = (image.rgb, image.depth_m, image.instances, image.classes)
        return self.descriptors.nbytes + sum(array.nbytes for array in arrays if array is not None)


class FrozenViews(Protocol):
    """What probes read: a list of views, or `FrozenFeatures`."""

    def __len__(self) -> int:
        """Number of views."""

    def __getitem__(self, index: int, /) -> FrozenView:
        """One view."""

    def __iter__(self) -> Iterator[FrozenView]:
        """All of them, in their order."""


class FrozenFeatures:
    """Views of a split, described when first asked for and then kept in half precision.

    Views beyond the budget are described again each time: slower, and never out of memory.

    Args:
        describe: the representation; its networks in evaluation mode.
        images: the split.
        max_side_px: larger images are reduced to it; 320 halves ours.
        count: of the views, evenly from all; None takes every one.
        device: where `describe` computes.
        budget_bytes: what may be kept.

    Raises:
        ConfigError: a number is out of its range.
        InputError: later, if descriptors have a wrong shape or are not finite.
    """

    def __init__(
        self,
        describe: Describe,
        images: BopImages,
        max_side_px: int = 640,
        count: int | None = None,
        device: torch.device | None = None,
        budget_bytes: int = 4 * 2**30,
    ) -> None:
        if max_side_px < SIZE_MULTIPLE:
            raise ConfigError(f'max_side_px is {max_side_px}: expected at least {SIZE_MULTIPLE}')
        if count is not None and count < 1:
            raise ConfigError(f'count is {count}: expected at least 1 view, or None for all')
        self.describe, self.images, self.max_side_px = describe, images, max_side_px
        self.device = device or torch.device('cpu')
        size = min(count or len(images), len(images))
        self._indices = [k * len(images) // size for k in range(size)]
        self._positions = {key(images.views[index]): k for k, index in enumerate(self._indices)}
        self._kept: dict[int, FrozenView] = {}
        self._free_bytes = budget_bytes

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int, /) -> FrozenView:
        if index not in self._kept:
            described = self._described(self._indices[index])
            if described.nbytes > self._free_bytes:
                return described
            self._free_bytes -= described.nbytes
            self._kept[index] = described
        return self._kept[index]

    def __iter__(self) -> Iterator[FrozenView]:
        return (self[index] for index in range(len(self)))

    def __contains__(self, view: View) -> bool:
        return key(view) in self._positions

    def of(self, view: View) -> FrozenView:
        """A view of the split by its scene and image number.

        Raises:
            InputError: the view is none of these.
        """
        if view not in self:
            raise InputError(f'scene {view.scene_id}, image {view.im_id} is none of these {len(self)} views')
        return self[self._positions[key(view)]]

    def _described(self, index: int) -> FrozenView:
        view, full = self.images.views[index], self.images[index]
        height, width = full.depth_m.shape
        camera = reducing_camera(view.K, height, width, self.max_side_px)
        image = reduced(full, camera)
        own = instances_of(view, self.images.dataset, self.images.category)
        objects = {instance.index + 1: instance.obj_id for instance in own}
        return FrozenView(view, camera, image, objects, descriptors_of(self.describe, image, self.device))


def key(view: View) -> tuple[int, int]:
    """Scene and image number."""
    return view.scene_id, view.im_id


def known(labels: np.ndarray | None, name: str) -> np.ndarray:
    """The labels.

    Raises:
        InputError: there are none.
    """
    if labels is None:
        raise InputError(f'the image has no {name}: probes need a source that labels them')
    return labels


def at_cells(image: np.ndarray) -> np.ndarray:
    """What the cells' centres show: (..., h, w) of (..., H, W)."""
    return image[..., STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]


def reducing_camera(K: np.ndarray, height: int, width: int, max_side_px: int) -> VirtualCamera:
    """The same camera with its longer side at most `max_side_px`, both sides multiples of the stride."""
    scale = min(1.0, max_side_px / max(height, width))
    new_width, new_height = (max(1, round(side * scale / STRIDE)) * STRIDE for side in (width, height))
    x, y = new_width / width, new_height / height
    affine = np.array([[x, 0, (x - 1) / 2 - OFF_TIES_PX], [0, y, (y - 1) / 2 - OFF_TIES_PX]])
    return VirtualCamera(np.eye(3), scale_intrinsics(K, x, y), affine, new_width, new_height)


def reduced(image: LabelledImage, camera: VirtualCamera) -> LabelledImage:
    """The image as a reducing camera sees it."""

    def nearest(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else camera.warp(array, cv2.INTER_NEAREST)

    return LabelledImage(
        rgb=cv2.resize(image.rgb, (camera.width, camera.height), interpolation=cv2.INTER_AREA),
        depth_m=camera.warp(image.depth_m, cv2.INTER_NEAREST),
        K=camera.K,
        instances=nearest(image.instances),
        classes=nearest(image.classes),
    )


def image_channels(image: LabelledImage) -> torch.Tensor:
    """Input channels (1, 9, H, W) of an image."""
    return input_channels(
        torch.from_numpy(np.ascontiguousarray(image.rgb.transpose(2, 0, 1)))[None],
        torch.from_numpy(image.depth_m)[None],
        torch.from_numpy(image.K.astype(np.float32))[None],
    )


@torch.no_grad()
def descriptors_of(describe: Describe, image: LabelledImage, device: torch.device) -> torch.Tensor:
    """Descriptors (D, h, w) float16 of an image of any size, padded for the network at its right and bottom.

    Raises:
        InputError: they have a wrong shape or are not finite.
    """
    height, width = image.depth_m.shape
    channels = F.pad(image_channels(image), (0, -width % SIZE_MULTIPLE, 0, -height % SIZE_MULTIPLE))
    found = describe(channels.contiguous(memory_format=torch.channels_last).to(device))
    cells = tuple(side // STRIDE for side in channels.shape[-2:])
    if found.dim() != 4 or len(found) != 1 or found.shape[-2:] != cells:
        raise InputError(
            f'descriptors have shape {tuple(found.shape)}: expected (1, D, {cells[0]}, {cells[1]})'
        )
    if not torch.isfinite(found).all():
        raise InputError('descriptors are not finite: the representation is of a training that diverged')
    return found[0, :, : height // STRIDE, : width // STRIDE].to('cpu', torch.float16, copy=True)
