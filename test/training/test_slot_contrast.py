import math
from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from lightly.loss import NegativeCosineSimilarity, NTXentLoss
from pytorch_metric_learning.losses import NTXentLoss as MetricNTXentLoss

from dense_descriptor_ros.training.losses.slot_contrast import (
    aligned,
    ctr,
    ctr_all,
    ctr_img,
    match,
    sim,
    sim_img,
)

T = 0.1
OBJECT_LOSSES = {
    'ctr_all': lambda a, b: ctr_all(a, b, T),
    'ctr_img': lambda a, b: ctr_img(a, b, T),
    'sim_img': sim_img,
}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def views(noise=0.05):
    """Slots (3, 5, 8) of two views: the second's are the first's, a little changed, in another order."""
    a = random(3, 5, 8)
    orders = torch.tensor([[4, 2, 0, 1, 3], [0, 1, 2, 4, 3], [1, 2, 3, 4, 0]])
    b = a.gather(1, orders[..., None].expand_as(a)) + noise * random(3, 5, 8, seed=1)
    return a, b, orders


def naive_nt_xent(a, b):
    vectors = F.normalize(torch.cat([a, b]), dim=1)
    total = 0.0
    for i in range(len(vectors)):
        positive = (i + len(a)) % len(vectors)
        exponentials = [math.exp(float(vectors[i] @ v) / T) for k, v in enumerate(vectors) if k != i]
        total -= math.log(math.exp(float(vectors[i] @ vectors[positive]) / T) / sum(exponentials))
    return total / len(vectors)


def test_ctr_equals_a_loop_and_two_libraries():
    a, b = random(7, 5), random(7, 5, seed=1)
    loss = float(ctr(a, b, T))
    assert loss == pytest.approx(naive_nt_xent(a, b), abs=1e-9)
    assert loss == pytest.approx(float(NTXentLoss(T)(a, b)), abs=1e-6)
    labels = torch.arange(7).repeat(2)
    assert loss == pytest.approx(float(MetricNTXentLoss(T)(torch.cat([a, b]), labels)), abs=1e-6)


def test_sim_equals_a_library():
    a, b = random(7, 5), random(7, 5, seed=1)
    assert float(sim(a, b)) == pytest.approx((1 + float(NegativeCosineSimilarity()(a, b))) / 2, abs=1e-9)


def test_sim_is_zero_for_one_direction_and_one_for_the_opposite():
    a = random(7, 5)
    assert float(sim(a, 3 * a)) == pytest.approx(0, abs=1e-9)
    assert float(sim(a, -a)) == pytest.approx(1, abs=1e-9)


def test_object_losses_equal_loops_over_matched_slots():
    a, b, _ = views(noise=0.5)
    matched = torch.stack([best_order(x, y) for x, y in zip(a, b, strict=True)])
    by_image = [naive_nt_xent(x, y) for x, y in zip(a, matched, strict=True)]
    assert float(ctr_img(a, b, T)) == pytest.approx(sum(by_image) / 3, abs=1e-9)
    in_batch = naive_nt_xent(a.flatten(0, 1), matched.flatten(0, 1))
    assert float(ctr_all(a, b, T)) == pytest.approx(in_batch, abs=1e-9)
    cosines = F.cosine_similarity(a, matched, dim=-1)
    assert float(sim_img(a, b)) == pytest.approx(float((1 - cosines).mean() / 2), abs=1e-9)


def best_order(a, b):
    """The slots `b` (S, D) in the order, of all there are, with the largest sum of cosines with `a`."""
    orders = [list(order) for order in permutations(range(len(b)))]
    sums = [float(F.cosine_similarity(a, b[order], dim=-1).sum()) for order in orders]
    return b[orders[sums.index(max(sums))]]


def test_matching_finds_a_known_permutation():
    a, b, orders = views()
    assert torch.equal(match(a, b), orders.argsort(1))
    assert torch.allclose(aligned(a, b), a, atol=0.3)


