"""Descriptors of colour images, whatever kind of checkpoint they come from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from dense_descriptor_ros.engine import Engine, check_image, choose_device, fit_to_network
from dense_descriptor_ros.training.encoder import input_channels
from dense_descriptor_ros.training.objectives.loading import load_objective
from dense_descriptor_ros.training.objectives.saved import holds_objective
from dense_descriptor_ros.training.sources.image import guessed_intrinsics

Describe = Callable[[np.ndarray], torch.Tensor]
"""Descriptors (D, h, w), unit, that cover an image (H, W, 3) uint8."""


def descriptor_reader(path: Path, device: str) -> Describe:
    """What describes colour images with a checkpoint, of any objective or of the network that is deployed.

    Raises:
        CheckpointError: the file is missing, damaged or neither of the two.
    """
    if not holds_objective(path):
        engine = Engine.load(path, device)
        return lambda rgb: torch.from_numpy(
            engine.infer_colour(rgb, guessed_intrinsics(*rgb.shape[:2])).descriptors
        )
    chosen = choose_device(device)
    objective = load_objective(path).to(chosen)

    @torch.inference_mode()
    def describe(rgb: np.ndarray) -> torch.Tensor:
        K = guessed_intrinsics(*rgb.shape[:2])
        check_image(rgb, K)
        fitted, _, _ = fit_to_network(rgb, np.zeros(rgb.shape[:2], np.float32), K)
        image = torch.from_numpy(np.ascontiguousarray(fitted.transpose(2, 0, 1))).to(chosen)
        return objective.descriptors(input_channels(image[None]))[0].float()

    return describe
