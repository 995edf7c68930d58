"""Divides a source into images to train with and images to validate with."""

from dataclasses import replace

from dense_descriptor_ros.bop import BopDataset
from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage


class Part(ImageSource):
    """Some of the images of another source."""

    def __init__(self, source: ImageSource, sequences: list[list[int]]) -> None:
        self.source, self.chosen = source, sequences
        self.indices = [index for sequence in sequences for index in sequence]
        self.class_names = source.class_names

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.source[self.indices[index]]

    @property
    def sequences(self) -> list[list[int]]:
        """Those chosen, numbered anew."""
        counter = iter(range(len(self.indices)))
        return [[next(counter) for _ in sequence] for sequence in self.chosen]


def split_source(source: ImageSource, share: float) -> tuple[ImageSource, ImageSource]:
    """Training and validation parts: the last sequences validate, at least one; or the end of the only one.

    Raises:
        DatasetError: there is but one image.
    """
    if isinstance(source, BopImages):
        keep, held_out = split_scenes(source.dataset, share)
        return BopImages(keep, source.category), BopImages(held_out, source.category)
    sequences = source.sequences
    if len(sequences) == 1:
        images = sequences[0]
        count = held_out_count(len(images), share, 'image')
        return Part(source, [images[:-count]]), Part(source, [images[-count:]])
    count = held_out_count(len(sequences), share, 'sequence')
    return Part(source, sequences[:-count]), Part(source, sequences[-count:])


def held_out_count(size: int, share: float, what: str) -> int:
    """How many of `size` validate: about the share, at least one, never all."""
    if size < 2:
        raise DatasetError(f'{size} {what}, expected two or more, to train and to validate with')
    return min(max(1, round(share * size)), size - 1)


def split_scenes(dataset: BopDataset, share: float) -> tuple[BopDataset, BopDataset]:
    """Training and validation parts of a BOP split: the last scenes validate."""
    scenes = sorted(dataset.scenes)
    try:
        count = held_out_count(len(scenes), share, 'scene')
    except DatasetError as error:
        raise DatasetError(f'{dataset.root / dataset.split}: {error}') from None
    keep, held_out = scenes[: len(scenes) - count], scenes[len(scenes) - count :]
    return (
        replace(dataset, scenes={s: dataset.scenes[s] for s in keep}),
        replace(dataset, scenes={s: dataset.scenes[s] for s in held_out}),
    )
