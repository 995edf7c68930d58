"""Three frames of one scene, evenly spaced in time, under one augmentation."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch.utils.data import Dataset

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.augmentation.appearance import jitter
from dense_descriptor_ros.training.augmentation.square_crop import draw_crop, frame_sample
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage

FRAMES = 3


@dataclass(frozen=True)
class Window:
    """Where in a sequence an item's first frame may be; windows of one sequence share none."""

    images: list[int]
    """The sequence, as indices into the source."""
    gap: int
    """Images from one frame of a triple to the next."""
    first: int
    end: int
    """The first frame is `images[k]`, first <= k < end."""


class FrameTriples(Dataset[dict[str, torch.Tensor]]):
    """Items `rgb` (3, 3, H, W) uint8, `depth_m` (3, H, W), `K` (3, 3, 3): frames t - 2 gap, t - gap and t.

    All three are cropped, mirrored and recoloured alike, so that what changes between them is time alone.
    """

    def __init__(
        self,
        source: ImageSource,
        seed: int,
        gap: int,
        size_px: int,
        smallest_crop: float,
        mirror: float,
        jitter: float,
    ) -> None:
        """Find the triples.

        Args:
            source: images in sequences.
            seed: of all that is drawn.
            gap: images between frames; a sequence too short for it gets the largest that fits.
            size_px: side of a frame.
            smallest_crop: smallest side of a crop, of 1 for the largest square.
            mirror: probability.
            jitter: strength of the change of colours.

        Raises:
            DatasetError: no sequence has three images.
        """
        self.source, self.seed, self.size_px = source, seed, size_px
        self.smallest_crop, self.mirror, self.jitter = smallest_crop, mirror, jitter
        self.windows = find_windows(source.sequences, gap)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, position: int) -> dict[str, torch.Tensor]:
        """The triple of a position epoch * len + item.

        Raises:
            DatasetError: the images of the sequence differ in size.
        """
        rng = np.random.default_rng([self.seed, position])
        window = self.windows[position % len(self)]
        start = int(rng.integers(window.first, window.end))
        images = [self.source[window.images[start + k * window.gap]] for k in range(FRAMES)]
        sizes = {image.depth_m.shape for image in images}
        if len(sizes) > 1:
            raise DatasetError(f'images of one sequence have sizes {sorted(sizes)}: expected one size')
        crop = draw_crop(images[0], self.size_px, self.smallest_crop, self.mirror, rng)
        colours_seed = int(rng.integers(2**32))
        frames = [frame_sample(recoloured(crop(image), self.jitter, colours_seed)) for image in images]
        return {name: torch.stack([frame[name] for frame in frames]) for name in frames[0]}


def find_windows(sequences: list[list[int]], gap: int) -> list[Window]:
    """As many windows as triples fit one after the other, so that an epoch sees each part of a video once.

    Raises:
        DatasetError: no sequence has three images.
    """
    found = []
    for images in sequences:
        fitting = min(gap, (len(images) - 1) // (FRAMES - 1))
        if fitting < 1:
            continue
        span = (FRAMES - 1) * fitting + 1
        edges = np.linspace(0, len(images) - span + 1, len(images) // span + 1).astype(int)
        found += [Window(images, fitting, int(a), int(b)) for a, b in pairwise(edges)]
    if not found:
        longest = max(map(len, sequences), default=0)
        raise DatasetError(
            f'the longest sequence has {longest} images: expected at least {FRAMES} of one scene; '
            'take a video, or scenes of more views'
        )
    return found


def recoloured(image: LabelledImage, strength: float, seed: int) -> LabelledImage:
    """The image in other colours; the same seed draws the same change."""
    rgb = jitter(image.rgb.astype(np.float32) / 255, strength, np.random.default_rng(seed))
    return LabelledImage((rgb * 255).round().astype(np.uint8), image.depth_m, image.K)
