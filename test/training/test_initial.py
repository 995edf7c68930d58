"""Beginning with the weights of another training."""

import pytest
import torch
from small_trainings import small_training
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.checkpoint import SHIPPED
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.initial import provenance_of
from dense_descriptor_ros.training.objectives.saved import load_saved
from dense_descriptor_ros.training.trainer import Trainer


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_tiny_bop(tmp_path_factory.mktemp('data'), views=3)


def test_the_deployed_network_begins_with_the_encoder_of_another_objective(data, tmp_path):
    first = Trainer(small_training('univip', data, tmp_path, 'seed=5'))
    path = tmp_path / 'univip.safetensors'
    first.objective.save(path, {'step': 7}, {})
    second = Trainer(small_training('dense_contrastive', data, tmp_path, f'init={path}'))
    expected = load_saved(path).encoder().state_dict()
    for name, value in second.objective.encoder.state_dict().items():
        torch.testing.assert_close(value, expected[name])
    assert second.provenance['begun_with'] == {'step': 7}


def test_another_backbone_is_refused(data, tmp_path):
    Trainer(small_training('univip', data, tmp_path)).objective.save(tmp_path / 'univip.safetensors', {}, {})
    with pytest.raises(ConfigError, match='last_stage_channels=64'):
        Trainer(
            small_training(
                'dense_contrastive', data, tmp_path, f'init={tmp_path}/univip.safetensors',
                'model.last_stage_channels=64',
            )
        )  # fmt: skip


def test_a_whole_network_fits_only_the_objective_that_trains_one(data, tmp_path):
    assert provenance_of(SHIPPED)['step'] > 0
    with pytest.raises(ConfigError, match='name the file of'):
        Trainer(small_training('univip', data, tmp_path, f'init={SHIPPED}'))
