"""Strong changes of colour, for two looks of one image that have but their content in common."""

import cv2
import numpy as np
import torch
from torchvision.transforms.v2 import functional

JITTER = (0.8, 0.8, 0.8, 0.2)
"""Largest change of brightness, contrast and saturation, relative, and of hue, in turns."""
GREY, BLUR = 0.2, 0.5
"""Probabilities."""
BLUR_PX = (0.1, 2.0)


def distort_colour(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another look of an image (H, W, 3) uint8: jitter in random order, perhaps without colour, or blurred.

    Source: Chen et al. 2020, SimCLR, appendix A (https://arxiv.org/abs/2002.05709).
    """
    steps = (
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    )
    factors = [rng.uniform(max(0.0, 1 - strength), 1 + strength) for strength in JITTER]
    factors[3] -= 1  # hue is added
    image = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))
    for step in rng.permutation(len(steps)):
        image = steps[step](image, float(factors[step]))
    if rng.random() < GREY:
        image = functional.rgb_to_grayscale(image, num_output_channels=3)
    out = np.ascontiguousarray(image.numpy().transpose(1, 2, 0))
    if rng.random() < BLUR:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(*BLUR_PX))
    return out
