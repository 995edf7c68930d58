"""Augmentation of colour and depth; geometry is in virtual_camera.py."""

from dataclasses import dataclass

import cv2
import numpy as np

from dense_descriptor_ros.errors import ConfigError


@dataclass(frozen=True)
class AugmentationConfig:
    """Strengths and probabilities; all 0 leaves images as they are but for the crop."""

    zoom_min: float = 0.6
    zoom_max: float = 1.6
    anywhere: float = 0.15
    """Probability that a crop is anywhere, perhaps without an object: other things must be seen as well."""
    roll_deg: float = 30.0
    mirror: float = 0.5
    """Probability."""
    recolour: float = 0.5
    """Probability that the objects, and apart from them the background, get another colouring."""
    jitter: float = 0.4
    """Largest relative change of brightness, contrast, saturation and white balance."""
    grey: float = 0.05
    blur: float = 0.3
    noise: float = 0.03
    """Largest standard deviation of pixel noise, of 1."""
    depth_noisy: float = 0.6
    """Probability of reading `depth_noisy`, where the data set has it, instead of `depth`."""
    depth_holes: float = 0.3
    """Probability of holes in depth."""

    def __post_init__(self) -> None:
        for name in ('anywhere', 'mirror', 'recolour', 'grey', 'blur', 'depth_noisy', 'depth_holes'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f'augmentation.{name} is {getattr(self, name)}: expected a probability, 0 to 1'
                )
        if not 0 < self.zoom_min <= self.zoom_max:
            raise ConfigError(
                f'augmentation zooms {self.zoom_min} to {self.zoom_max}: expected 0 < min <= max'
            )


def augment_colour(
    rgb: np.ndarray, objects: np.ndarray, config: AugmentationConfig, rng: np.random.Generator
) -> np.ndarray:
    """Another look of an image (H, W, 3) uint8; `objects` (H, W) bool marks the category's instances."""
    image = rgb.astype(np.float32) / 255
    for region in (objects, ~objects):
        if rng.random() < config.recolour:
            image = np.where(region[..., None], recolour(image, rng), image)
    image = jitter(image, config.jitter, rng)
    if rng.random() < config.grey:
        image = np.repeat(image.mean(-1, keepdims=True), 3, -1)
    if rng.random() < config.blur:
        image[:] = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))
    noise = rng.normal(0, rng.uniform(0, config.noise) + 1e-6, image.shape).astype(np.float32)
    return ((image + noise).clip(0, 1) * 255).astype(np.uint8)


def recolour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mix the channels at random, sometimes inverted, towards a random tint; keeps texture and shading."""
    mix = rng.dirichlet(np.ones(3), 3).astype(np.float32)
    mixed = image @ mix.T
    if rng.random() < 0.2:
        mixed = 1 - mixed
    tint = rng.uniform(0.3, 1.3, 3).astype(np.float32)
    strength = np.float32(rng.uniform(0.3, 1))
    return (1 - strength) * image + strength * mixed * tint


def jitter(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation, gamma and white balance."""
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3).astype(np.float32)
    balance = rng.uniform(1 - strength / 4, 1 + strength / 4, 3).astype(np.float32)
    image = image * balance * brightness
    image = (image - image.mean()) * contrast + image.mean()
    grey = image.mean(-1, keepdims=True)
    image = (image - grey) * saturation + grey
    return image.clip(0, 1) ** np.float32(rng.uniform(1 - strength / 2, 1 + strength / 2))


def augment_depth(depth_m: np.ndarray, config: AugmentationConfig, rng: np.random.Generator) -> np.ndarray:
    """Depth (H, W) with elliptic holes and single pixels missing."""
    if rng.random() >= config.depth_holes:
        return depth_m
    height, width = depth_m.shape
    keep = np.ones((height, width), np.uint8)
    for _ in range(rng.integers(1, 8)):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        radii = (int(rng.integers(1, width // 10)), int(rng.integers(1, height // 10)))
        cv2.ellipse(keep, centre, radii, float(rng.uniform(0, 180)), 0, 360, 0, -1)
    keep &= (rng.random((height, width)) > rng.uniform(0, 0.1)).astype(np.uint8)
    return depth_m * keep
