import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from lightly.loss import NTXentLoss
from short_video import Video
from torch.utils.data import default_collate

from dense_descriptor_ros.checkpoint import SHIPPED
from dense_descriptor_ros.errors import CheckpointError, ConfigError
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.encoder import input_channels
from dense_descriptor_ros.training.objectives.loading import load_objective
from dense_descriptor_ros.training.objectives.saved import load_saved
from dense_descriptor_ros.training.objectives.setcon import SetCon, SetConConfig, Transition

MODEL = ModelConfig(descriptor_dim=4, pyramid_channels=16, head_channels=16, last_stage_channels=32)
SMALL = SetConConfig(slots=3, slot_width=16, hidden=24, gap=2, size_px=64)


def setcon(seed=0):
    torch.manual_seed(seed)
    return SetCon(SMALL, MODEL)


def batch_of(count=3, lengths=(7, 7, 7)):
    return default_collate([setcon().items(Video(lengths), 0)[k] for k in range(count)])


def channels(count=2, seed=0):
    return torch.randn(count, 9, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_nt_xent_equals_a_loop_with_the_diagonal_left_out():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(4, 6, generator=generator) for _ in range(2))
    both = [x / x.norm() for x in torch.cat([a, b])]
    total = 0.0
    for i, x in enumerate(both):
        others = [math.exp(float(x @ y) / 0.5) for j, y in enumerate(both) if j != i]
        total -= math.log(math.exp(float(x @ both[(i + 4) % 8]) / 0.5) / sum(others))
    assert float(NTXentLoss(0.5)(a, b)) == pytest.approx(total / 8, rel=1e-5)


@pytest.mark.parametrize('count', [1, 2, 5])
def test_equal_sets_cost_the_log_of_the_candidates(count):
    objective = setcon().eval()
    item = objective.items(Video([9]), 0)[0]
    with torch.no_grad():
        objective.transition.change[-1].weight.zero_()
        objective.transition.change[-1].bias.zero_()
    still = {name: values[:1].expand_as(values) for name, values in item.items()}
    losses = objective.losses(default_collate([still] * count))
    assert float(losses['total'].detach()) == pytest.approx(math.log(2 * count - 1), abs=1e-5)
    assert float(losses['spread']) == pytest.approx(0, abs=1e-5)


def test_one_triple_alone_is_a_differentiable_zero():
    objective = setcon()
    losses = objective.losses(batch_of(1))
    losses['total'].backward()
    assert float(losses['total'].detach()) == 0
    assert all(torch.isfinite(p.grad).all() for p in objective.parameters() if p.grad is not None)


def test_a_transition_adds_its_change_to_where_the_slots_are():
    transition = Transition(2, 4)
    earlier, now = torch.tensor([[[1.0, 2]]]), torch.tensor([[[3.0, 5]]])
    seen = []
    transition.change.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    transition.change.register_forward_hook(lambda *_: torch.tensor([[[10.0, 20]]]))
    assert transition(earlier, now).tolist() == [[[13, 25]]]
    assert seen[0].tolist() == [[[1, 2, 3, 5, 2, 3]]]


def test_the_last_frame_is_predicted_from_the_two_before():
    objective, batch = setcon().eval(), batch_of(2)
    slots = {}
    objective.transition.register_forward_pre_hook(lambda _, inputs: slots.update(inputs=inputs))
    objective.losses(batch)
    for place, found in enumerate(slots['inputs']):
        frames = {name: values[:, place] for name, values in batch.items()}
        alone = objective.slots(input_channels(frames['rgb'], frames['depth_m'], frames['K']))
        torch.testing.assert_close(found, alone, rtol=1e-3, atol=1e-4)


def test_gradients_reach_all_that_makes_the_slots_and_nothing_deeper():
    objective = setcon()
    objective.losses(batch_of())['total'].backward()
    unseen = ('encoder.backbone.layer3', 'encoder.backbone.layer4')
    for name, parameter in objective.named_parameters():
        if name.startswith(unseen):
            assert parameter.grad is None, name
        else:
            assert float(parameter.grad.abs().sum()) > 0, name


def test_losses_are_the_same_under_autocast_for_all_that_follows_the_encoder():
    objective, batch = setcon().eval(), batch_of()
    with torch.autocast('cpu', torch.bfloat16):
        losses = objective.losses(batch)
    assert losses['total'].dtype == torch.float32
    assert float(losses['total'].detach()) == pytest.approx(
        float(objective.losses(batch)['total'].detach()), rel=0.02
    )


