import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import default_collate
from univip_pictures import Pictures, objective_of

from dense_descriptor_ros.training.objectives import univip
from dense_descriptor_ros.training.objectives.univip import spread, target_momentum

TERMS = ('scene_scene', 'scene_instance', 'instance_instance')


def batch_of(count=4, source=None, **settings):
    items = objective_of(**settings).items(source or Pictures(), seed=0)
    return default_collate([items[k] for k in range(count)])


def random_batch(seed, count=4, instances=4):
    generator = torch.Generator().manual_seed(seed)
    return {
        'scenes': torch.randint(0, 256, (count, 2, 3, 64, 64), dtype=torch.uint8, generator=generator),
        'instances': torch.randint(
            0, 256, (count, 2, instances, 3, 32, 32), dtype=torch.uint8, generator=generator
        ),
    }


def assert_finite(losses):
    for name, value in losses.items():
        assert value.shape == () and value.dtype == torch.float32 and torch.isfinite(value), name


def trainable(objective):
    return {name for name, parameter in objective.named_parameters() if parameter.requires_grad}


# The network


def test_every_trainable_parameter_is_there_before_the_first_batch_and_is_trained():
    # A projector that is built by the first batch is one that the optimiser has never heard of.
    objective = objective_of()
    before = dict(objective.named_parameters())
    names = trainable(objective)
    objective.losses(random_batch(0))['total'].backward()
    after = dict(objective.named_parameters())
    assert before.keys() == after.keys() and all(before[name] is after[name] for name in before)
    assert trainable(objective) == names
    assert {name.split('.')[0] for name in names} == {'encoder', 'projector', 'predictor', 'joined'}
    assert {name for name in names if after[name].grad is None} == set()


def test_the_target_begins_as_the_network_and_gets_no_gradient():
    objective = objective_of()
    for ours, theirs in (
        (objective.encoder, objective.target_encoder),
        (objective.projector, objective.target_projector),
    ):
        for name, parameter in ours.named_parameters():
            assert torch.equal(parameter, theirs.get_parameter(name))
    objective.losses(random_batch(0))['total'].backward()
    frozen = [p for name, p in objective.named_parameters() if name.startswith('target_')]
    assert len(frozen) > 50
    assert all(p.grad is None and not p.requires_grad for p in frozen)


def test_the_target_moves_by_exactly_the_moving_average():
    objective = objective_of()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.copy_(torch.randn_like(parameter))
    before = copy.deepcopy(objective)
    objective.after_step(0.25)
    keep = 1 - 0.01 * (math.cos(math.pi / 4) + 1) / 2
    for ours, theirs in (('encoder', 'target_encoder'), ('projector', 'target_projector')):
        for name, source in before.get_submodule(ours).named_parameters():
            old = before.get_submodule(theirs).get_parameter(name)
            new = objective.get_submodule(theirs).get_parameter(name)
            expected = keep * old.double() + (1 - keep) * source.double()
            torch.testing.assert_close(new.double(), expected, atol=1e-6, rtol=1e-6)
            assert torch.equal(source, objective.get_submodule(ours).get_parameter(name))


def test_the_target_slows_down_by_a_cosine_until_it_stands():
    assert target_momentum(0.0, 0.99) == pytest.approx(0.99)
    assert target_momentum(0.5, 0.99) == pytest.approx(0.995)
    assert target_momentum(1.0, 0.99) == 1.0
    objective = objective_of()
    before = copy.deepcopy(objective.target_encoder.state_dict())
    with torch.no_grad():
        for parameter in objective.encoder.parameters():
            parameter.add_(1)
    objective.after_step(1.0)
    for name, value in objective.target_encoder.state_dict().items():
        assert torch.equal(value, before[name])


# The losses


