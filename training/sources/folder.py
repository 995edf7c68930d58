"""A folder of images, with or without masks of their classes."""

from dataclasses import dataclass
from pathlib import Path

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage
from dense_descriptor_ros.training.sources.masks import MaskCoding
from dense_descriptor_ros.training.sources.plain import find_images, plain_image, read_rgb


@dataclass(frozen=True)
class Labels:
    """Where masks lie and what their values mean."""

    masks: list[Path]
    """One for each image."""
    coding: MaskCoding


class ImageFiles(ImageSource):
    """Images by their paths.

    Raises:
        DatasetError: there is none, or not a mask for each.
    """

    def __init__(self, images: list[Path], labels: Labels | None = None) -> None:
        if not images:
            raise DatasetError('a list of no images: expected one or more')
        if labels is not None and len(labels.masks) != len(images):
            raise DatasetError(f'{len(labels.masks)} masks for {len(images)} images: expected one for each')
        self.images, self.labels = images, labels
        self.class_names = labels.coding.class_names if labels else ()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LabelledImage:
        rgb = read_rgb(self.images[index])
        if self.labels is None:
            return plain_image(rgb)
        path = self.labels.masks[index]
        classes = self.labels.coding.read(path)
        if classes.shape != rgb.shape[:2]:
            raise DatasetError(f'{path}: shape {classes.shape}, expected {rgb.shape[:2]} as of its image')
        return plain_image(rgb, classes=classes)


class FolderImages(ImageFiles):
    """PNG and JPEG images below a folder, sorted by path.

    Args:
        labels: folder of PNG masks at the same places, of the same stems; read where `coding` is given too.
        coding: what the masks' values mean.

    Raises:
        DatasetError: the folder holds no image, or an image has no mask.
    """

    def __init__(self, root: Path, labels: Path | None = None, coding: MaskCoding | None = None) -> None:
        images = sorted(find_images(root.rglob('*')))
        if not images:
            raise DatasetError(f'{root}: no .png or .jpg image in it')
        if labels is None or coding is None:
            super().__init__(images)
            return
        masks = [labels / path.relative_to(root).with_suffix('.png') for path in images]
        missing = [path for path in masks if not path.is_file()]
        if missing:
            raise DatasetError(
                f'{missing[0]}: no such mask; {len(missing)} of {len(images)} images have none'
            )
        super().__init__(images, Labels(masks, coding))
