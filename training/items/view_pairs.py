"""Pairs of views of one scene with labels and true matches: what one training step eats."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from dense_descriptor_ros.bop import BopDataset, Instance, View
from dense_descriptor_ros.category import Category
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.geometry import apply, project
from dense_descriptor_ros.model import SIZE_MULTIPLE, STRIDE
from dense_descriptor_ros.training.augmentation.appearance import (
    AugmentationConfig,
    Recolouring,
    augment_colour,
    augment_depth,
    draw_recolouring,
)
from dense_descriptor_ros.training.augmentation.virtual_camera import VirtualCamera, virtual_camera
from dense_descriptor_ros.training.items.labels import (
    HANDLE,
    ViewLabels,
    instances_of,
    surface_normals,
    view_labels,
)
from dense_descriptor_ros.training.items.surface_coordinates import surface_coordinates

MAX_INSTANCES = 16
"""Batches hold so many instances an image, most of them empty."""
MATCH_TOLERANCE_M = 0.004
MIN_VISIBLE_PX = 200

Sample = dict[str, torch.Tensor]


@dataclass(frozen=True)
class PairConfig:
    """Size of the crops and number of surface points a view."""

    width: int = 256
    height: int = 192
    points: int = 256
    parts_by: str = 'region'
    """What the parts' channels learn: region, or keypoint for heat maps."""

    def __post_init__(self) -> None:
        for name in ('width', 'height'):
            value = getattr(self, name)
            if value < SIZE_MULTIPLE or value % SIZE_MULTIPLE:
                raise ConfigError(f'crop {name} is {value}: expected a multiple of {SIZE_MULTIPLE}')
        if self.parts_by not in ('region', 'keypoint'):
            raise ConfigError(f'pairs.parts_by is {self.parts_by!r}: expected region or keypoint')


