"""CLEVR with masks: rendered scenes of plain solids, with the mask of each.

Format: https://github.com/google-deepmind/multi_object_datasets
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.files import write_atomically
from dense_descriptor_ros.training.sources.h5_file import H5File
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage
from dense_descriptor_ros.training.sources.plain import plain_image
from dense_descriptor_ros.training.sources.tfrecord import byte_features, read_records

HEIGHT, WIDTH, MASKS = 240, 320, 11
SPLITS = {'train': (0.0, 0.7), 'val': (0.7, 0.85), 'test': (0.85, 1.0)}
"""Parts of the one file there is, as usual: of 100,000 images 70,000, 15,000 and 15,000."""


class ClevrImages(ImageSource):
    """Images and instances of a split of a TFRecord file.

    The released file is one gzip stream of some 300 GB when unpacked, of which no image can be read without
    all before it. So it is repacked once, beside itself, as an h5 file of single images.

    Raises:
        DatasetError: the file is damaged, or the split is none of `SPLITS`, or holds no image.
    """

    def __init__(self, path: Path, split: str) -> None:
        if split not in SPLITS:
            raise DatasetError(f'{path}: no split {split!r}; expected one of {list(SPLITS)}')
        packed = path.with_suffix('.clevr.h5')
        if not is_packed(packed, path):
            pack(path, packed)
        self.file = H5File(packed)
        count = len(self.file['rgb'])
        self.start, self.end = (round(share * count) for share in SPLITS[split])
        if self.start == self.end:
            raise DatasetError(f'{path}: {count} images, too few for a split {split!r}')

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, index: int) -> LabelledImage:
        rgb = self.file.read('rgb', self.start + index)
        return plain_image(rgb, self.file.read('instances', self.start + index).astype(np.int32))


def is_packed(packed: Path, records: Path) -> bool:
    """Whether the h5 file is there and was made of this file of records, as far as its size tells."""
    if not packed.is_file():
        return False
    return bool(H5File(packed)['/'].attrs.get('source_bytes') == records.stat().st_size)


def pack(records: Path, packed: Path) -> None:
    """Write the images and instances of a TFRecord file as an h5 file of one chunk an image.

    Raises:
        DatasetError: a record is damaged, or the h5 file cannot be written.
    """

    def write(temporary: Path) -> None:
        with h5py.File(temporary, 'w') as file:
            rgb, instances = (
                file.create_dataset(
                    name,
                    (0, *shape),
                    np.uint8,
                    maxshape=(None, *shape),
                    chunks=(1, *shape),
                    compression='lzf',
                )
                for name, shape in (('rgb', (HEIGHT, WIDTH, 3)), ('instances', (HEIGHT, WIDTH)))
            )
            for k, scene in enumerate(
                tqdm(read_scenes(records), unit='image', desc=f'repack {records.name}')
            ):
                for target, image in zip((rgb, instances), scene, strict=True):
                    target.resize(k + 1, axis=0)
                    target[k] = image
            file.attrs['source_bytes'] = records.stat().st_size

    try:
        write_atomically(packed, write)
    except OSError as error:
        raise DatasetError(f'{packed}: cannot be written ({error}); {records} is read through it') from error


def read_scenes(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images (H, W, 3) uint8 with instances (H, W) uint8: 0 on the background, else the mask's number."""
    for number, record in enumerate(read_records(path)):
        try:
            features = byte_features(record)
            rgb = features['image'].reshape(HEIGHT, WIDTH, 3)
            masks = features['mask'].reshape(MASKS, HEIGHT, WIDTH)
        except (KeyError, ValueError) as error:
            raise DatasetError(
                f'{path}: record {number} is no image of CLEVR with masks: {error!r}'
            ) from error
        yield rgb, masks.argmax(0).astype(np.uint8)
