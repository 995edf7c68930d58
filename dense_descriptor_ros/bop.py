"""Reads data sets in BOP scenewise format, ours and others'. Millimetres become metres here, once.

Format: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md, plus
`models/models_acf.json` with the affordance frames of each model.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.geometry import transform

MM = 1e-3


@dataclass(frozen=True)
class PartFrame:
    """Affordance frame of one part in the object frame."""

    origin_m: np.ndarray
    """(3,)"""
    axis: np.ndarray
    """(3,) unit"""


@dataclass(frozen=True)
class ObjectModel:
    """One instance of a category, as `models_acf.json` describes it."""

    obj_id: int
    category: str
    frames: dict[str, PartFrame]
    height_m: float
    rim_radius_m: float
    handle_x_min_m: float
    """Beyond this x in the object frame the surface belongs to the handle."""
    diameter_m: float | None = None


@dataclass(frozen=True)
class Instance:
    """One object in one image."""

    index: int
    """Position in `scene_gt.json`, by which the masks are named."""
    obj_id: int
    T_camera_object: np.ndarray
    """(4, 4)"""
    visib_fract: float
    px_count_visib: int


@dataclass(frozen=True)
class View:
    """One image of a scene. Pixels are read from disk when asked for."""

    folder: Path = field(repr=False)
    scene_id: int
    im_id: int
    K: np.ndarray
    T_camera_world: np.ndarray | None
    """(4, 4), None where the data set does not give it."""
    depth_scale: float = field(repr=False)
    instances: tuple[Instance, ...] = field(repr=False)

    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8; a grey image is repeated over three channels."""
        for folder, suffix in (('rgb', 'png'), ('rgb', 'jpg'), ('gray', 'png')):
            path = self.folder / folder / f'{self.im_id:06d}.{suffix}'
            if path.is_file():
                return read_png(path, cv2.IMREAD_COLOR)[..., ::-1].copy()
        raise DatasetError(
            f'{self.folder}: no rgb/{self.im_id:06d}.png or .jpg; scene_camera.json lists this image'
        )

    def depth_m(self, folder: str = 'depth') -> np.ndarray:
        """(H, W) float32 metres, 0 where unknown."""
        return self.depth_units(folder).astype(np.float32) * np.float32(self.depth_scale * MM)

    def depth_units(self, folder: str = 'depth') -> np.ndarray:
        """(H, W) as the file has it, in units of `depth_scale` millimetres."""
        path = self.folder / folder / f'{self.im_id:06d}.png'
        raw = read_png(path, cv2.IMREAD_UNCHANGED)
        if raw.ndim != 2:
            raise DatasetError(f'{path}: depth has shape {raw.shape}, expected (H, W)')
        return raw

    def visible_mask(self, instance: Instance) -> np.ndarray:
        """(H, W) bool: pixels in which the instance is seen."""
        path = self.folder / 'mask_visib' / f'{self.im_id:06d}_{instance.index:06d}.png'
        return read_png(path, cv2.IMREAD_GRAYSCALE) > 0


@dataclass(frozen=True)
class BopDataset:
    """One split of a BOP data set.

    Raises:
        DatasetError: on construction through `open_bop`, when the folder is not one.
    """

    root: Path
    split: str
    models: dict[int, ObjectModel]
    scenes: dict[int, tuple[View, ...]]

    @cached_property
    def views(self) -> list[View]:
        """Every image, by scene and image number."""
        return [view for scene in self.scenes.values() for view in scene]


def open_bop(root: Path, split: str, truth: bool = True) -> BopDataset:
    """Read the index of a BOP data set; pixels stay on disk.

    Without `truth` images and cameras alone are read: that is all inference needs, and all that others' test
    sets may have.

    Raises:
        DatasetError: the folder, its models or one of its index files is missing or damaged.
    """
    folder = root / split
    if not folder.is_dir():
        splits = sorted(p.name for p in root.glob('*') if p.is_dir() and p.name != 'models')
        raise DatasetError(f'{folder}: no such split; {root} holds {splits or "nothing"}')
    scenes = {
        int(p.name): read_scene(p, truth) for p in sorted(folder.iterdir()) if p.is_dir() and p.name.isdigit()
    }
    if not scenes:
        raise DatasetError(f'{folder}: no scene folders such as 000000; expected BOP scenewise format')
    models = read_models(root / 'models' / 'models_acf.json') if truth else {}
    return BopDataset(root, split, models, scenes)