def test_matching_is_one_to_one_where_the_nearest_slot_is_not():
    # Both slots of the first view look like slot 0 of the second; the second one has more to lose.
    a = torch.tensor([[[1.0, 0.1], [1.0, 0.0]]])
    b = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    assert match(a, b).tolist() == [[1, 0]]


@pytest.mark.parametrize('name', OBJECT_LOSSES)
def test_the_order_of_one_views_slots_does_not_matter(name):
    loss, (a, b, _) = OBJECT_LOSSES[name], views(noise=0.5)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert float(loss(a, b[:, order])) == pytest.approx(float(loss(a, b)), abs=1e-9)
    assert float(loss(a[:, order], b)) == pytest.approx(float(loss(a, b)), abs=1e-9)


def test_a_collapse_costs_the_log_of_the_candidates():
    same = torch.ones(3, 5, 8, dtype=torch.float64)
    assert float(ctr(same[:, 0], same[:, 0], T)) == pytest.approx(math.log(2 * 3 - 1))
    assert float(ctr_img(same, same, T)) == pytest.approx(math.log(2 * 5 - 1))
    assert float(ctr_all(same, same, T)) == pytest.approx(math.log(2 * 3 * 5 - 1))


def test_images_of_equal_slots_are_told_apart_by_the_batch_alone():
    # Each image has five equal slots, unlike other images': a pair teaches nothing, the batch the images.
    slots = torch.eye(3, 8, dtype=torch.float64)[:, None].expand(3, 5, 8)
    assert float(ctr_img(slots, slots, T)) == pytest.approx(math.log(2 * 5 - 1))
    # 9 slots of the image itself at cosine 1, 20 of the others at 0.
    expected = math.log(9 + 20 * math.exp(-1 / T))
    assert float(ctr_all(slots, slots, T)) == pytest.approx(expected)


@pytest.mark.parametrize('name', OBJECT_LOSSES)
def test_slots_that_are_orthogonal_and_the_same_in_both_views_cost_almost_nothing(name):
    slots = torch.eye(15, dtype=torch.float64).view(3, 5, 15)
    assert float(OBJECT_LOSSES[name](slots, slots)) < 2 * 15 * math.exp(-1 / T)


def test_the_target_of_sim_takes_no_gradient():
    a, target = random(4, 5).requires_grad_(), random(4, 5, seed=1).requires_grad_()
    sim(a, target).backward()
    assert a.grad.abs().min() > 0
    assert target.grad is None


def test_sim_img_moves_each_view_towards_the_other_as_it_stands():
    a, b, _ = views()
    a, b = a.requires_grad_(), b.requires_grad_()
    sim_img(a, b).backward()
    with torch.no_grad():
        matched = aligned(a, b)
    alone = a.detach().clone().requires_grad_()
    (sim(alone, matched) / 2).backward()
    assert torch.allclose(a.grad, alone.grad)
    assert b.grad.abs().max() > 0


@pytest.mark.parametrize('name', ['ctr_all', 'ctr_img'])
def test_contrast_has_the_gradient_of_finite_differences(name):
    a, b = (x[:2, :3].clone().requires_grad_() for x in views()[:2])
    assert torch.autograd.gradcheck(OBJECT_LOSSES[name], (a, b))


def test_one_pair_has_nothing_to_be_told_from():
    a = random(1, 4).requires_grad_()
    loss = ctr(a, random(1, 4, seed=1), T)
    loss.backward()
    assert float(loss.detach()) == 0
    assert a.grad.isfinite().all()


@pytest.mark.parametrize('name', OBJECT_LOSSES)
def test_zero_slots_have_finite_gradients(name):
    a, b = torch.zeros(2, 3, 4, requires_grad=True), torch.zeros(2, 3, 4, requires_grad=True)
    OBJECT_LOSSES[name](a, b).backward()
    assert a.grad.isfinite().all() and b.grad.isfinite().all()


@pytest.mark.parametrize('name', OBJECT_LOSSES)
def test_slots_that_are_not_finite_give_a_loss_that_is_not(name):
    a, b, _ = views()
    a[0, 0] = float('nan')
    assert OBJECT_LOSSES[name](a, b).isnan()