def test_the_terms_are_those_of_the_formulas():
    objective = objective_of(scene_scene=0.5, scene_instance=2.0, instance_instance=3.0).eval()
    batch = random_batch(0)
    with torch.no_grad():
        losses = objective.losses(batch)
        first, second = (
            univip.global_features(objective.encoder, batch['scenes'][:, view]) for view in range(2)
        )
        online = [objective.predictor(objective.projector(f)) for f in (first, second)]
        target = [objective.target_projector(f) for f in (first, second)]  # still the network itself
        crops = batch['instances'][:, 0].flatten(0, 1)
        seen = objective.predictor(objective.projector(univip.global_features(objective.encoder, crops)))
        joined = objective.joined(seen.reshape(4, 4 * 16))

    def byol(a, b):
        return float((F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean())

    scene = byol(online[0], target[1]) + byol(online[1], target[0])
    part = byol(joined, target[0]) + byol(joined, target[1])
    assert float(losses['scene_scene']) == pytest.approx(scene, rel=1e-4)
    assert float(losses['scene_instance']) == pytest.approx(part, rel=1e-4)
    total = 0.5 * scene + 2 * part + 3 * float(losses['instance_instance'])
    assert float(losses['total']) == pytest.approx(total, rel=1e-4)


def test_instances_are_compared_within_their_own_image():
    objective = objective_of().eval()
    batch = random_batch(0)
    with torch.no_grad():
        together = objective.losses(batch)
        apart = [objective.losses({k: v[i : i + 1] for k, v in batch.items()}) for i in range(4)]
    for name in TERMS:
        mean = sum(float(losses[name]) for losses in apart) / 4
        assert float(together[name]) == pytest.approx(mean, rel=1e-3)


def test_a_term_without_weight_moves_nothing():
    objective = objective_of(scene_instance=0.0, instance_instance=0.0)
    losses = objective.losses(random_batch(0))
    losses['total'].backward()
    assert torch.equal(losses['total'], losses['scene_scene'])
    assert float(objective.joined.weight.grad.abs().max()) == 0


@pytest.mark.parametrize('name', TERMS)
def test_every_term_reaches_the_encoder(name):
    objective = objective_of()
    objective.losses(random_batch(0))[name].backward()
    assert float(objective.encoder.backbone.conv1.weight.grad.norm()) > 0


def test_depth_is_left_out():
    channels = []
    objective = objective_of()
    objective.encoder.register_forward_pre_hook(lambda module, inputs: channels.append(inputs[0]))
    objective.losses(random_batch(0))
    assert len(channels) == 2 and all(c.shape[1] == 9 for c in channels)
    assert all(float(c[:, 3:].abs().max()) == 0 for c in channels)


def test_spread_is_nought_for_a_collapse_and_one_over_the_root_of_the_width_for_noise():
    assert float(spread(torch.ones(8, 64))) == pytest.approx(0, abs=1e-6)
    assert float(spread(5 * torch.ones(8, 1) * torch.rand(1, 64))) == pytest.approx(0, abs=1e-6)
    noise = torch.randn(4000, 64, generator=torch.Generator().manual_seed(0))
    assert float(spread(noise)) == pytest.approx(1 / 8, rel=0.02)


def test_heads_of_zero_give_finite_losses_and_gradients():
    # The cosine of a vector of length 0.
    objective = objective_of()
    with torch.no_grad():
        for head in (objective.predictor, objective.joined, objective.target_projector):
            for parameter in head.parameters():
                parameter.zero_()
    losses = objective.losses(random_batch(0))
    assert_finite(losses)
    losses['total'].backward()
    assert all(torch.isfinite(p.grad).all() for p in objective.parameters() if p.grad is not None)


BATCHES = {
    'an ordinary one': random_batch(0),
    'one image': random_batch(0, count=1),
    'black': {name: torch.zeros_like(value) for name, value in random_batch(0).items()},
    'white, one image': {name: torch.full_like(v, 255) for name, v in random_batch(0, 1).items()},
    'the same image': {name: value[:1].repeat_interleave(4, 0) for name, value in random_batch(0).items()},
    'one instance': {
        'scenes': random_batch(0)['scenes'],
        'instances': random_batch(0)['instances'][:, :, :1].repeat(1, 1, 4, 1, 1, 1),
    },
}


@pytest.mark.parametrize('name', BATCHES)
def test_ordinary_and_degenerate_batches_give_finite_losses_and_gradients_under_bfloat16(name):
    objective = objective_of()
    with torch.autocast('cpu', torch.bfloat16):
        losses = objective.losses(BATCHES[name])
    assert_finite(losses)
    losses['total'].backward()
    assert all(torch.isfinite(p.grad).all() for p in objective.parameters() if p.grad is not None)


def test_constant_images_of_a_source_train_as_well():
    assert_finite(objective_of().losses(batch_of(2, Pictures(contrast=0.0))))
    assert_finite(objective_of().losses(batch_of(2, Pictures(labelled=False, contrast=0.0))))


def train(objective, batches):
    """Totals of one step of SGD on each batch, as the trainer does them."""
    parameters = [p for p in objective.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(parameters, 0.05, momentum=0.9, weight_decay=1e-4)
    totals = []
    for step, batch in enumerate(batches):
        with torch.autocast('cpu', torch.bfloat16):
            losses = objective.losses(batch)
        assert_finite(losses)
        optimiser.zero_grad()
        losses['total'].backward()
        optimiser.step()
        objective.after_step(step / len(batches))
        totals.append(float(losses['total'].detach()))
    return totals


def test_losses_and_weights_stay_finite_over_thirty_steps_on_random_images():
    objective = objective_of()
    train(objective, [random_batch(step, count=2) for step in range(30)])
    assert all(torch.isfinite(value).all() for value in objective.state_dict().values())


def test_the_loss_of_a_batch_falls_with_training():
    totals = train(objective_of(), [batch_of()] * 8)
    assert np.mean(totals[-2:]) < 0.75 * totals[0]


def test_validation_scores_held_out_images_and_changes_nothing():
    objective = objective_of().eval()
    before = copy.deepcopy(objective.state_dict())
    result = objective.validation(Pictures(), 3)
    assert result.score == -result.metrics['loss/total']
    assert set(result.metrics) == {f'loss/{name}' for name in (*TERMS, 'total', 'spread')}
    assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
