import numpy as np
import ot
import pytest
import torch
import torch.nn.functional as F

from dense_descriptor_ros.training.losses.instance_transport import (
    ENTROPY,
    FLOOR,
    TOLERANCE,
    instance_transport,
    marginals,
    transport_plan,
)


def features(seed, images=3, instances=4, dimensions=16, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images, instances, dimensions, generator=generator, dtype=dtype)


def scene(seed, dtype=torch.float64):
    return features(seed, dtype=dtype).mean(1)


def cost_of(a, b):
    return 1 - F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).transpose(1, 2)


def naive_sinkhorn(cost, rows, columns, iterations=5000):
    """Sinkhorn on the kernel itself, in numpy: columns, then rows."""
    kernel = np.exp(-cost / ENTROPY)
    u = np.ones(len(rows))
    for _ in range(iterations):
        v = columns / (kernel.T @ u)
        u = rows / (kernel @ v)
    return u[:, None] * kernel * v[None]


def test_the_plan_has_the_marginals_to_a_millionth():
    online, target = features(0), features(1)
    rows, columns = marginals(online, scene(2)), marginals(target, scene(3))
    plan = transport_plan(cost_of(online, target), rows, columns, tolerance=1e-7)
    torch.testing.assert_close(plan.sum(2), rows, atol=1e-6, rtol=0)
    torch.testing.assert_close(plan.sum(1), columns, atol=1e-6, rtol=0)
    assert (plan > 0).all()


def test_the_plan_is_that_of_pot_and_of_a_loop_in_numpy():
    online, target = features(0), features(1)
    rows, columns = marginals(online, scene(2)), marginals(target, scene(3))
    cost = cost_of(online, target)
    plan = transport_plan(cost, rows, columns, tolerance=1e-10).numpy()
    for b in range(len(plan)):
        a_b, b_b, cost_b = rows[b].numpy(), columns[b].numpy(), cost[b].numpy()
        single = ot.sinkhorn(
            a_b, b_b, cost_b, ENTROPY, method='sinkhorn_log', numItermax=10_000, stopThr=1e-10
        )
        np.testing.assert_allclose(plan[b], single, atol=1e-9)
        np.testing.assert_allclose(plan[b], naive_sinkhorn(cost_b, a_b, b_b), atol=1e-9)


def test_float32_reaches_its_tolerance_where_50_iterations_do_not():
    # Of 400 random sets this one converges most slowly.
    online, target = features(272, 1, 4, 8, torch.float32), features(1272, 1, 4, 8, torch.float32)
    rows, columns = marginals(online, target.mean(1)), marginals(target, online.mean(1))
    cost = cost_of(online, target)
    short = naive_sinkhorn(cost[0].double().numpy(), rows[0].numpy(), columns[0].numpy(), 50)
    assert np.abs(short.sum(0) - columns[0].numpy()).max() > 1e-3
    plan = transport_plan(cost, rows, columns)
    assert plan.dtype == torch.float32
    assert float((plan.sum(2) - rows).norm()) < 1.1 * TOLERANCE
    assert float((plan.sum(1) - columns).norm()) < 1.1 * TOLERANCE


def test_marginals_are_the_agreement_with_the_scene():
    towards = torch.eye(4, dtype=torch.float64)[:1]
    given = torch.tensor([[[3.0, 9, 0, 0], [1, 0, 9, 0], [4, 0, 0, -9]]], dtype=torch.float64)
    torch.testing.assert_close(
        marginals(given, towards), torch.tensor([[3 / 8, 1 / 8, 4 / 8]], dtype=torch.float64)
    )


@pytest.mark.parametrize('scale', [1e-18, 1.0, 1e15])
def test_both_marginals_have_the_same_mass_whatever_the_features(scale):
    # Of unequal masses no plan exists: the reproduction's diverged.
    online, target = scale * features(0, dtype=torch.float32), features(1, dtype=torch.float32)
    for share in (
        marginals(online, scene(2, torch.float32)),
        marginals(target, scale * scene(3, torch.float32)),
    ):
        torch.testing.assert_close(share.sum(1), torch.ones(3), atol=1e-6, rtol=0)
        assert (share >= FLOOR / (1 + 4 * FLOOR)).all()


