import math

import pytest
import torch
from perfect_votes import perfect_output

from dense_descriptor_ros.model import STRIDE, ModelOutput
from dense_descriptor_ros.training.losses.votes import instance_weights, vote_losses
from dense_descriptor_ros.votes import cell_pixels

B, P, H, W = 2, 3, 32, 64
h, w = H // STRIDE, W // STRIDE
K = torch.tensor([[60.0, 0, 30], [0, 60, 16], [0, 0, 1]]).expand(B, 3, 3)


def scene(seed=0):
    """Depth, map and frames of two instances in two images."""
    generator = torch.Generator().manual_seed(seed)
    instance_map = torch.zeros(B, h, w, dtype=torch.int64)
    instance_map[:, 1:4, 2:6], instance_map[0, 4:7, 8:14] = 1, 2
    axes = torch.nn.functional.normalize(torch.randn(B, 2, P, 3, generator=generator), dim=-1)
    return {
        'depth_m': 0.6 + 0.2 * torch.rand(B, H, W, generator=generator),
        'true_depth_m': torch.full((B, h, w), 0.7),
        'K': K,
        'instance_map': instance_map,
        'origins_m': torch.randn(B, 2, P, 3, generator=generator) * 0.05 + torch.tensor([0, 0, 0.7]),
        'axes': axes,
        'visible': torch.ones(B, 2, P, dtype=torch.bool),
        'on_part': torch.ones(B, P, h, w, dtype=torch.bool),
    }


def random_output(seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator).requires_grad_()

    return ModelOutput(
        descriptors=draw(B, 4, h, w),
        object_logit=draw(B, h, w),
        on_part_logit=draw(B, P, h, w),
        offset_cells=draw(B, P, 3, h, w),
        log_spread=draw(B, P, h, w),
        axis=draw(B, P, 3, h, w),
    )


def test_the_truth_has_the_least_loss():
    # The output comes from a formula of its own, so this also ties what is learnt to what is decoded.
    truth = {key: value[:1] for key, value in scene().items()}
    truth['instance_map'] = torch.ones(1, h, w, dtype=torch.int64)
    args = (
        truth['depth_m'][0].numpy(),
        K[0].numpy(),
        truth['origins_m'][0, 0].numpy(),
        truth['axes'][0, 0].numpy(),
    )
    losses = vote_losses(perfect_output(*args), **truth)
    assert float(losses['axis']) == pytest.approx(0, abs=1e-5)
    assert float(losses['keypoint']) == pytest.approx(3 * math.log(2), abs=1e-2)


def test_losses_of_known_outputs():
    truth = scene()
    full = torch.zeros(B, P, h, w)
    output = ModelOutput(
        torch.zeros(B, 4, h, w),
        torch.zeros(B, h, w),
        full,
        torch.zeros(B, P, 3, h, w),
        full,
        torch.zeros(B, P, 3, h, w),
    )
    losses = vote_losses(output, **truth)
    assert float(losses['object']) == pytest.approx(math.log(2))
    assert float(losses['part']) == pytest.approx(math.log(2))
    assert float(losses['axis']) == pytest.approx(1)


def test_the_best_spread_is_a_third_of_the_error():
    # Of the 3-D Laplace likelihood e / s + 3 log s.
    truth = scene()
    log_spread = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([log_spread], 0.05)
    still = torch.zeros(B, P, 3, h, w)
    errors = []
    for _ in range(300):
        output = ModelOutput(
            torch.zeros(B, 4, h, w),
            torch.zeros(B, h, w),
            torch.zeros(B, P, h, w),
            still,
            log_spread.expand(B, P, h, w),
            still,
        )
        loss = vote_losses(output, **truth)['keypoint']
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(float((loss.detach() - 3 * log_spread.detach()) * log_spread.detach().exp()))
    assert float(log_spread.detach().exp()) == pytest.approx(errors[-1] / 3, rel=0.02)


def test_hidden_parts_and_unknown_depth_teach_nothing():
    truth = scene()
    truth['visible'][:, :, 1] = False
    truth['depth_m'][1] = 0
    truth['true_depth_m'][1] = 0
    output = random_output()
    losses = vote_losses(output, **truth)
    (losses['keypoint'] + losses['axis']).backward()
    assert output.axis.grad[:, 1].abs().max() == 0
    assert output.offset_cells.grad[:, 1].abs().max() == 0
    assert output.offset_cells.grad[1].abs().max() == 0
    assert output.offset_cells.grad[0, 0].abs().max() > 0
    assert output.axis.grad[1, 0].abs().max() > 0


def test_a_cell_without_measured_depth_votes_by_the_true_one():
    truth = scene()
    measured = vote_losses(random_output(), **truth)
    cells = cell_pixels(H, W)
    truth['true_depth_m'] = truth['depth_m'][:, cells[1], cells[0]]
    truth['depth_m'] = torch.zeros(B, H, W)
    torch.testing.assert_close(vote_losses(random_output(), **truth), measured)


def test_an_image_without_objects_still_teaches_the_background():
    truth = scene()
    truth['instance_map'].zero_()
    losses = vote_losses(random_output(), **truth)
    assert float(losses['object'].detach()) > 0
    assert [float(losses[name].detach()) for name in ('part', 'keypoint', 'axis')] == [0, 0, 0]


def test_instances_weigh_by_the_root_of_their_cells():
    instance_map = scene()['instance_map']
    b, i, j = torch.nonzero(instance_map > 0, as_tuple=True)
    weight = instance_weights(instance_map, b, i, j)
    second = (b == 0) & (instance_map[b, i, j] == 2)
    assert float(weight[second].sum()) == pytest.approx(math.sqrt(18))
    assert float(weight[b == 1].sum()) == pytest.approx(math.sqrt(12))
