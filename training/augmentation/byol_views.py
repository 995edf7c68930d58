"""Views of an image as BYOL draws them: a part of it resized, then coloured at random.

Everything stays uint8, so that no value can leave 0 to 255 before the network's input is normalised.
Source: Grill et al. 2020, BYOL, appendix B (https://arxiv.org/abs/2006.07733).
"""

import numpy as np
import torch
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

JITTER = (0.4, 0.4, 0.2, 0.1)
"""Of brightness, contrast, saturation and hue."""
JITTER_PROBABILITY = 0.8
GREY_PROBABILITY = 0.2
BLUR_SIGMA_PX = (0.1, 2.0)
SOLARISE_FROM = 128


def cropped(rgb: torch.Tensor, box: np.ndarray, size: int) -> torch.Tensor:
    """The part of an image (3, H, W) uint8 in a box (4,), bicubic, as (3, size, size) uint8.

    A bicubic kernel overshoots at edges; what is over 255 or under 0 is clamped.
    """
    left, top, right, bottom = (int(side) for side in box)
    part = rgb[:, top:bottom, left:right]
    return functional.resize(part, [size, size], InterpolationMode.BICUBIC, antialias=True)


def view_transform(size: int, blur: float, solarise: float, mirror: float) -> v2.Compose:
    """Random colours of a view (3, size, size) uint8; draws from torch's global generator.

    Args:
        size: pixels; the blur's kernel is a tenth of it.
        blur: probability; 1 in BYOL's first view T1, 0.1 in T2.
        solarise: probability; 0 in T1, 0.2 in T2.
        mirror: probability of left and right swapped.
    """
    kernel = max(3, size // 10 // 2 * 2 + 1)
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(mirror),
            v2.RandomApply([v2.ColorJitter(*JITTER)], JITTER_PROBABILITY),
            v2.RandomGrayscale(GREY_PROBABILITY),
            v2.RandomApply([v2.GaussianBlur(kernel, BLUR_SIGMA_PX)], blur),
            v2.RandomSolarize(SOLARISE_FROM, solarise),
        ]
    )


def first_view(size: int, mirror: float) -> v2.Compose:
    """BYOL's T1."""
    return view_transform(size, blur=1.0, solarise=0.0, mirror=mirror)


def second_view(size: int, mirror: float) -> v2.Compose:
    """BYOL's T2."""
    return view_transform(size, blur=0.1, solarise=0.2, mirror=mirror)
