"""Inference: numpy images in, frames and descriptors out."""

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.checkpoint import SHIPPED, Checkpoint, load_checkpoint
from dense_descriptor_ros.decode import DecodeConfig, FoundObject, confident_frames, find_objects
from dense_descriptor_ros.errors import ConfigError, InputError
from dense_descriptor_ros.frames import Prediction
from dense_descriptor_ros.geometry import scale_intrinsics
from dense_descriptor_ros.model import SIZE_MULTIPLE, ModelOutput
from dense_descriptor_ros.preprocess import network_input
from dense_descriptor_ros.surface_code import CODE_DIM, add_surface_codes, revolution_parts
from dense_descriptor_ros.votes import Votes, cast_votes

MAX_SIDE_PX = 640
"""Larger images are reduced and smaller ones enlarged: objects then have about the size in pixels that the
network was trained on."""
MAX_ENLARGEMENT = 2.0


class Engine:
    """A trained network on a device, ready for images of any size."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = 'auto',
        config: DecodeConfig | None = None,
        precision: str = 'auto',
    ) -> None:
        self.device = choose_device(device)
        self.config = config or DecodeConfig()
        self.category: Category = checkpoint.category
        self.confidence = checkpoint.confidence
        code_dim = CODE_DIM if revolution_parts(self.category) else 0
        self.learned_dim = checkpoint.config.descriptor_dim
        self.descriptor_dim = self.learned_dim + code_dim
        self._dtype = number_format(precision, self.device)
        self._model = checkpoint.model.to(self.device).to(memory_format=torch.channels_last).eval()

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        device: str = 'auto',
        config: DecodeConfig | None = None,
        precision: str = 'auto',
    ) -> 'Engine':
        """Engine of a checkpoint file, the shipped one when there is no path.

        Raises:
            CheckpointError: the file cannot be used.
            ConfigError: the device does not exist here, or not with this precision.
        """
        return cls(load_checkpoint(path or SHIPPED), device, config, precision)

    @property
    def device_memory_bytes(self) -> int | None:
        """Memory that torch holds on a GPU; None on the CPU, where it is the process's."""
        return torch.cuda.memory_reserved(self.device) if self.device.type == 'cuda' else None

    def infer(self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray) -> Prediction:
        """Frames and descriptors of one image.

        Args:
            rgb: (H, W, 3) uint8.
            depth_m: (H, W) float, metres along z, registered to `rgb`; 0 or not finite where unknown.
            K: (3, 3) pixels, of an image without distortion.

        Raises:
            InputError: a shape, type or value does not fit.
        """
        check_image(rgb, K)
        check_depth(depth_m, rgb.shape[:2])
        return self._infer(rgb, depth_m, K, has_depth=True)

    def infer_colour(self, rgb: np.ndarray, K: np.ndarray) -> Prediction:
        """What colour alone shows of one image: frames whose scale is unknown, and descriptors.

        Args:
            rgb: (H, W, 3) uint8.
            K: (3, 3) pixels, of an image without distortion.

        Raises:
            InputError: a shape, type or value does not fit.
        """
        check_image(rgb, K)
        return self._infer(rgb, np.zeros(rgb.shape[:2], np.float32), K, has_depth=False)

    def find_objects(self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray) -> list[FoundObject]:
        """What `infer` makes frames of: every object, also those that score too low for one."""
        check_image(rgb, K)
        check_depth(depth_m, rgb.shape[:2])
        _, votes = self._run(rgb, depth_m, K, has_depth=True)
        return find_objects(votes, self.category, self.config, self.confidence)

    def _infer(self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, has_depth: bool) -> Prediction:
        start = time.perf_counter()
        output, votes = self._run(rgb, depth_m, K, has_depth)
        # The confidence was fitted to sizes in metres.
        confidence = self.confidence if has_depth else None
        objects = find_objects(votes, self.category, self.config, confidence)
        frames = [replace(frame, scale_known=has_depth) for frame in confident_frames(objects, self.config)]
        learned = output.descriptors[0].cpu().numpy()
        # Where on its surface a cell lies is known from depth alone.
        descriptors = add_surface_codes(learned, votes, objects if has_depth else [], self.category)
        object_score = output.object_logit[0].sigmoid().cpu().numpy()
        return Prediction(frames, descriptors, object_score, time.perf_counter() - start)

    @torch.inference_mode()
    def _run(
        self, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, has_depth: bool
    ) -> tuple[ModelOutput, Votes]:
        rgb, depth_m, K = fit_to_network(rgb, depth_m, K)
        image = torch.from_numpy(rgb).to(self.device).permute(2, 0, 1)[None].float() / 255
        depth = torch.from_numpy(depth_m).to(self.device)[None]
        intrinsics = torch.from_numpy(K.astype(np.float32)).to(self.device)[None]
        channels = network_input(image, depth, intrinsics).contiguous(memory_format=torch.channels_last)
        enabled = self._dtype is not torch.float32
        try:
            with torch.autocast(self.device.type, self._dtype, enabled=enabled):
                output = self._model(channels)
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()  # the next image may fit again
            raise MemoryError(f'{self.device} is full: {error}') from error
        measured = depth if has_depth else None
        return output, cast_votes(output, channels, measured, intrinsics, self.config.min_object_score)


