"""Spreads the value of marked patches, a cost or a label, over an image or a folder of them.

python training/propagate.py checkpoint=runs/mug/best.safetensors reference=a.png images=FOLDER out=DIR \
  'patches=[[u0,v0,u1,v1,value],...]' [background=0] [kind=label]

Writes NAME.npy (H, W), float32 costs or uint16 labels, and a picture NAME.png of every image.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import cv2
import hydra
import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from dense_descriptor_ros.bop import read_png
from dense_descriptor_ros.errors import ConfigError, InputError
from dense_descriptor_ros.files import write_atomically, write_image
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.image_descriptors import descriptor_reader
from dense_descriptor_ros.training.propagation import propagate
from dense_descriptor_ros.training.report.class_colours import paint_classes

KINDS = ('cost', 'label')
SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp')
MAX_LABEL = 254


@dataclass(frozen=True)
class PropagateConfig:
    """Everything that `training/propagate.py` can be told."""

    checkpoint: Path
    """An encoder's file, or the file of a deployed network."""
    reference: Path
    """Image on which patches are marked."""
    patches: list[list[float]]
    """u0, v0, u1, v1 in pixels, u1 and v1 outside, and the value; later ones lie over earlier ones."""
    images: Path
    """An image, or a folder of them."""
    out: Path
    background: float | None = None
    """Value of the reference image outside the patches; None leaves it unknown."""
    kind: str = 'cost'
    """cost: values are averaged; label: they are whole numbers, and the likeliest is taken."""
    temperature: float = 0.07
    device: str = 'auto'

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f'kind is {self.kind!r}: expected one of {KINDS}')
        if self.temperature <= 0:
            raise ConfigError(f'temperature is {self.temperature}: expected more than 0')
        for patch in self.patches:
            if not is_patch(patch):
                raise ConfigError(f'patch {patch}: expected [u0,v0,u1,v1,value] with u0 < u1 and v0 < v1')
        values = self.values
        if len(values) < 2:
            raise ConfigError(
                f'the marked values are {values}: one value alone would be everywhere; mark a patch of '
                'another value, or give background=VALUE for all that is not marked'
            )
        if self.kind == 'label' and any(v != round(v) or not 0 <= v <= MAX_LABEL for v in values):
            raise ConfigError(f'labels are {values}: expected whole numbers of 0 to {MAX_LABEL}')

    @property
    def values(self) -> list[float]:
        """What is marked, each value once, ascending."""
        marked = [patch[4] for patch in self.patches]
        marked += [] if self.background is None else [self.background]
        return np.unique(np.array(marked, np.float32)).tolist()


def is_patch(patch: object) -> bool:
    """Whether this is u0, v0, u1, v1 and a value, with something between them."""
    if not isinstance(patch, list) or len(patch) != 5 or not all(isinstance(x, int | float) for x in patch):
        return False
    return bool(np.isfinite(patch).all() and patch[0] < patch[2] and patch[1] < patch[3])


def mark_cells(config: PropagateConfig, image: tuple[int, ...], cells: tuple[int, ...]) -> np.ndarray:
    """Values (h, w) of the reference image's cells, NaN where none is known.

    A patch has the cells whose middle it covers, at least the one in its own middle. Of the background as
    many are taken as the patches have, evenly spread: all of it would outvote a small patch.

    Args:
        config: the patches and the background.
        image: H, W pixels.
        cells: h, w.

    Raises:
        InputError: a patch is not inside the image.
    """
    (height, width), (h, w) = image, cells
    marks = np.full(cells, np.nan, np.float32)
    for u0, v0, u1, v1, value in config.patches:
        if u0 < 0 or v0 < 0 or u1 > width or v1 > height:
            raise InputError(
                f'patch {[u0, v0, u1, v1]} leaves the reference image of {width}x{height} pixels'
            )
        marks[covered(v0, v1, height, h), covered(u0, u1, width, w)] = value
    if config.background is not None:
        free = np.flatnonzero(np.isnan(marks))
        count = min(len(free), marks.size - len(free))
        marks.flat[free[np.linspace(0, len(free) - 1, count).round().astype(int)]] = config.background
    return marks