class ViewPairs(Dataset[Sample]):
    """Every view of a data set, each with another view of the same scene drawn at random.

    An item holds, with a leading dimension of 2 for the views: `rgb` uint8 (2, 3, H, W), `depth_m` (2, H, W),
    `K` (2, 3, 3), `true_depth_m` and `instance_map` (2, h, w), `on_part` (2, P, h, w), `origins_m` and `axes`
    (2, 16, P, 3), `visible` (2, 16, P), and of the surface points `uv` (2, N, 2), `match_uv` (N, 2) in view
    1, `matched` (N), `owner` (2, N), `coordinates` (2, N, 7), `p_object` (N, 3). Points of view 1 are its
    own, not the matches.

    Raises:
        DatasetError: no scene shows an instance of the category, or one shows more than a batch can hold.
    """

    def __init__(
        self,
        dataset: BopDataset,
        category: Category,
        config: PairConfig,
        augmentation: AugmentationConfig,
        seed: int,
    ) -> None:
        self.dataset, self.category, self.config = dataset, category, config
        self.augmentation, self.seed = augmentation, seed
        self.views = [view for view in dataset.views if self.visible_objects(view)]
        if not self.views:
            raise DatasetError(
                f'{dataset.root / dataset.split}: no image shows a {category.name} with '
                f'{MIN_VISIBLE_PX} pixels; generate more scenes'
            )
        fullest = max(self.views, key=lambda view: len(self.objects(view)))
        if len(self.objects(fullest)) > MAX_INSTANCES:
            raise DatasetError(
                f'{fullest.folder}, image {fullest.im_id}: {len(self.objects(fullest))} objects, expected at '
                f'most {MAX_INSTANCES}; leave the scene out'
            )

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, position: int) -> Sample:
        """Item `position % len(self)`; the whole position seeds the augmentation (see EndlessSampler)."""
        index = position % len(self)
        rng = np.random.default_rng([self.seed, position])
        view = self.views[index]
        target = int(rng.choice(self.visible_objects(view)))
        others = [
            v
            for v in self.dataset.scenes[view.scene_id]
            if v.im_id != view.im_id and target in self.visible_objects(v)
        ]
        pair = (view, others[rng.integers(len(others))] if others else view)
        mirrored = bool(rng.random() < self.augmentation.mirror)
        centred = None if rng.random() < self.augmentation.anywhere else target
        cameras = [self.draw_camera(v, centred, mirrored, rng) for v in pair]
        exact = [v.depth_m() for v in pair]
        labels = [
            view_labels(self.dataset, v, depth, camera, self.category, self.config.parts_by)
            for v, depth, camera in zip(pair, exact, cameras, strict=True)
        ]
        recolouring = draw_recolouring(self.augmentation, rng)
        images = [
            self.draw_images(*args, recolouring, rng)
            for args in zip(pair, exact, cameras, labels, strict=True)
        ]
        arrays = {key: np.stack([image[key] for image in images]) for key in images[0]}
        arrays |= self.draw_points(labels, cameras, rng)
        return {key: torch.from_numpy(value) for key, value in arrays.items()}

    def objects(self, view: View) -> list[Instance]:
        """Instances of the category in a view, hidden ones as well."""
        return instances_of(view, self.dataset, self.category)

    def visible_objects(self, view: View) -> list[int]:
        """Models of the category that show enough pixels in a view."""
        return [i.obj_id for i in self.objects(view) if i.px_count_visib >= MIN_VISIBLE_PX]

    def draw_camera(
        self, view: View, target: int | None, mirrored: bool, rng: np.random.Generator
    ) -> VirtualCamera:
        """A crop with the target, a BOP model, somewhere in it; without a target anywhere in the image."""
        zoom = float(
            np.exp(rng.uniform(np.log(self.augmentation.zoom_min), np.log(self.augmentation.zoom_max)))
        )
        size = np.array([self.config.width, self.config.height])
        if target is None:
            centre = rng.uniform(0, 2 * view.K[:2, 2])
        else:
            instance = next(i for i in view.instances if i.obj_id == target)
            middle = project(view.K, instance.T_camera_object[:3, 3])
            centre = middle + rng.uniform(-0.35, 0.35, 2) * size / zoom
        roll = np.radians(rng.uniform(-self.augmentation.roll_deg, self.augmentation.roll_deg))
        return virtual_camera(
            view.K, centre, self.config.width, self.config.height, zoom, float(roll), mirrored
        )

    def draw_images(
        self,
        view: View,
        exact_depth_m: np.ndarray,
        camera: VirtualCamera,
        labels: ViewLabels,
        recolouring: Recolouring,
        rng: np.random.Generator,
    ) -> dict[str, np.ndarray]:
        """Augmented images and per-cell truth of one view."""
        depth_m = exact_depth_m
        if (view.folder / 'depth_noisy').is_dir() and rng.random() < self.augmentation.depth_noisy:
            depth_m = view.depth_m('depth_noisy')
        rgb = augment_colour(camera.warp(view.rgb(), cv2.INTER_LINEAR), recolouring, self.augmentation, rng)
        count, parts = len(labels.instances), len(self.category.parts)
        padded = {
            'origins_m': np.zeros((MAX_INSTANCES, parts, 3), np.float32),
            'axes': np.zeros((MAX_INSTANCES, parts, 3), np.float32),
            'visible': np.zeros((MAX_INSTANCES, parts), bool),
        }
        for name, array in padded.items():
            array[:count] = getattr(labels, name)
        cells = np.s_[..., STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
        return padded | {
            'rgb': np.ascontiguousarray(rgb.transpose(2, 0, 1)),
            'depth_m': augment_depth(camera.warp(depth_m, cv2.INTER_NEAREST), self.augmentation, rng),
            'K': camera.K.astype(np.float32),
            'true_depth_m': labels.p_virtual[..., 2][cells].astype(np.float32),
            'instance_map': labels.instance_map[cells].astype(np.int64),
            'on_part': np.ascontiguousarray(labels.on_part[cells]),
        }

    def draw_points(
        self, labels: list[ViewLabels], cameras: list[VirtualCamera], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Surface points of both views, and where view 1 shows those of view 0."""
        first, second = (self.surface_points(*args, rng) for args in zip(labels, cameras, strict=True))
        match_uv, matched = find_matches(first['owner'], first['p_object'], labels[1], cameras[1])
        points = {key: np.stack([first[key], second[key]]) for key in ('uv', 'owner', 'coordinates')}
        return points | {'match_uv': match_uv, 'matched': matched, 'p_object': first['p_object']}

    def surface_points(
        self, labels: ViewLabels, camera: VirtualCamera, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Random pixels on instances; `owner` is the BOP model, negative if its handle hides, 0 = padding."""
        N = self.config.points
        out: dict[str, np.ndarray] = {
            'uv': np.zeros((N, 2), np.float32),
            'owner': np.zeros(N, np.int64),
            'coordinates': np.zeros((N, 7), np.float32),
            'p_object': np.zeros((N, 3), np.float32),
        }
        v, u = np.nonzero((labels.instance_map > 0) & (labels.p_virtual[..., 2] > 0))
        pick = rng.permutation(len(u))[:N]
        uv = np.stack([u[pick], v[pick]], 1)
        out['uv'][: len(pick)] = uv
        normals = surface_normals(labels.p_virtual, uv)
        numbers = labels.instance_map[uv[:, 1], uv[:, 0]]
        handle = self.category.part_names.index(HANDLE)
        for n in np.unique(numbers):
            own = np.nonzero(numbers == n)[0]
            instance = labels.instances[n - 1]
            R = instance.T_camera_object[:3, :3]
            p_object = camera.to_object(labels.p_virtual[uv[own, 1], uv[own, 0]], instance.T_camera_object)
            coordinates = surface_coordinates(
                p_object, normals[own] @ camera.M @ R, self.dataset.models[instance.obj_id]
            )
            coordinates[:, 5] *= np.linalg.det(camera.M)  # in a mirror left is right
            out['owner'][own] = instance.obj_id if labels.visible[n - 1, handle] else -instance.obj_id
            out['coordinates'][own] = coordinates
            out['p_object'][own] = p_object
        return out


def find_matches(
    owner: np.ndarray, p_object: np.ndarray, labels: ViewLabels, camera: VirtualCamera
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) float32 of object points (N, 3) in a view, and which (N,) bool are seen there."""
    match_uv = np.zeros((len(owner), 2), np.float32)
    matched = np.zeros(len(owner), bool)
    for number, instance in enumerate(labels.instances):
        own = np.nonzero(np.abs(owner) == instance.obj_id)[0]
        p_virtual = apply(camera.T_virtual_object(instance.T_camera_object), p_object[own])
        uv = project(camera.K, p_virtual)
        cell = np.round(uv).astype(int)
        inside = ((cell >= 0) & (cell < [camera.width, camera.height])).all(1)
        own, uv, cell, p_virtual = own[inside], uv[inside], cell[inside], p_virtual[inside]
        seen = (labels.instance_map[cell[:, 1], cell[:, 0]] == number + 1) & (
            np.abs(labels.p_virtual[cell[:, 1], cell[:, 0], 2] - p_virtual[:, 2]) < MATCH_TOLERANCE_M
        )
        match_uv[own[seen]], matched[own[seen]] = uv[seen], True
    return match_uv, matched