def read_models(path: Path) -> dict[int, ObjectModel]:
    """Models by BOP object number; those without affordance frames are left out."""
    models = {}
    for key, value in read_json(path).items():
        try:
            if not value.get('frames'):
                continue
            frames = {
                part: PartFrame(np.array(frame['origin_mm'], float) * MM, np.array(frame['axis'], float))
                for part, frame in value['frames'].items()
            }
            radius_mm = value['rim_radius_mm']
            models[int(key)] = ObjectModel(
                obj_id=int(key),
                category=value['category'],
                frames=frames,
                height_m=value['height_mm'] * MM,
                rim_radius_m=radius_mm * MM,
                handle_x_min_m=value.get('handle_x_min_mm', 1.08 * radius_mm) * MM,
                diameter_m=value['diameter_mm'] * MM if 'diameter_mm' in value else None,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(f'{path}: model {key} does not fit the format: {error!r}') from error
    return models


def read_scene(folder: Path, truth: bool) -> tuple[View, ...]:
    """Views of one scene folder, by image number; without `truth` they have no instances."""
    cameras = read_json(folder / 'scene_camera.json')
    truths = read_json(folder / 'scene_gt.json') if truth else {im: [] for im in cameras}
    infos = read_json(folder / 'scene_gt_info.json') if truth else truths
    try:
        return tuple(
            read_view(folder, int(im), cameras[im], truths[im], infos[im]) for im in sorted(truths, key=int)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f'{folder}: its scene_*.json do not fit the BOP format: {error!r}') from error


def read_view(folder: Path, im_id: int, camera: dict[str, Any], truth: list[Any], info: list[Any]) -> View:
    """One view from its entries in the three index files."""
    T_camera_world = None
    if 'cam_R_w2c' in camera:
        T_camera_world = read_transform(camera['cam_R_w2c'], camera['cam_t_w2c'])
    instances = tuple(
        Instance(
            index=index,
            obj_id=int(gt['obj_id']),
            T_camera_object=read_transform(gt['cam_R_m2c'], gt['cam_t_m2c']),
            visib_fract=float(about['visib_fract']),
            px_count_visib=int(about['px_count_visib']),
        )
        for index, (gt, about) in enumerate(zip(truth, info, strict=True))
    )
    return View(
        folder=folder,
        scene_id=int(folder.name),
        im_id=im_id,
        K=np.array(camera['cam_K'], float).reshape(3, 3),
        T_camera_world=T_camera_world,
        depth_scale=float(camera.get('depth_scale', 1.0)),
        instances=instances,
    )


def read_transform(R: list[float], t_mm: list[float]) -> np.ndarray:
    """(4, 4) in metres from BOP's nine numbers and three millimetres."""
    return transform(np.array(R, float).reshape(3, 3), np.array(t_mm, float) * MM)


def read_png(path: Path, flags: int) -> np.ndarray:
    """An image as OpenCV decodes it."""
    if not path.is_file():
        raise DatasetError(f'{path}: no such image')
    image = cv2.imread(str(path), flags)
    if image is None:
        raise DatasetError(f'{path}: cannot be decoded; the file is damaged ({path.stat().st_size} bytes)')
    return image


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of the data set."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise DatasetError(f'{path}: missing; expected a data set in BOP scenewise format') from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DatasetError(f'{path}: not readable as JSON ({error})') from error
    if not isinstance(value, dict):
        raise DatasetError(f'{path}: holds a {type(value).__name__}, expected an object')
    return value
