"""The baseline: its network, its loss against a loop, and that it trains."""

import numpy as np
import pytest
import torch
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training import dense_object_nets as module
from dense_descriptor_ros.training.dense_object_nets import (
    DenseObjectNet,
    DenseObjectNetsConfig,
    dense_object_nets,
    lifted,
    pair_loss,
    train,
)


def test_the_network_has_stride_8_and_the_parameters_of_a_resnet34():
    net = DenseObjectNet().eval()
    with torch.inference_mode():
        assert net(torch.rand(1, 3, 64, 96)).shape == (1, 3, 8, 12)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(21.28e6, rel=0.01)


def test_lifting_keeps_the_order_of_distances():
    points = np.random.default_rng(0).normal(size=(3, 1, 40))
    unit = lifted(points)
    np.testing.assert_allclose((unit**2).sum(0), 1, atol=1e-12)
    query = points[:, 0, :1]
    by_distance = np.argsort(np.linalg.norm(points[:, 0] - query, axis=0))
    by_cosine = np.argsort(-(unit[:, 0] * unit[:, 0, :1]).sum(0))
    np.testing.assert_array_equal(by_distance[:10], by_cosine[:10])


def sample_of(matches):
    """One pair of 32x32 images whose object fills the left half of the second."""
    instance_map = torch.zeros(2, 8, 8, dtype=torch.int64)
    instance_map[:, :, :4] = 1
    uv = torch.tensor([[4.0, 4.0], [12.0, 20.0]])[:matches]
    return {
        'rgb': torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
        'instance_map': instance_map,
        'uv': torch.stack([uv, uv]),
        'match_uv': uv,
        'matched': torch.ones(matches, dtype=torch.bool),
    }


def test_a_collapse_costs_the_squared_margin_on_the_object_and_off_it():
    loss = pair_loss(torch.zeros(2, 3, 4, 4), sample_of(2), torch.Generator().manual_seed(0))
    assert float(loss) == pytest.approx(2 * 0.25, rel=1e-4)


def test_descriptors_that_tell_every_cell_apart_cost_nothing():
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing='ij')
    apart = torch.stack([rows, columns, 0 * rows]).expand(2, 3, 4, 4) * 5
    loss = pair_loss(apart, sample_of(2), torch.Generator().manual_seed(0))
    assert float(loss) == pytest.approx(0, abs=1e-6)


def test_a_pair_without_matches_is_a_differentiable_zero():
    descriptors = torch.zeros(2, 3, 4, 4, requires_grad=True)
    pair_loss(descriptors, sample_of(0), torch.Generator().manual_seed(0)).backward()
    assert descriptors.grad.abs().max() == 0


def test_it_trains_and_its_weights_give_descriptors(tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'STEPS', 2)
    data = write_tiny_bop(tmp_path / 'tiny')
    out = tmp_path / 'don.safetensors'
    monkeypatch.setattr(module, 'MATCH_ATTEMPTS', 200)
    train(DenseObjectNetsConfig(data, out, split='test', minutes=1, workers=0))
    view = open_bop(data, 'test').views[0]
    descriptors = dense_object_nets(out)(view)
    assert descriptors.shape == (4, 15, 20)
    assert np.isfinite(descriptors).all()


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r'missing\.safetensors'):
        dense_object_nets(tmp_path / 'missing.safetensors')
