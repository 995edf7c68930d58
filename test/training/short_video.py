"""Videos whose frames can be told apart, for tests."""

from itertools import pairwise

import numpy as np

from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage, guessed_intrinsics

HEIGHT, WIDTH = 48, 72


class Video(ImageSource):
    """Noise that is the same in all frames of a sequence; depth tells the index of the image."""

    def __init__(self, lengths=(7, 7)):
        edges = np.cumsum([0, *lengths])
        self._sequences = [list(range(a, b)) for a, b in pairwise(edges)]

    def __len__(self):
        return sum(map(len, self._sequences))

    def __getitem__(self, index):
        number = next(k for k, s in enumerate(self._sequences) if index in s)
        rgb = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        depth_m = np.full((HEIGHT, WIDTH), 1 + index, np.float32)
        return LabelledImage(rgb, depth_m, guessed_intrinsics(HEIGHT, WIDTH))

    @property
    def sequences(self):
        return self._sequences
