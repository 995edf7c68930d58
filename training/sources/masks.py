"""How the colours or numbers of a mask image tell the class of each pixel."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.training.sources.image import IGNORE

Colour = tuple[int, int, int]
UNKNOWN = 254
"""Of a colour that the coding does not have; so there are at most 254 classes."""


@dataclass(frozen=True)
class MaskCoding:
    """What a mask's values mean: colours where the classes have some, else indices, of which 255 is ignored.

    Raises:
        ConfigError: there are no classes or too many, or the colours are not one a class.
    """

    class_names: tuple[str, ...]
    colours: tuple[Colour, ...] | None = None
    """RGB of each class."""
    ignored: tuple[Colour, ...] = ()
    """Colours of pixels that nobody labelled."""
    zero_is_unlabelled: bool = False
    """Index masks: 0 is ignored, and k is class k - 1."""

    def __post_init__(self) -> None:
        count = len(self.class_names)
        if not 1 <= count <= UNKNOWN:
            raise ConfigError(f'{count} classes: expected 1 to {UNKNOWN}')
        if self.colours is not None and not len(set(self.colours)) == len(self.colours) == count:
            raise ConfigError(f'colours {self.colours}: expected another one for each of {self.class_names}')

    def read(self, path: Path) -> np.ndarray:
        """(H, W) uint8 classes of a mask file, or IGNORE.

        Raises:
            DatasetError: the file is missing or damaged, or has a value that the coding does not have.
        """
        try:
            with Image.open(path) as image:
                return self.indices(image, path) if self.colours is None else self.by_colour(image, path)
        except (OSError, Image.DecompressionBombError) as error:
            raise DatasetError(f'{path}: not a readable mask ({error})') from error

    def indices(self, image: Image.Image, path: Path) -> np.ndarray:
        """Classes of an index mask; a palette, which is for the eye alone, does not count."""
        values = np.asarray(image).astype(np.int32)
        if values.ndim != 2:
            raise DatasetError(
                f'{path}: an image of mode {image.mode}, expected one channel of class indices; '
                'for a colour mask give its colours in classes.yaml'
            )
        classes = values - 1 if self.zero_is_unlabelled else values
        unlabelled = (values == IGNORE) | (classes < 0)
        wrong = values[~unlabelled & (classes >= len(self.class_names))]
        if len(wrong):
            raise DatasetError(f'{path}: value {wrong[0]}, expected one of {len(self.class_names)} classes')
        return np.where(unlabelled, IGNORE, classes).astype(np.uint8)

    def by_colour(self, image: Image.Image, path: Path) -> np.ndarray:
        """Classes of a colour mask, whether of three channels or of a palette."""
        rgb = np.asarray(image.convert('RGB'))
        classes = colour_table(self.colours or (), self.ignored)[numbers(rgb)]
        unknown = rgb[classes == UNKNOWN]
        if len(unknown):
            raise DatasetError(
                f'{path}: colour {unknown[0].tolist()} in {len(unknown)} pixels is of no class; '
                'expected a mask without compression loss, in the colours of classes.yaml'
            )
        return classes


def numbers(rgb: np.ndarray) -> np.ndarray:
    """One number (...) for each colour (..., 3) uint8."""
    r, g, b = np.moveaxis(rgb.astype(np.uint32), -1, 0)
    return r << 16 | g << 8 | b


@lru_cache(maxsize=4)
def colour_table(colours: tuple[Colour, ...], ignored: tuple[Colour, ...]) -> np.ndarray:
    """(2^24,) uint8 class by a colour's number: one look-up a pixel, however many classes there are."""
    table = np.full(1 << 24, UNKNOWN, np.uint8)
    for colour in ignored:
        table[numbers(np.array(colour))] = IGNORE
    for index, colour in enumerate(colours):
        table[numbers(np.array(colour))] = index
    return table


def read_coding(path: Path) -> MaskCoding:
    """Coding of a classes.yaml.

    For index masks `classes: [road, grass]`, perhaps with `zero_is_unlabelled: true`; for colour masks
    `classes: {road: [178, 176, 153], grass: [128, 255, 0]}`, perhaps with `ignored: [[255, 255, 255]]`.

    Raises:
        DatasetError: the file is no such thing.
    """
    try:
        values = yaml.safe_load(path.read_text())
        unknown = set(values) - {'classes', 'ignored', 'zero_is_unlabelled'}
        if unknown:
            raise ConfigError(f'unknown keys {sorted(unknown)}')
        classes = values['classes']
        coloured = isinstance(classes, dict)
        return MaskCoding(
            tuple(str(name) for name in classes),
            tuple(colour(value) for value in classes.values()) if coloured else None,
            tuple(colour(value) for value in values.get('ignored', ())),
            bool(values.get('zero_is_unlabelled', False)),
        )
    except (OSError, yaml.YAMLError, ConfigError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f'{path}: not the classes of masks: {error!r}') from error


def colour(value: Any) -> Colour:
    """Three numbers, 0 to 255."""
    r, g, b = (int(channel) for channel in value)
    if not all(0 <= channel <= 255 for channel in (r, g, b)):
        raise ConfigError(f'colour {value}: expected [red, green, blue], each 0 to 255')
    return r, g, b