def choose_device(name: str) -> torch.device:
    """The device of a name: `auto` takes the GPU where there is one.

    Raises:
        ConfigError: the name is unknown or the device does not exist here.
    """
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f'device {name!r} is unknown: expected auto, cpu, cuda or cuda:N') from error
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type not in ('cpu', 'cuda') or (device.type == 'cuda' and (device.index or 0) >= count):
        raise ConfigError(
            f'device {name!r} is not here: this machine has {count} CUDA device(s); use auto or cpu'
        )
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there; it halves the time where the hardware has it."""
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    supported = getattr(torch.ops.mkldnn, '_is_mkldnn_bf16_supported', None)  # absent where oneDNN is
    return bool(supported and supported())


def number_format(precision: str, device: torch.device) -> torch.dtype:
    """The network's number format; `auto` is bfloat16 where that is faster, else float32.

    Raises:
        ConfigError: the device has no such format.
    """
    if precision == 'auto':
        return torch.bfloat16 if has_bfloat16(device) else torch.float32
    if precision == 'float16' and device.type == 'cpu':
        raise ConfigError("precision is 'float16' on the CPU, which is slower there: use auto")
    return getattr(torch, precision)


def check_image(rgb: np.ndarray, K: np.ndarray) -> None:
    """Raise InputError unless the two are an image and its intrinsics."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise InputError(f'rgb is {rgb.dtype} of shape {rgb.shape}: expected uint8 (H, W, 3)')
    if min(rgb.shape[:2]) < SIZE_MULTIPLE:
        raise InputError(
            f'rgb has {rgb.shape[1]}x{rgb.shape[0]} pixels: expected at least {SIZE_MULTIPLE}x{SIZE_MULTIPLE}'
        )
    if np.shape(K) != (3, 3) or not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise InputError(
            f'K is {np.asarray(K).tolist()}: expected a finite 3x3 matrix with positive focal lengths'
        )


def check_depth(depth_m: np.ndarray, size: tuple[int, ...]) -> None:
    """Raise InputError unless depth fits an image of this height and width."""
    if depth_m.shape != size or not np.issubdtype(depth_m.dtype, np.floating):
        raise InputError(
            f'depth_m is {depth_m.dtype} of shape {depth_m.shape}: expected floats of shape '
            f'{size}, metres registered to the colour image'
        )
    if not (np.isfinite(depth_m) & (depth_m > 0)).any():
        raise InputError('depth_m has no pixel above 0: frames need depth; check the sensor and its unit')


def fit_to_network(
    rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Resize to about `MAX_SIDE_PX`, in multiples of 32, so that cells tile the image exactly."""
    height, width = depth_m.shape
    depth = np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, 0).astype(np.float32)
    scale = min(MAX_ENLARGEMENT, MAX_SIDE_PX / max(height, width))
    size = tuple(
        max(SIZE_MULTIPLE, round(side * scale / SIZE_MULTIPLE) * SIZE_MULTIPLE) for side in (width, height)
    )
    if size == (width, height):
        return np.ascontiguousarray(rgb), depth, K
    return (
        cv2.resize(rgb, size, interpolation=cv2.INTER_AREA),
        cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT),
        scale_intrinsics(K, size[0] / width, size[1] / height),
    )
