"""Pairs of views of one scene, matched through depth and the cameras' poses: no object needs to be known."""

import numpy as np
import torch

from dense_descriptor_ros.bop import View
from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.geometry import apply, back_project, inverse, project
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.augmentation.crop_camera import draw_crop_camera, inside_view
from dense_descriptor_ros.training.augmentation.virtual_camera import VirtualCamera
from dense_descriptor_ros.training.items.augmented_pairs import AugmentedPairs
from dense_descriptor_ros.training.items.point_sampling import point_regions
from dense_descriptor_ros.training.items.view_pairs import MATCH_TOLERANCE_M, PairConfig, Sample
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.sources.image import LabelledImage


class ScenePairs(AugmentedPairs):
    """Every view of a data set with another of its scene drawn at random, each with its own augmentation.

    Items are as those of `AugmentedPairs`, but `p_object` (N, 3) are metres in the scene's frame, and
    `owner` numbers each view's own regions. What moves between two views of a scene is not matched.

    Args:
        source: whose data set tells the cameras' poses.
        sampling: where points are drawn, clusters or image (`point_regions`).
        config: size of the views and number of points.
        augmentation: of the depth.
        seed: with an item's position it gives all random numbers.

    Raises:
        DatasetError: no scene has two views whose poses are known.
    """

    def __init__(
        self,
        source: BopImages,
        sampling: str,
        config: PairConfig,
        augmentation: AugmentationConfig,
        seed: int,
    ) -> None:
        super().__init__(source, sampling, config, augmentation, seed)
        posed = [
            [view for view in scene if view.T_camera_world is not None]
            for scene in source.dataset.scenes.values()
        ]
        self.scenes = [scene for scene in posed if len(scene) > 1]
        self.places = [(scene, k) for scene, views in enumerate(self.scenes) for k in range(len(views))]
        if not self.places:
            raise DatasetError(
                f'{source.dataset.root / source.dataset.split}: no scene has two views with camera poses '
                '(cam_R_w2c, cam_t_w2c): expected some to match; give objective.pairs_from=augmentations'
            )

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, position: int) -> Sample:
        """Item `position % len(self)`; the whole position seeds the augmentation (see EndlessSampler)."""
        rng = np.random.default_rng([self.seed, position])
        scene, first = self.places[position % len(self)]
        views = self.scenes[scene]
        second = (first + rng.integers(1, len(views))) % len(views)
        pair = (views[first], views[second])
        images = [LabelledImage(view.rgb(), view.depth_m(), view.K) for view in pair]
        shape = (self.config.height, self.config.width)
        cameras = [draw_crop_camera(image.depth_m.shape, image.K, shape, rng) for image in images]
        drawn = [
            self.draw_view(image, point_regions(image, self.sampling), camera, rng)
            for image, camera in zip(images, cameras, strict=True)
        ]
        arrays = {key: np.stack([view[key] for view in drawn]) for key in drawn[0]}
        p_world, known = surface_points(arrays['uv'][0], cameras[0], pair[0], images[0].depth_m)
        match_uv, seen = find_points(p_world, cameras[1], pair[1], images[1].depth_m)
        arrays['matched'] = known & seen & (arrays['owner'][0] > 0)
        arrays['match_uv'] = np.where(arrays['matched'][:, None], match_uv, 0).astype(np.float32)
        arrays['p_object'] = p_world.astype(np.float32)
        return {key: torch.from_numpy(value) for key, value in arrays.items()}


def surface_points(
    uv: np.ndarray, camera: VirtualCamera, view: View, depth_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) of the scene at pixels (N, 2) of a view as augmented, and where depth is known (N,)."""
    to_view = np.linalg.inv(np.vstack([camera.affine, [0, 0, 1]]))
    place = uv @ to_view[:2, :2].T + to_view[:2, 2]
    z = depth_at(place, depth_m)
    return apply(inverse(pose_of(view)), back_project(view.K, place, z)), z > 0


def find_points(
    p_world: np.ndarray, camera: VirtualCamera, view: View, depth_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) of points (N, 3) of the scene in a view as augmented, and which are seen (N,)."""
    p_camera = apply(pose_of(view), p_world)
    ahead = p_camera[:, 2] > 0
    place = project(view.K, np.where(ahead[:, None], p_camera, [0, 0, 1.0]))
    uv = place @ camera.affine[:, :2].T + camera.affine[:, 2]
    near = np.abs(depth_at(place, depth_m) - p_camera[:, 2]) < MATCH_TOLERANCE_M
    return uv, ahead & near & inside_view(uv, camera)


def depth_at(uv: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
    """Depth (N,) of the pixels nearest to `uv` (N, 2); 0 beside the image."""
    u, v = np.rint(uv).astype(int).T
    height, width = depth_m.shape
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    return np.where(inside, depth_m[v.clip(0, height - 1), u.clip(0, width - 1)], 0)


def pose_of(view: View) -> np.ndarray:
    """(4, 4) from the scene's frame to the camera's."""
    if view.T_camera_world is None:
        raise DatasetError(f'{view.folder}, image {view.im_id}: its camera has no pose')
    return view.T_camera_world
