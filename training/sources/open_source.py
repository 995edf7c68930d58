"""Opens a data set of any format that can be trained with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import Category
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.sources.clevr import ClevrImages
from dense_descriptor_ros.training.sources.coco import CocoImages
from dense_descriptor_ros.training.sources.folder import FolderImages
from dense_descriptor_ros.training.sources.image import ImageSource
from dense_descriptor_ros.training.sources.plain import find_images
from dense_descriptor_ros.training.sources.segmentation import open_ade20k, open_ycor
from dense_descriptor_ros.training.sources.split_names import names_of, split_folder, split_folders
from dense_descriptor_ros.training.sources.video import VideoFrames


@dataclass(frozen=True)
class Kind:
    """A format: what tells it, and how it is opened."""

    marks: str
    """What lies at the path, in words."""
    fits: Callable[[Path], bool]
    open: Callable[[Path, str, Category], ImageSource]


def open_source(path: Path, split: str, kind: str, category: Category) -> ImageSource:
    """The images of a split of a data set.

    Args:
        kind: one of `KINDS`, or `auto`: the first that fits what lies at the path.
        category: whose parts the classes of a BOP data set tell apart.

    Raises:
        ConfigError: the kind is unknown.
        DatasetError: the path is missing, fits no kind, or holds a damaged data set or no such split.
    """
    if kind != 'auto' and kind not in KINDS:
        raise ConfigError(f'source is {kind!r}: expected one of {["auto", *KINDS]}')
    if not path.exists():
        raise DatasetError(f'{path}: no such file or folder')
    return KINDS[kind_of(path) if kind == 'auto' else kind].open(path, split, category)


def kind_of(path: Path) -> str:
    """The first kind that fits what lies at a path.

    Raises:
        DatasetError: none does.
    """
    for name, kind in KINDS.items():
        if kind.fits(path):
            return name
    looked_for = '; '.join(f'{name}: {kind.marks}' for name, kind in KINDS.items())
    raise DatasetError(f'{path}: fits no kind of data set; looked for {looked_for}')


def has(in_folder: Iterable[str], file: str = '') -> Callable[[Path], bool]:
    """Whether a path is a folder that holds something of such a name, or a file with such an end."""

    def fits(path: Path) -> bool:
        if path.is_file():
            return bool(file) and path.name.endswith(file)
        return any(True for pattern in in_folder for _ in path.glob(pattern))

    return fits


def only_file(path: Path, *patterns: str) -> Path:
    """The path if it is a file, else the one file in it of such a name."""
    if path.is_file():
        return path
    files = sorted({file for pattern in patterns for file in path.glob(pattern)})
    if len(files) != 1:
        found = [file.name for file in files] or 'none'
        raise DatasetError(f'{path}: expected one file of the name {" or ".join(patterns)}, found {found}')
    return files[0]


def coco_files(names: Iterable[str]) -> list[str]:
    """Where annotations of a split of one of these names lie."""
    folders = ('annotations/instances_{}*.json', '{}/_annotations.coco.json')
    return [pattern.format(name) for name in names for pattern in folders]


def open_images(path: Path, split: str) -> FolderImages:
    """Images in the split's folder; of a folder that has no splits, all."""
    folder, others = split_folder(path, split), split_folders(path)
    if folder is None and others:
        raise DatasetError(f'{path}: no folder of the split {split!r}; it holds {others}')
    return FolderImages(folder or path)


KINDS: dict[str, Kind] = {
    'bop': Kind(
        'SPLIT/000000/scene_camera.json',
        has(['*/*/scene_camera.json']),
        lambda path, split, category: BopImages(open_bop(path, split), category),
    ),
    'coco': Kind(
        'annotations/instances_SPLIT*.json, SPLIT/_annotations.coco.json or a .json file',
        has(['annotations/instances_*.json', '*/_annotations.coco.json'], '.json'),
        lambda path, split, _: CocoImages(only_file(path, *coco_files(names_of(split)))),
    ),
    'ade20k': Kind(
        'images/SPLIT with annotations/SPLIT, masks of indices, or of colours by classes.yaml',
        lambda path: all(split_folders(path / name) for name in ('images', 'annotations')),
        lambda path, split, _: open_ade20k(path, split),
    ),
    'ycor': Kind(
        'SPLIT/*/rgb.jpg with labels.png',
        has(['*/*/labels.png']),
        lambda path, split, _: open_ycor(path, split),
    ),
    'clevr': Kind(
        'a .tfrecords file',
        has(['*.tfrecords'], '.tfrecords'),
        lambda path, split, _: ClevrImages(only_file(path, '*.tfrecords'), split),
    ),
    'video': Kind(
        'an .h5 file of training/video_to_h5.py',
        has(['*.h5'], '.h5'),
        lambda path, split, _: VideoFrames(only_file(path, '*.h5'), split),
    ),
    'images': Kind(
        '.png or .jpg images in a folder',
        lambda path: any(True for _ in find_images(path.rglob('*'))),
        lambda path, split, _: open_images(path, split),
    ),
}
"""By name, in the order in which they are tried: clevr before video, as its repacked file is h5 too."""
