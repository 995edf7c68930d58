"""The network: torchvision backbone, feature pyramid, descriptor head and affordance head.

Dense descriptors follow Florence et al. 2018 (https://arxiv.org/abs/1806.08756), affordance frames Chen et
al. 2021 (https://arxiv.org/abs/2009.14553); the per-pixel votes are in the manner of PVN3D
(https://arxiv.org/abs/1911.04231).
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.preprocess import INPUT_CHANNELS

STRIDE = 4
"""Pixels per cell of the output, in both directions."""
SIZE_MULTIPLE = 32
"""Height and width of the input are multiples of this."""
LOG_SPREAD_RANGE = (-4.0, 4.0)
STRIDES = ('stride4', 'stride8', 'stride16', 'stride32')
RESNETS = ('resnet18', 'resnet34', 'resnet50')
MOBILE = {
    'mobilenet_v3_large': (('3', '6', '12', '15'), (24, 40, 112, 160)),
    'efficientnet_b0': (('2', '3', '5', '7'), (24, 40, 112, 320)),
}
"""Networks of depthwise convolutions: the last modules of their four stages, and their widths."""
BACKBONES = (*RESNETS, *MOBILE)
FRAMES_FROM = ('both', 'features', 'descriptors')


@dataclass(frozen=True)
class ModelConfig:
    """What defines the network's weights, and so is kept in the checkpoint."""

    backbone: str = 'resnet18'
    descriptor_dim: int = 16
    pyramid_channels: int = 96
    head_channels: int = 64
    """The stride-4 convolutions cost more than the rest: 128 and 128 take twice the time."""
    last_stage_channels: int = 256
    """Width of a ResNet's stride-32 stage; the stock 512 would triple the checkpoint."""
    frames_from: str = 'both'
    """What the affordance head sees: features, descriptors or both."""

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise ConfigError(f'backbone {self.backbone!r} is unknown: expected one of {BACKBONES}')
        if self.frames_from not in FRAMES_FROM:
            raise ConfigError(f'frames_from is {self.frames_from!r}: expected one of {FRAMES_FROM}')
        for name in ('descriptor_dim', 'pyramid_channels', 'head_channels', 'last_stage_channels'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected at least 1')

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class ModelOutput:
    """Per-cell output at stride 4 for P parts; directions and offsets are in the cell's ray frame."""

    descriptors: torch.Tensor
    """(B, D, h, w) float32, L2-normalised."""
    object_logit: torch.Tensor
    """(B, h, w): the cell shows an object of the category."""
    on_part_logit: torch.Tensor
    """(B, P, h, w): the cell, if on an object, lies on part p. A part without a region is everywhere."""
    offset_cells: torch.Tensor
    """(B, P, 3, h, w): from the cell's surface point to keypoint p, in cells at the point's depth."""
    log_spread: torch.Tensor
    """(B, P, h, w): log of the Laplace scale of `offset_cells`, in cells."""
    axis: torch.Tensor
    """(B, P, 3, h, w): direction of part p, L2-normalised."""


class DescriptorNet(nn.Module):
    """RGB-D to dense descriptors and per-cell votes for the keypoints and axes of `part_count` parts."""

    OFFSET_SCALE_CELLS = 8.0

    def __init__(self, config: ModelConfig, part_count: int) -> None:
        super().__init__()
        self.part_count = part_count
        self.backbone, widths = build_backbone(config)
        self.pyramid = torchvision.ops.FeaturePyramidNetwork(widths, config.pyramid_channels)
        width, D = config.pyramid_channels, config.descriptor_dim
        self.descriptor_head = head(width, config.head_channels, D)
        self.frames_from = config.frames_from
        width_in = {'both': width + D, 'features': width, 'descriptors': D}[config.frames_from]
        self.frame_head = head(width_in, config.head_channels, 1 + 8 * part_count)

    def forward(self, image: torch.Tensor) -> ModelOutput:
        """Run the network on (B, 9, H, W) from `network_input`, H and W multiples of 32."""
        features = self.pyramid(self.backbone(image))['stride4']
        # Normalisation and geometry in float32 whatever autocast does.
        descriptors = F.normalize(self.descriptor_head(features).float(), dim=1, eps=1e-6)
        inputs = {'features': features, 'descriptors': descriptors.to(features.dtype)}
        seen = list(inputs.values()) if self.frames_from == 'both' else [inputs[self.frames_from]]
        votes = self.frame_head(torch.cat(seen, 1)).float()
        object_logit, votes = votes[:, 0], votes[:, 1:].unflatten(1, (self.part_count, 8))
        return ModelOutput(
            descriptors=descriptors,
            object_logit=object_logit,
            on_part_logit=votes[:, :, 0],
            log_spread=votes[:, :, 1].clamp(*LOG_SPREAD_RANGE),
            offset_cells=votes[:, :, 2:5] * self.OFFSET_SCALE_CELLS,
            axis=F.normalize(votes[:, :, 5:8], dim=2, eps=1e-6),
        )


def build_backbone(config: ModelConfig) -> tuple[nn.Module, list[int]]:
    """Randomly initialised torchvision network for 9-channel input, and the widths of its four stages."""
    if config.backbone in MOBILE:
        modules, widths = MOBILE[config.backbone]
        mobile = getattr(torchvision.models, config.backbone)(weights=None).features
        width = mobile[0][0].out_channels
        mobile[0][0] = nn.Conv2d(INPUT_CHANNELS, width, 3, stride=2, padding=1, bias=False)
        return create_feature_extractor(mobile, dict(zip(modules, STRIDES, strict=True))), list(widths)
    resnet = getattr(torchvision.models, config.backbone)(weights=None)
    resnet.conv1 = nn.Conv2d(INPUT_CHANNELS, 64, 7, stride=2, padding=3, bias=False)
    block = type(resnet.layer4[0])
    resnet.inplanes = 256 * block.expansion
    resnet.layer4 = resnet._make_layer(block, config.last_stage_channels, len(resnet.layer4), stride=2)
    nodes = dict(zip(('layer1', 'layer2', 'layer3', 'layer4'), STRIDES, strict=True))
    resnet_widths = [block.expansion * width for width in (64, 128, 256, config.last_stage_channels)]
    return create_feature_extractor(resnet, nodes), resnet_widths


def head(width_in: int, width: int, width_out: int) -> nn.Sequential:
    """Two 3x3 convolutions and a linear read-out."""
    return nn.Sequential(
        nn.Conv2d(width_in, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width_out, 1),
    )
