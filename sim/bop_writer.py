"""Writes scenes in BOP scenewise format, each whole or not at all. Metres become millimetres here, once.

Format: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md, plus `models_acf.json`.
"""

import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from dense_descriptor_ros.bop import read_json
from dense_descriptor_ros.files import write_atomically, write_image, write_json
from dense_descriptor_ros.geometry import apply
from dense_descriptor_ros.sim.mesh import write_ply
from dense_descriptor_ros.sim.mug import Mug
from dense_descriptor_ros.sim.raster import rasterise
from dense_descriptor_ros.sim.scene import Scene
from dense_descriptor_ros.sim.sensor import noisy_depth, noisy_rgb
from dense_descriptor_ros.sim.settings import SPLITS, SceneSettings
from dense_descriptor_ros.sim.world import SceneView

MM_PER_M = 1000.0
DEPTH_UNIT_MM = 0.1
SCENE_MODELS = 'scene_models.json'


def scene_folder(out: Path, split: str, scene_id: int) -> Path:
    """Where a finished scene lies."""
    return out / split / f'{scene_id:06d}'


def write_scene(
    rng: np.random.Generator,
    out: Path,
    settings: SceneSettings,
    scene_id: int,
    scene: Scene,
    views: Iterable[SceneView],
) -> None:
    """Write models and images of a scene; its folder appears when it is complete.

    `views` is consumed one at a time and may draw from the same `rng`, which adds the sensors' noise.
    """
    folder = scene_folder(out, settings.split, scene_id)
    temporary = folder.with_name(f'.{folder.name}')
    shutil.rmtree(temporary, ignore_errors=True)
    ids = [settings.object_id(scene_id, k) for k in range(len(scene.mugs))]
    try:
        index: dict[str, dict[str, Any]] = {'scene_camera': {}, 'scene_gt': {}, 'scene_gt_info': {}}
        for im_id, view in enumerate(views):
            write_pixels(rng, temporary, im_id, view, settings)
            index['scene_camera'][str(im_id)] = camera_entry(view)
            index['scene_gt'][str(im_id)] = [
                pose_entry(view.T_camera_world @ scene.objects[k].T_world_object, obj_id)
                for k, obj_id in zip(scene.mugs, ids, strict=True)
            ]
            index['scene_gt_info'][str(im_id)] = [
                write_masks(temporary, im_id, number, view, scene, k) for number, k in enumerate(scene.mugs)
            ]
        for name, value in index.items():
            write_json(temporary / f'{name}.json', value)
        write_models(out, temporary, [item.mug for item in scene.objects if item.mug], ids)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_pixels(
    rng: np.random.Generator, folder: Path, im_id: int, view: SceneView, settings: SceneSettings
) -> None:
    """Colour, exact depth and sensor depth of one view."""
    name = f'{im_id:06d}.png'
    depth = view.rendering.depth_m
    write_image(folder / 'rgb' / name, noisy_rgb(rng, view.rendering.rgb, settings.rgb_noise))
    write_image(folder / 'depth' / name, depth_units(depth))
    if settings.depth_noisy:
        write_image(folder / 'depth_noisy' / name, depth_units(noisy_depth(rng, depth, view.K[0, 0])))


def depth_units(depth_m: np.ndarray) -> np.ndarray:
    """(H, W) uint16 in DEPTH_UNIT_MM, 0 where unknown or too far."""
    units = np.round(depth_m * (MM_PER_M / DEPTH_UNIT_MM))
    return np.where(units < 65536, units, 0).astype(np.uint16)


def camera_entry(view: SceneView) -> dict[str, Any]:
    """Entry of `scene_camera.json`."""
    return {
        'cam_K': view.K.ravel().tolist(),
        'depth_scale': DEPTH_UNIT_MM,
        'cam_R_w2c': view.T_camera_world[:3, :3].ravel().tolist(),
        'cam_t_w2c': (view.T_camera_world[:3, 3] * MM_PER_M).tolist(),
    }