def test_a_few_steps_learn_to_tell_scenes_apart():
    objective, batch = setcon(), batch_of(3)
    optimiser = torch.optim.Adam(objective.parameters(), 1e-3)
    first = objective.losses(batch)
    for _ in range(15):
        losses = objective.losses(batch)
        optimiser.zero_grad()
        losses['total'].backward()
        optimiser.step()
    assert float(first['total'].detach()) > 1.3
    assert float(losses['total'].detach()) < 0.5
    assert float(losses['accuracy']) == 1
    assert float(losses['spread']) > 0.5


def test_masks_sum_to_one_over_the_slots_at_stride_8():
    masks = setcon().eval().masks(channels())
    assert masks.shape == (2, 3, 8, 8)
    torch.testing.assert_close(masks.sum(1), torch.ones(2, 8, 8))


def test_permuted_learned_slots_give_permuted_slots_and_the_same_loss():
    objective, batch = setcon().eval(), batch_of()
    order = torch.tensor([2, 0, 1])
    slots, masks, total = objective.slots(channels()), objective.masks(channels()), objective.losses(batch)
    objective.initial_slots.data = objective.initial_slots.data[order]
    torch.testing.assert_close(objective.slots(channels()), slots[:, order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(objective.masks(channels()), masks[:, order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(objective.losses(batch)['total'], total['total'], rtol=1e-4, atol=1e-5)


def test_descriptors_are_unit_vectors_of_the_trained_stages():
    objective = setcon().eval()
    descriptors = objective.descriptors(channels())
    assert descriptors.shape == (2, 64 + 128, 16, 16)
    torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(2, 16, 16))
    for parameter in objective.encoder.backbone.layer3.parameters():
        parameter.data.normal_()
    torch.testing.assert_close(objective.descriptors(channels()), descriptors)


def test_validation_draws_the_slots_and_changes_no_weights():
    objective = setcon().eval()
    before = {name: tensor.clone() for name, tensor in objective.state_dict().items()}
    result = objective.validation(Video(), 2)
    assert result.score == -result.metrics['loss/total']
    assert result.pictures['slots'].shape == (2 * 64, 4 * 64, 3)
    assert result.pictures['slots'].dtype == np.uint8
    assert all(torch.equal(before[name], tensor) for name, tensor in objective.state_dict().items())


def test_a_saved_objective_comes_back_whole(tmp_path):
    objective = setcon().eval()
    path = tmp_path / 'run' / 'last.safetensors'
    objective.save(path, {'step': 7}, {'loss/total': 0.5})
    again = load_objective(path)
    assert again.config == SMALL
    assert not again.training
    assert torch.equal(again.slots(channels()), objective.slots(channels()))
    saved = load_saved(path)
    assert (saved.provenance, saved.metrics) == ({'step': 7}, {'loss/total': 0.5})
    assert torch.equal(saved.encoder()(channels())['stride32'], objective.encoder(channels())['stride32'])


def test_files_that_hold_no_objective_are_refused(tmp_path):
    objective, path = setcon(), tmp_path / 'x.safetensors'
    with pytest.raises(CheckpointError, match='not a readable'):
        load_objective(path)
    path.write_bytes(b'half of a file')
    with pytest.raises(CheckpointError, match='not a readable'):
        load_objective(path)
    with pytest.raises(CheckpointError, match='holds no objective'):
        load_objective(SHIPPED)
    objective.config = SetConConfig(name='other')
    objective.save(path, {}, {})
    with pytest.raises(CheckpointError, match="'other'"):
        load_objective(path)
    objective.config = SetConConfig(slots=4, slot_width=16, hidden=24)
    objective.save(path, {}, {})
    with pytest.raises(CheckpointError, match='initial_slots'):
        load_objective(path)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('slots', 0),
        ('gap', 0),
        ('temperature', -0.5),
        ('size_px', 100),
        ('size_px', 0),
        ('smallest_crop', 0.0),
        ('mirror', 1.5),
        ('jitter', 1.0),
    ],
)
def test_settings_outside_their_range_are_refused(key, value):
    with pytest.raises(ConfigError, match=f'objective.{key} is {value}'):
        SetConConfig(**{key: value})


def test_the_configuration_file_has_every_key_and_its_default():
    path = Path(__file__).parents[2] / 'training' / 'config' / 'objective' / 'setcon.yaml'
    values = yaml.safe_load(path.read_text())['objective']
    assert SetConConfig(**values) == SetConConfig()
    assert set(values) == set(SetConConfig.__dataclass_fields__)
