"""Descriptors that nobody trained: what a trained network has to beat."""

import cv2
import numpy as np
import torch

from dense_descriptor_ros.bop import View
from dense_descriptor_ros.checkpoint import Checkpoint
from dense_descriptor_ros.decode import DecodeConfig
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.model import STRIDE, DescriptorNet
from dense_descriptor_ros.training.metrics.descriptor_metrics import DescriptorSource

RANDOM_DIM = 32
PATCH_CELLS = 5


def baselines(checkpoint: Checkpoint, device: str, depth_folder: str) -> dict[str, DescriptorSource]:
    """Descriptor sources by name, to stand beside the network of the checkpoint."""
    return {
        'untrained network': untrained_network(checkpoint, device, depth_folder),
        'raw RGB patch': colour_patches,
        'random': random_descriptors,
    }


def learned_part(source: DescriptorSource, dim: int) -> DescriptorSource:
    """The first `dim` dimensions: what the network says without the place on the surface."""
    return lambda view: unit(source(view)[:dim].astype(np.float32))


def random_descriptors(view: View) -> np.ndarray:
    """(D, h, w) of independent noise: the match is a random point."""
    height, width = view.rgb().shape[:2]
    rng = np.random.default_rng([view.scene_id, view.im_id])
    return unit(rng.standard_normal((RANDOM_DIM, height // STRIDE, width // STRIDE)).astype(np.float32))


def colour_patches(view: View) -> np.ndarray:
    """(75, h, w): the colours of the 5x5 cells around, less the image's mean."""
    rgb = view.rgb()
    size = (rgb.shape[1] // STRIDE, rgb.shape[0] // STRIDE)
    cells = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    reach = PATCH_CELLS // 2
    padded = np.pad(cells - cells.mean((0, 1)), ((reach, reach), (reach, reach), (0, 0)), mode='edge')
    patches = np.lib.stride_tricks.sliding_window_view(padded, (PATCH_CELLS, PATCH_CELLS), axis=(0, 1))
    return unit(patches.transpose(2, 3, 4, 0, 1).reshape(-1, *cells.shape[:2]))


def untrained_network(checkpoint: Checkpoint, device: str, depth_folder: str) -> DescriptorSource:
    """The same architecture with its initial weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DescriptorNet(checkpoint.config, len(checkpoint.category.parts))
    no_frames = DecodeConfig(min_object_score=1.0)  # clustering its noise would take longer than all else
    engine = Engine(Checkpoint(model, checkpoint.config, checkpoint.category), device, no_frames)
    known: dict[tuple[int, int], np.ndarray] = {}

    def source(view: View) -> np.ndarray:
        key = (view.scene_id, view.im_id)
        if key not in known:
            known[key] = engine.infer(view.rgb(), view.depth_m(depth_folder), view.K).descriptors.astype(
                np.float16
            )
        return known[key]

    return source


def unit(descriptors: np.ndarray) -> np.ndarray:
    """L2-normalised over the first axis."""
    return descriptors / np.maximum(np.linalg.norm(descriptors, axis=0), 1e-8)