def covered(start: float, stop: float, pixels: int, cells: int) -> slice:
    """Cells along one side of an image whose middles lie between two pixel borders, at least one."""
    first, last = (int(np.ceil(border * cells / pixels - 0.5)) for border in (start, stop))
    if first == last:
        first = int((start + stop) / 2 * cells / pixels)
    return slice(first, max(last, first + 1))


def image_files(path: Path) -> list[Path]:
    """An image, or those of a folder by name.

    Raises:
        InputError: the folder has none, or two that differ in the suffix alone.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f'{path}: no image in this folder; expected {", ".join(SUFFIXES)}')
    if len({file.stem for file in found}) < len(found):
        raise InputError(f'{path}: two images differ in the suffix alone; rename one, or give one by itself')
    return found


def read_rgb(path: Path) -> np.ndarray:
    """(H, W, 3) uint8."""
    return np.ascontiguousarray(read_png(path, cv2.IMREAD_COLOR)[..., ::-1])


def value_map(config: PropagateConfig, spread: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(H, W) float32 costs, or uint16 labels, of the shares (h, w, C) of the values."""
    shares = cv2.resize(spread, size[::-1], interpolation=cv2.INTER_LINEAR).reshape(*size, -1)
    values = np.array(config.values)
    if config.kind == 'label':
        return values.astype(np.uint16)[shares.argmax(-1)]
    return (shares @ values).clip(values[0], values[-1]).astype(np.float32)


def picture(config: PropagateConfig, rgb: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: labels in their colours, or a heat map from the lowest to the highest value."""
    if config.kind == 'label':
        return paint_classes(rgb, found.astype(np.uint8))
    low, high = config.values[0], config.values[-1]
    heat = cv2.applyColorMap(
        np.rint(255 * (found - low) / (high - low)).astype(np.uint8), cv2.COLORMAP_VIRIDIS
    )
    return cv2.addWeighted(rgb, 0.4, np.ascontiguousarray(heat[..., ::-1]), 0.6, 0)


def run(config: PropagateConfig) -> None:
    """Mark, spread and write."""
    files = image_files(config.images)
    if config.out.resolve() == files[0].parent.resolve():
        raise ConfigError(f'out is {config.out}, where the images are: name another folder, to keep them')
    describe = descriptor_reader(config.checkpoint, config.device)
    rgb = read_rgb(config.reference)
    embeddings = describe(rgb)
    marks = mark_cells(config, rgb.shape[:2], embeddings.shape[1:])
    known = torch.from_numpy(~np.isnan(marks)).to(embeddings.device)
    reference = embeddings[:, known].T
    one_hot = torch.from_numpy(marks[~np.isnan(marks)][:, None] == np.array(config.values, np.float32))
    for path in tqdm(files, desc='propagate', unit='image'):
        rgb = read_rgb(path)
        spread = propagate(describe(rgb), reference, one_hot.to(reference.device), config.temperature)
        found = value_map(config, spread.cpu().numpy(), rgb.shape[:2])
        write_atomically(config.out / f'{path.stem}.npy', partial(np.save, arr=found))
        write_image(config.out / f'{path.stem}.png', picture(config, rgb, found))
    print(f'{config.out}: {len(files)} maps')


def read_config(config: DictConfig) -> PropagateConfig:
    """The settings, checked.

    Raises:
        ConfigError: a setting is missing or outside its range.
    """
    missing = sorted(str(key) for key in config if OmegaConf.is_missing(config, str(key)))
    if missing:
        raise ConfigError(f'{", ".join(missing)} not given; the first lines of propagate.yaml show a call')
    values = cast(dict[str, Any], OmegaConf.to_container(config))
    for name in ('checkpoint', 'reference', 'images', 'out'):
        values[name] = Path(str(values[name]))
    return PropagateConfig(**values)


@hydra.main(version_base=None, config_path='config', config_name='propagate')
def main(config: DictConfig) -> None:
    """Command line."""
    with errors_in_one_line():
        run(read_config(config))


if __name__ == '__main__':
    main()
