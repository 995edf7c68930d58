"""Keeps the images of a data set decoded on disk: decoding PNG costs more than everything else in the loader.

Arrays are memory-mapped, so that loader processes share one copy and a crop reads only its own rows.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from dense_descriptor_ros.bop import BopDataset, Instance, View
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.files import write_atomically

BYTES_PER_PX = 7.5
"""Colour, two depth images and the masks."""


@dataclass(frozen=True)
class DecodedView(View):
    """A view whose pixels are decoded when first asked for, and then read from `store`."""

    store: Path

    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8, read-only."""
        return kept(self.store / 'rgb.npy', super().rgb)

    def depth_units(self, folder: str = 'depth') -> np.ndarray:
        """(H, W) in units of `depth_scale` millimetres, read-only."""
        return kept(self.store / f'{folder}.npy', lambda: super(DecodedView, self).depth_units(folder))

    def visible_mask(self, instance: Instance) -> np.ndarray:
        """(H, W) bool."""
        packed = kept(
            self.store / f'mask_{instance.index}.npy',
            lambda: np.packbits(super(DecodedView, self).visible_mask(instance), axis=1),
        )
        width = kept(self.store / 'rgb.npy', super().rgb).shape[1]
        return np.unpackbits(packed, axis=1, count=width).astype(bool)


def kept(path: Path, decode: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in `path`, which is made first if it is not there; memory-mapped, read-only."""
    try:
        return np.load(path, mmap_mode='r')
    except FileNotFoundError:
        array = decode()
        write_atomically(path, lambda temporary: np.save(temporary, array))
        return array


def keep_decoded(dataset: BopDataset, folder: Path) -> BopDataset:
    """The data set with its images kept in a folder that belongs to it alone.

    Raises:
        ConfigError: the disk has no room for them.
        DatasetError: the first image cannot be read.
    """
    height, width = dataset.views[0].rgb().shape[:2]
    needed = BYTES_PER_PX * height * width * len(dataset.views)
    there = sum(path.stat().st_size for path in folder.rglob('*.npy')) if folder.is_dir() else 0
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed - there:
        raise ConfigError(
            f'decoded={folder} needs {(needed - there) / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free: name '
            'a folder on another disk, or decoded=null to decode the images each time'
        )
    return replace(
        dataset,
        scenes={
            scene: tuple(
                DecodedView(
                    **{field.name: getattr(view, field.name) for field in fields(View)},
                    store=folder / f'{view.scene_id:06d}' / f'{view.im_id:06d}',
                )
                for view in views
            )
            for scene, views in dataset.scenes.items()
        },
    )
