"""The backbone that every objective trains, and the dense representation that is read from it."""

import torch
import torch.nn.functional as F
from torch import nn

from dense_descriptor_ros.model import STRIDES, ModelConfig, build_backbone
from dense_descriptor_ros.preprocess import network_input


class Encoder(nn.Module):
    """A network of four stages, at strides 4, 8, 16 and 32, on colour and depth as the deployed one sees."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone, self.widths = build_backbone(config)

    def forward(self, channels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Feature maps `stride4` to `stride32` of input channels (B, 9, H, W), H and W multiples of 32."""
        return self.backbone(channels)

    def hypercolumns(self, channels: torch.Tensor) -> torch.Tensor:
        """Unit descriptors (B, sum of widths, h, w) at stride 4: every stage, each at the same length.

        Source: Hariharan et al. 2015 (https://arxiv.org/abs/1411.5752).
        """
        return hypercolumns(self(channels))


def hypercolumns(stages: dict[str, torch.Tensor]) -> torch.Tensor:
    """Unit vectors (B, C, h, w) at the first stage's resolution: all stages, each normalised by itself."""
    size = stages[STRIDES[0]].shape[-2:]
    unit = [F.normalize(stages[stride].float(), dim=1, eps=1e-6) for stride in STRIDES]
    large = [F.interpolate(u, size=size, mode='bilinear', align_corners=False) for u in unit]
    return F.normalize(torch.cat(large, 1), dim=1, eps=1e-6)


def input_channels(
    rgb: torch.Tensor, depth_m: torch.Tensor | None = None, K: torch.Tensor | None = None
) -> torch.Tensor:
    """Input of the encoder (B, 9, H, W), channels last; without depth as where it is unknown.

    Args:
        rgb: (B, 3, H, W) uint8, or float in 0 to 1.
        depth_m: (B, H, W) metres.
        K: (B, 3, 3) pixels.
    """
    colour = rgb.float() / 255 if rgb.dtype == torch.uint8 else rgb
    if depth_m is None:
        depth_m = colour.new_zeros(len(rgb), *rgb.shape[-2:])
    if K is None:
        K = torch.eye(3, device=rgb.device).repeat(len(rgb), 1, 1)
    return network_input(colour, depth_m, K).contiguous(memory_format=torch.channels_last)
