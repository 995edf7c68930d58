"""Semantic FPN: one feature map at stride 4 out of the encoder's four stages."""

import torch
from torch import nn
from torchvision.ops import FeaturePyramidNetwork

from dense_descriptor_ros.model import STRIDES


class SemanticFPN(nn.Module):
    """A feature pyramid whose levels are brought to stride 4, one branch each, and summed.

    Source: Kirillov et al. 2019, section 3.1 (https://arxiv.org/abs/1901.02446), with batch normalisation as
    in the other heads. Its pyramid and SeMask's branches have a `width` of 256; a quarter of it trains on a
    CPU, since the cost of the 3x3 convolutions at stride 4 goes with its square.

    Args:
        widths: channels of the four stages.
        width: channels of the pyramid, the branches and the result.
    """

    def __init__(self, widths: list[int], width: int = 64) -> None:
        super().__init__()
        self.pyramid = FeaturePyramidNetwork(widths, width)
        self.branches = nn.ModuleList(branch(width, doublings) for doublings in range(len(widths)))

    def forward(self, stages: dict[str, torch.Tensor]) -> torch.Tensor:
        """Features (B, width, h, w) at stride 4 of the maps `stride4` to `stride32`."""
        levels = self.pyramid(stages)
        outputs = [grow(levels[stride]) for grow, stride in zip(self.branches, STRIDES, strict=True)]
        return torch.stack(outputs).sum(0)


def branch(width: int, doublings: int) -> nn.Sequential:
    """As many 3x3 convolutions as the resolution is doubled, at least one."""
    layers: list[nn.Module] = []
    for _ in range(max(1, doublings)):
        layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        if doublings:
            layers.append(nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False))
    return nn.Sequential(*layers)