def test_an_instance_against_the_scene_keeps_the_floor():
    given = torch.tensor([[[1.0, 0], [-5, 0]]], dtype=torch.float64)
    share = marginals(given, torch.tensor([[1.0, 0]], dtype=torch.float64))
    expected = torch.tensor([[1, FLOOR]], dtype=torch.float64) / (1 + FLOOR)
    torch.testing.assert_close(share, expected)


def test_marginals_are_uniform_where_no_instance_agrees():
    against = -torch.ones(2, 4, 3)
    torch.testing.assert_close(marginals(against, torch.ones(2, 3)), torch.full((2, 4), 0.25))
    torch.testing.assert_close(marginals(torch.zeros(2, 4, 3), torch.ones(2, 3)), torch.full((2, 4), 0.25))


def test_equal_features_cost_nothing_and_opposite_ones_two():
    same = torch.ones(2, 4, 8, dtype=torch.float64)
    mean = same.mean(1)
    assert float(instance_transport(same, same, mean, mean)) == pytest.approx(0, abs=1e-9)
    assert float(instance_transport(same, -same, mean, mean)) == pytest.approx(2, rel=1e-9)


def test_a_permutation_of_the_targets_changes_nothing():
    online, target = features(0), features(1)
    loss = instance_transport(online, target, scene(2), scene(3))
    permuted = instance_transport(online, target[:, [2, 0, 3, 1]], scene(2), scene(3))
    assert float(permuted) == pytest.approx(float(loss), rel=1e-5)


def test_the_plan_finds_the_partners():
    target = torch.eye(4, dtype=torch.float64)[None] + 0.01
    order = [2, 0, 3, 1]
    plan = transport_plan(cost_of(target[:, order], target), *[torch.full((1, 4), 0.25).double()] * 2)
    assert plan[0].argmax(1).tolist() == order


def test_the_gradient_is_that_of_the_cost_with_the_plan_held_fixed():
    online, target = features(0).requires_grad_(), features(1)
    instance_transport(online, target, scene(2), scene(3)).backward()
    held = features(0).requires_grad_()
    plan = transport_plan(cost_of(held, target), marginals(held, scene(3)), marginals(target, scene(2)))
    (plan * cost_of(held, target)).sum((1, 2)).mean().backward()
    torch.testing.assert_close(online.grad, held.grad, atol=1e-9, rtol=1e-5)
    assert float(online.grad.norm()) > 0.01


def test_no_gradient_reaches_the_scene_features():
    scenes = [scene(2).requires_grad_(), scene(3).requires_grad_()]
    instance_transport(features(0).requires_grad_(), features(1), *scenes).backward()
    assert scenes[0].grad is None and scenes[1].grad is None


DEGENERATE = {
    'zero': torch.zeros(2, 4, 8),
    'one zero': torch.cat([torch.zeros(2, 1, 8), torch.ones(2, 3, 8)], 1),
    'tiny': torch.full((2, 4, 8), 1e-30),
    'huge': torch.full((2, 4, 8), 1e15),
    'equal': torch.ones(2, 4, 8),
    'opposite': torch.ones(2, 4, 8) * torch.tensor([1.0, -1, 1, -1])[:, None],
}


@pytest.mark.parametrize('ours', DEGENERATE)
@pytest.mark.parametrize('theirs', DEGENERATE)
def test_degenerate_features_give_a_finite_loss_and_gradient(ours, theirs):
    online, target = DEGENERATE[ours].clone().requires_grad_(), DEGENERATE[theirs]
    loss = instance_transport(online, target, online.detach().mean(1), target.mean(1))
    loss.backward()
    assert 0 - 1e-5 <= float(loss.detach()) <= 2 + 1e-5
    assert torch.isfinite(online.grad).all()


def test_a_single_instance_is_moved_whole():
    online, target = features(0, instances=1), features(1, instances=1)
    loss = instance_transport(online, target, online.mean(1), target.mean(1))
    assert float(loss) == pytest.approx(float(cost_of(online, target).mean()), rel=1e-9)
