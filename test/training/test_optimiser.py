"""Optimisers by name, over everything that takes a gradient."""

import pytest
import torch
from torch import nn

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.optimiser import OptimiserConfig, build_optimiser


@pytest.mark.parametrize(
    ('kind', 'expected'), [('adamw', torch.optim.AdamW), ('adam', torch.optim.Adam), ('sgd', torch.optim.SGD)]
)
def test_an_optimiser_has_every_parameter_that_takes_a_gradient(kind, expected):
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False))
    optimiser = build_optimiser(network, OptimiserConfig(kind=kind, learning_rate=0.5, weight_decay=0.25))
    assert type(optimiser) is expected
    assert optimiser.param_groups[0]['params'] == list(network[0].parameters())
    assert optimiser.param_groups[0]['lr'] == 0.5
    assert optimiser.param_groups[0]['weight_decay'] == 0.25


def test_momentum_is_that_of_sgd():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    config = OptimiserConfig(kind='sgd', learning_rate=1.0, weight_decay=0.0, momentum=0.5)
    optimiser = build_optimiser(network, config)
    for _ in range(2):
        network.weight.grad = torch.ones(1, 1)
        optimiser.step()
    assert network.weight.item() == pytest.approx(-(1 + 1.5))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'kind': 'lion'}, "kind is 'lion'"),
        ({'batch': 0}, 'batch is 0'),
        ({'accumulate': 0}, 'accumulate is 0'),
    ],
)
def test_settings_that_do_not_fit_are_named(change, message):
    with pytest.raises(ConfigError, match=message):
        OptimiserConfig(**change)
