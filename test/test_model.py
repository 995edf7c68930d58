"""The network's parts that can be chosen."""

import pytest
import torch

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.model import BACKBONES, FRAMES_FROM, DescriptorNet, ModelConfig
from dense_descriptor_ros.preprocess import INPUT_CHANNELS

SMALL = {'descriptor_dim': 4, 'pyramid_channels': 8, 'head_channels': 8, 'last_stage_channels': 16}


@pytest.mark.parametrize('backbone', BACKBONES)
def test_every_backbone_gives_cells_at_stride_4(backbone):
    net = DescriptorNet(ModelConfig(backbone=backbone, **SMALL), 3).eval()
    with torch.inference_mode():
        output = net(torch.randn(1, INPUT_CHANNELS, 64, 96))
    assert output.descriptors.shape == (1, 4, 16, 24)
    assert output.offset_cells.shape == (1, 3, 3, 16, 24)
    torch.testing.assert_close(output.descriptors.norm(dim=1), torch.ones(1, 16, 24))


@pytest.mark.parametrize('frames_from', FRAMES_FROM)
def test_frames_depend_on_descriptors_only_where_they_are_read_from_them(frames_from):
    net = DescriptorNet(ModelConfig(frames_from=frames_from, **SMALL), 3).eval()
    image = torch.randn(1, INPUT_CHANNELS, 64, 64)
    net(image).object_logit.sum().backward()
    touched = net.descriptor_head[0].weight.grad is not None
    assert touched == (frames_from != 'features')


@pytest.mark.parametrize(
    'setting', [{'backbone': 'alexnet'}, {'frames_from': 'nothing'}, {'descriptor_dim': 0}]
)
def test_what_does_not_exist_is_named(setting):
    with pytest.raises(ConfigError, match=str(next(iter(setting.values())))):
        ModelConfig(**setting)
