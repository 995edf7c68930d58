"""The encoder and its hypercolumns."""

import pytest
import torch

from dense_descriptor_ros.model import STRIDES, ModelConfig
from dense_descriptor_ros.training.encoder import Encoder, hypercolumns, input_channels


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(ModelConfig(last_stage_channels=32)).eval()


def test_stages_have_their_strides_and_widths(encoder):
    stages = encoder(input_channels(torch.rand(2, 3, 64, 96)))
    for stride, width in zip(STRIDES, encoder.widths, strict=True):
        step = int(stride.removeprefix('stride'))
        assert stages[stride].shape == (2, width, 64 // step, 96 // step)


def test_hypercolumns_are_unit_vectors_in_which_every_stage_weighs_the_same(encoder):
    stages = {stride: torch.full((1, 3, 8 // 2**k, 8 // 2**k), 10.0**k) for k, stride in enumerate(STRIDES)}
    torch.testing.assert_close(hypercolumns(stages), torch.full((1, 12, 8, 8), 12**-0.5))
    columns = encoder.hypercolumns(input_channels(torch.rand(1, 3, 64, 64)))
    assert columns.shape == (1, sum(encoder.widths), 16, 16)
    torch.testing.assert_close(columns.norm(dim=1), torch.ones(1, 16, 16))


def test_without_depth_its_channels_are_those_of_unknown_depth():
    rgb = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    K = torch.tensor([[[30.0, 0, 16], [0, 30, 16], [0, 0, 1]]])
    known = input_channels(rgb, torch.zeros(1, 32, 32), K)
    torch.testing.assert_close(input_channels(rgb), known)
    torch.testing.assert_close(input_channels(rgb.float() / 255), known)