def pose_entry(T_camera_object: np.ndarray, obj_id: int) -> dict[str, Any]:
    """Entry of `scene_gt.json`."""
    return {
        'cam_R_m2c': T_camera_object[:3, :3].ravel().tolist(),
        'cam_t_m2c': (T_camera_object[:3, 3] * MM_PER_M).tolist(),
        'obj_id': obj_id,
    }


def write_masks(
    folder: Path, im_id: int, number: int, view: SceneView, scene: Scene, index: int
) -> dict[str, Any]:
    """Whole and visible silhouette of object `index`, mug `number`, and its entry of `scene_gt_info.json`."""
    visible = view.rendering.instances == index
    item = scene.objects[index]
    positions, faces = item.mesh.welded_faces
    p_camera = apply(view.T_camera_world @ item.T_world_object, positions)
    whole = visible
    if p_camera[:, 2].min() > 0:
        whole = visible | np.isfinite(rasterise(p_camera, faces, view.K, *visible.shape))
    for kind, mask in (('mask', whole), ('mask_visib', visible)):
        write_image(folder / kind / f'{im_id:06d}_{number:06d}.png', mask.astype(np.uint8) * 255)
    count_all, count_visible = int(whole.sum()), int(visible.sum())
    return {
        'bbox_obj': bounding_box(whole),
        'bbox_visib': bounding_box(visible),
        'px_count_all': count_all,
        'px_count_valid': int((whole & (view.rendering.depth_m > 0)).sum()),
        'px_count_visib': count_visible,
        'visib_fract': count_visible / count_all if count_all else 0.0,
    }


def bounding_box(mask: np.ndarray) -> list[int]:
    """[x, y, width, height] of the true pixels; -1 four times where there are none, as in BOP."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        return [-1, -1, -1, -1]
    return [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]


def write_models(out: Path, folder: Path, mugs: list[Mug], ids: list[int]) -> None:
    """A PLY for each mug, and their entries in the scene's folder, where `write_model_index` finds them."""
    entries = {}
    for mug, obj_id in zip(mugs, ids, strict=True):
        write_atomically(out / 'models' / f'obj_{obj_id:06d}.ply', partial(write_ply, mug.mesh))
        entries[str(obj_id)] = {'info': model_info(mug), 'acf': model_acf(mug)}
    write_json(folder / SCENE_MODELS, entries)


def diameter_m(mug: Mug) -> float:
    """Largest distance between two vertices."""
    vertices = mug.mesh.welded_faces[0]
    return float(pdist(vertices[ConvexHull(vertices).vertices]).max())


def model_info(mug: Mug) -> dict[str, float]:
    """Entry of `models_info.json`."""
    low, size = mug.mesh.vertices.min(0) * MM_PER_M, np.ptp(mug.mesh.vertices, axis=0) * MM_PER_M
    return {
        'diameter': diameter_m(mug) * MM_PER_M,
        **{f'min_{axis}': float(value) for axis, value in zip('xyz', low, strict=True)},
        **{f'size_{axis}': float(value) for axis, value in zip('xyz', size, strict=True)},
    }


def model_acf(mug: Mug) -> dict[str, Any]:
    """Entry of `models_acf.json`."""
    body = mug.shape.body
    return {
        'category': 'mug',
        'height_mm': body.height_m * MM_PER_M,
        'rim_radius_mm': body.rim_radius_m * MM_PER_M,
        'handle_x_min_mm': mug.handle_x_min_m * MM_PER_M,
        'diameter_mm': diameter_m(mug) * MM_PER_M,
        'frames': {
            part: {'origin_mm': (frame.origin_m * MM_PER_M).tolist(), 'axis': frame.axis.tolist()}
            for part, frame in mug.frames.items()
        },
    }


def write_model_index(out: Path) -> None:
    """Gather `models_info.json` and `models_acf.json` from every scene of every split."""
    entries: dict[str, Any] = {}
    for split in SPLITS:
        for path in sorted((out / split).glob(f'[0-9]*/{SCENE_MODELS}')):
            entries.update(read_json(path))
    for name in ('info', 'acf'):
        index = {key: entry[name] for key, entry in entries.items()}
        write_json(out / 'models' / f'models_{name}.json', index)
