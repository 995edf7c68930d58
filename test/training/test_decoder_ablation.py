"""Each step of the decoding can be left out."""

import pytest
import torch
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import Checkpoint
from dense_descriptor_ros.model import DescriptorNet, ModelConfig
from dense_descriptor_ros.training.decoder_ablation import VARIANTS, decoder_ablation, print_table

SMALL = ModelConfig(descriptor_dim=4, pyramid_channels=8, head_channels=8, last_stage_channels=16)


@pytest.fixture
def checkpoint():
    torch.manual_seed(0)
    return Checkpoint(DescriptorNet(SMALL, 3), SMALL, load_category('mug'))


def test_every_variant_is_measured(checkpoint, tmp_path, capsys):
    dataset = open_bop(write_tiny_bop(tmp_path), 'test')
    rows = decoder_ablation(checkpoint, dataset, 'cpu', 'depth')
    assert list(rows) == list(VARIANTS)
    print_table(rows)
    assert '| axis by votes alone |' in capsys.readouterr().out


def test_variants_differ_from_what_is_shipped_in_what_they_name(checkpoint):
    configs = {name: variant(checkpoint)[1] for name, variant in VARIANTS.items()}
    assert configs['axis by votes alone'].revolution.axis_rad < 1e-3
    assert configs['square mugs as surfaces of revolution'].prism.explained_below < 1e-6
    assert configs['as it is'] == configs['scores by the plain formula']
