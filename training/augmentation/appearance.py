"""Augmentation of colour and depth; geometry is in virtual_camera.py."""

from dataclasses import dataclass

import cv2
import numpy as np

from dense_descriptor_ros.errors import ConfigError


@dataclass(frozen=True)
class AugmentationConfig:
    """Strengths and probabilities; all 0 leaves images as they are but for the crop."""

    zoom_min: float = 0.5
    zoom_max: float = 1.6
    anywhere: float = 0.25
    """Probability that a crop is anywhere, perhaps without an object: other things must be seen as well."""
    roll_deg: float = 30.0
    mirror: float = 0.5
    """Probability."""
    recolour: float = 0.5
    """Probability that a scene gets other colours. The same on the objects and around them: else the network
    would learn to see the seam."""
    jitter: float = 0.3
    """Largest relative change of brightness, contrast, saturation and white balance."""
    grey: float = 0.05
    blur: float = 0.3
    noise: float = 0.03
    """Largest standard deviation of pixel noise, of 1."""
    depth_noisy: float = 0.6
    """Probability of reading `depth_noisy`, where the data set has it, instead of `depth`."""
    depth_holes: float = 0.3
    """Probability of holes in depth."""
    depth_missing: float = 0.06
    """Probability of no depth at all: colour alone must do then."""

    def __post_init__(self) -> None:
        of_colour = ('recolour', 'grey', 'blur')
        of_depth = ('depth_noisy', 'depth_holes', 'depth_missing')
        for name in ('anywhere', 'mirror', *of_colour, *of_depth):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f'augmentation.{name} is {getattr(self, name)}: expected a probability, 0 to 1'
                )
        if not 0 < self.zoom_min <= self.zoom_max:
            raise ConfigError(
                f'augmentation zooms {self.zoom_min} to {self.zoom_max}: expected 0 < min <= max'
            )


@dataclass(frozen=True)
class Recolouring:
    """Another colouring of a scene, the same in all its views: a point's colour tells it in both."""

    mix: np.ndarray
    """(3, 3) float32, from old to new channels."""
    inverted: bool
    tint: np.ndarray
    """(3,) float32"""
    strength: float
    """0 leaves the colours."""
    grey: bool

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The image (H, W, 3) float32, 0 to 1, in the new colours; texture and shading stay."""
        mixed = image @ self.mix
        if self.inverted:
            mixed = 1 - mixed
        image = (1 - self.strength) * image + self.strength * mixed * self.tint
        return np.repeat(image.mean(-1, keepdims=True), 3, -1) if self.grey else image


def draw_recolouring(config: AugmentationConfig, rng: np.random.Generator) -> Recolouring:
    """Channels mixed at random, sometimes inverted, towards a random tint."""
    return Recolouring(
        mix=rng.dirichlet(np.ones(3), 3).T.astype(np.float32),
        inverted=bool(rng.random() < 0.2),
        tint=rng.uniform(0.3, 1.3, 3).astype(np.float32),
        strength=float(rng.uniform(0.3, 1)) if rng.random() < config.recolour else 0.0,
        grey=bool(rng.random() < config.grey),
    )


def augment_colour(
    rgb: np.ndarray, recolouring: Recolouring, config: AugmentationConfig, rng: np.random.Generator
) -> np.ndarray:
    """Another look of one view (H, W, 3) uint8: its scene's colours, its own exposure, blur and noise."""
    image = jitter(recolouring(rgb.astype(np.float32) / 255), config.jitter, rng)
    if rng.random() < config.blur:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))
    noise = np.float32(rng.uniform(0, config.noise)) * rng.standard_normal(image.shape, np.float32)
    return ((image + noise).clip(0, 1) * 255).astype(np.uint8)


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
    """Depth (H, W) with elliptic holes and single pixels missing, or all."""
    if rng.random() < config.depth_missing:
        return np.zeros_like(depth_m)
    if rng.random() >= config.depth_holes:
        return depth_m
    height, width = depth_m.shape
    keep = np.ones((height, width), np.uint8)
    for _ in range(rng.integers(1, 8)):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        radii = (int(rng.integers(1, width // 10)), int(rng.integers(1, height // 10)))
        cv2.ellipse(keep, centre, radii, float(rng.uniform(0, 180)), 0, 360, 0, -1)
    keep &= (rng.random((height, width)) > 0.35 * rng.random() ** 2).astype(np.uint8)
    return depth_m * keep
