"""Data sets of images and masks of their classes, in the layouts of ADE20K and YCOR."""

from pathlib import Path

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.sources.folder import FolderImages, ImageFiles, Labels
from dense_descriptor_ros.training.sources.masks import MaskCoding, read_coding
from dense_descriptor_ros.training.sources.split_names import names_of, split_folder

CODING_FILE = 'classes.yaml'
ADE20K_CLASSES = 150
ADE20K_NAMES = 'objectInfo150.txt'
YCOR = MaskCoding(
    class_names=(
        'smooth trail',
        'traversable grass',
        'rough trail',
        'puddle',
        'obstacle',
        'non-traversable low vegetation',
        'high vegetation',
        'sky',
    ),
    colours=(
        (178, 176, 153),
        (128, 255, 0),
        (156, 76, 30),
        (255, 0, 128),
        (255, 0, 0),
        (0, 160, 0),
        (40, 80, 0),
        (1, 88, 255),
    ),
    ignored=((255, 255, 255),),
)
"""Yamaha-CMU Off-Road, https://theairlab.org/yamaha-offroad-dataset/; white is background."""


def open_ade20k(root: Path, split: str) -> FolderImages:
    """Images in `images/SPLIT`, masks of the same stems in `annotations/SPLIT`.

    A `classes.yaml` in `root` tells what the masks mean, else they are ADE20K's: indices of 150 classes, 0
    unlabelled (http://sceneparsing.csail.mit.edu).

    Raises:
        DatasetError: the split or a mask is missing, or classes.yaml is damaged.
    """
    images, masks = split_folder(root / 'images', split), split_folder(root / 'annotations', split)
    if images is None or masks is None:
        where = root / ('images' if images is None else 'annotations')
        raise DatasetError(f'{where}: no folder of the split {split!r}; expected one of {names_of(split)}')
    return FolderImages(images, masks, coding_of(root, ade20k_coding(root)))


def open_ycor(root: Path, split: str) -> ImageFiles:
    """Images `SPLIT/*/rgb.jpg`, colour masks `labels.png` beside them.

    A `classes.yaml` in `root` tells what the masks mean, else they are YCOR's.

    Raises:
        DatasetError: the split or a mask is missing, or classes.yaml is damaged.
    """
    folder = split_folder(root, split)
    images = sorted((folder or root).glob('*/rgb.jpg'))
    if folder is None or not images:
        raise DatasetError(f'{root}: no */rgb.jpg in a folder of the split {split!r}, {names_of(split)}')
    masks = [path.with_name('labels.png') for path in images]
    missing = [path for path in masks if not path.is_file()]
    if missing:
        raise DatasetError(f'{missing[0]}: no such mask; {len(missing)} of {len(images)} images have none')
    return ImageFiles(images, Labels(masks, coding_of(root, YCOR)))


def coding_of(root: Path, usual: MaskCoding) -> MaskCoding:
    """What the data set says of its masks, else the usual."""
    path = root / CODING_FILE
    return read_coding(path) if path.is_file() else usual


def ade20k_coding(root: Path) -> MaskCoding:
    """150 classes, by the names of the table that comes with the data set where it is there."""
    path = root / ADE20K_NAMES
    names = [f'class {k + 1}' for k in range(ADE20K_CLASSES)]
    if path.is_file():
        rows = [line.split('\t') for line in path.read_text().splitlines()[1:] if line.strip()]
        names = [row[-1].strip() for row in rows]
    return MaskCoding(tuple(names), zero_is_unlabelled=True)
