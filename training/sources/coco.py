"""Images with instances of named categories, from a COCO annotations file.

Format: https://cocodataset.org/#format-data
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.sources.coco_mask import annotation_mask
from dense_descriptor_ros.training.sources.image import IGNORE, ImageSource, LabelledImage
from dense_descriptor_ros.training.sources.plain import plain_image, read_rgb


class CocoImages(ImageSource):
    """Images of an annotations file, in its order.

    Classes are background and the categories, by their numbers. An object's number in an image is 1 + its
    position among the image's annotations; where objects overlap the smaller is on top. A crowd is no
    instance, and its class is ignored.

    Args:
        annotations: JSON file.
        images: folder of the images; None looks where they usually lie.

    Raises:
        DatasetError: the file is no COCO annotations, or the images are not there.
    """

    def __init__(self, annotations: Path, images: Path | None = None) -> None:
        self.path = annotations
        content = read_content(annotations)
        try:
            categories = sorted(content['categories'], key=lambda category: category['id'])
            self.files = [str(image['file_name']) for image in content['images']]
            self.objects = objects_by_image(content, [category['id'] for category in categories])
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f'{annotations}: not COCO annotations of instances: {error!r}') from error
        if not self.files or len(self.objects) != len(self.files) or len(categories) >= IGNORE:
            raise DatasetError(
                f'{annotations}: {len(self.files)} images with {len(self.objects)} different ids and '
                f'{len(categories)} categories; expected images, an id for each, and at most 254 categories'
            )
        self.class_names = ('background', *(str(category['name']) for category in categories))
        self.images = images or image_folder(annotations, self.files[0])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> LabelledImage:
        rgb = read_rgb(self.images / self.files[index])
        height, width = rgb.shape[:2]
        instances, classes = np.zeros((height, width), np.int32), np.zeros((height, width), np.uint8)
        objects = json.loads(self.objects[index])
        masks = [self.mask(item, height, width, self.files[index]) for item in objects]
        crowds_first = sorted(range(len(objects)), key=lambda k: (not objects[k]['crowd'], -masks[k].sum()))
        for k in crowds_first:
            crowd = objects[k]['crowd']
            instances[masks[k]] = 0 if crowd else k + 1
            classes[masks[k]] = IGNORE if crowd else objects[k]['class']
        return plain_image(rgb, instances, classes)

    def mask(self, item: dict[str, Any], height: int, width: int, file: str) -> np.ndarray:
        """(H, W) bool of one object."""
        try:
            return annotation_mask(item['segmentation'], height, width)
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f'{self.path}: annotation {item["id"]} of {file}: {error}') from error


def read_content(path: Path) -> dict[str, Any]:
    """The JSON object of an annotations file."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DatasetError(f'{path}: not readable as JSON ({error})') from error
    if not isinstance(content, dict):
        raise DatasetError(f'{path}: holds a {type(content).__name__}, expected COCO annotations')
    return content


def objects_by_image(content: dict[str, Any], category_ids: list[int]) -> list[bytes]:
    """Objects of each image as JSON, which takes a fraction of the memory of Python's own objects."""
    classes = {category: number + 1 for number, category in enumerate(category_ids)}
    found: dict[int, list[dict[str, Any]]] = {image['id']: [] for image in content['images']}
    for entry in content['annotations']:
        found[entry['image_id']].append(
            {
                'id': entry['id'],
                'class': classes[entry['category_id']],
                'crowd': bool(entry.get('iscrowd', 0)),
                'segmentation': entry['segmentation'],
            }
        )
    return [json.dumps(objects).encode() for objects in found.values()]


def image_folder(annotations: Path, file: str) -> Path:
    """The folder that holds an image: beside the annotations, or of a split beside their folder."""
    root = annotations.parent.parent if annotations.parent.name == 'annotations' else annotations.parent
    split = annotations.stem.removeprefix('instances_')
    folders = [root / split, root / 'images' / split, root / 'images', root]
    for folder in folders:
        if (folder / file).is_file():
            return folder
    raise DatasetError(f'{annotations}: its first image {file} is in none of {[str(f) for f in folders]}')
