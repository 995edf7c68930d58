"""Frames of videos, from an h5 file that `training/video_to_h5.py` wrote."""

from pathlib import Path

import numpy as np

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.sources.h5_file import H5File
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage
from dense_descriptor_ros.training.sources.plain import plain_image


class VideoFrames(ImageSource):
    """Frames of every video of a split, one after the other; each video is a sequence.

    Args:
        split: group of the file, train or test, that holds a data set (frames, H, W, 3) uint8 for each video.

    Raises:
        DatasetError: the file is missing or damaged, or has no such split, or no frames in it.
    """

    def __init__(self, path: Path, split: str) -> None:
        self.file = H5File(path)
        videos = self.file[split]
        self.names = [f'{split}/{name}' for name in videos]
        for name in self.names:
            shape, dtype = self.file[name].shape, self.file[name].dtype
            if len(shape) != 4 or shape[3] != 3 or dtype != np.uint8:
                raise DatasetError(f'{path}: {name} is {dtype} {shape}, expected uint8 (frames, H, W, 3)')
        self.ends = np.cumsum([len(self.file[name]) for name in self.names], dtype=int)
        if not len(self):
            raise DatasetError(f'{path}: no frames in {split!r}')

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, index: int) -> LabelledImage:
        video = int(np.searchsorted(self.ends, index, side='right'))
        start = int(self.ends[video - 1]) if video else 0
        return plain_image(self.file.read(self.names[video], index - start))

    @property
    def sequences(self) -> list[list[int]]:
        """The frames of each video."""
        starts = [0, *self.ends[:-1]]
        return [list(range(start, end)) for start, end in zip(starts, self.ends, strict=True)]
