import math

import pytest
import torch
import torch.nn.functional as F

from dense_descriptor_ros.training.losses.distributional import distributional
from dense_descriptor_ros.training.losses.pixel_margin import pixel_margin
from dense_descriptor_ros.training.losses.pixel_nce import pixel_nce
from dense_descriptor_ros.training.losses.surface_nce import surface_nce


def unit_rows(count, dimension, seed):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, dimension, generator=generator, dtype=torch.float64), dim=1)


def naive_nce(query, positive, mask, background, temperature):
    total = 0.0
    for i in range(len(query)):
        others = [
            math.exp(float(query[i] @ positive[j]) / temperature) for j in range(len(query)) if mask[i, j]
        ]
        others += [math.exp(float(query[i] @ b) / temperature) for b in background]
        own = math.exp(float(query[i] @ positive[i]) / temperature)
        total -= math.log(own / (own + sum(others)))
    return total / len(query)


def test_pixel_nce_equals_a_loop():
    query, positive, background = unit_rows(9, 5, 0), unit_rows(9, 5, 1), unit_rows(4, 5, 2)
    mask = torch.rand(9, 9, generator=torch.Generator().manual_seed(3)) > 0.4
    mask.fill_diagonal_(False)
    loss = pixel_nce(query, positive, mask, background, 0.1)
    assert float(loss) == pytest.approx(naive_nce(query, positive, mask, background, 0.1), rel=1e-9)


def test_equal_descriptors_cost_the_log_of_the_candidates():
    same = torch.ones(8, 4, dtype=torch.float64) / 2
    mask = ~torch.eye(8, dtype=torch.bool)
    assert float(pixel_nce(same, same, mask, same[:3], 0.07)) == pytest.approx(math.log(8 + 3))


def test_pixel_nce_of_nothing_is_a_differentiable_zero():
    query = torch.zeros(0, 4, requires_grad=True)
    loss = pixel_nce(query, query, torch.zeros(0, 0, dtype=torch.bool), torch.ones(3, 4), 0.1)
    loss.backward()
    assert float(loss.detach()) == 0


def test_pixel_nce_has_the_gradient_of_finite_differences():
    query, positive, background = (unit_rows(n, 3, n).requires_grad_() for n in (4, 4, 2))
    mask = ~torch.eye(4, dtype=torch.bool)
    assert torch.autograd.gradcheck(
        lambda *a: pixel_nce(a[0], a[1], mask, a[2], 0.5), (query, positive, background)
    )


def other_owner(owner):
    return owner[:, None] != owner[None]


def test_surface_nce_of_one_sharp_counterpart_is_the_plain_cross_entropy():
    # Two objects with three corresponding points each; a narrow Gaussian makes the target one-hot.
    coordinates = torch.tensor([[0.0], [1], [2], [0], [1], [2]], dtype=torch.float64)
    mask = other_owner(torch.tensor([1, 1, 1, 2, 2, 2]))
    descriptors, background = unit_rows(6, 4, 0), unit_rows(5, 4, 1)
    loss = surface_nce(descriptors, coordinates, mask, background, 0.2, bandwidth=0.05)
    logits = (
        torch.cat([(descriptors @ descriptors.T).masked_fill(~mask, -1e9), descriptors @ background.T], 1)
        / 0.2
    )
    expected = F.cross_entropy(logits, torch.tensor([3, 4, 5, 0, 1, 2]))
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_surface_nce_does_not_reward_a_collapse():
    coordinates = torch.tensor([[0.0], [1], [2], [0], [1], [2]], dtype=torch.float64)
    mask = other_owner(torch.tensor([1, 1, 1, 2, 2, 2]))
    same = torch.ones(6, 4, dtype=torch.float64) / 2
    assert float(surface_nce(same, coordinates, mask, same[:2], 0.1, 0.05)) == pytest.approx(
        math.log(3 + 2), rel=1e-6
    )
    right = F.normalize(torch.eye(4, dtype=torch.float64)[[0, 1, 2, 0, 1, 2]], dim=1)
    away = torch.eye(4, dtype=torch.float64)[[3, 3]]
    assert float(surface_nce(right, coordinates, mask, away, 0.1, 0.05)) < 1e-3


def test_surface_nce_leaves_out_points_without_a_counterpart():
    mask = other_owner(torch.tensor([1, 2]))
    far = torch.tensor([[0.0], [5.0]], requires_grad=True)
    loss = surface_nce(
        F.normalize(torch.randn(2, 3, requires_grad=True), dim=1), far, mask, torch.ones(1, 3), 0.1, 0.1
    )
    loss.backward()
    assert float(loss.detach()) == 0


def naive_margin(query, positive, mask, background, margin):
    matches = sum(float((q - p).square().sum()) for q, p in zip(query, positive, strict=True)) / len(query)
    others = [(query[i], positive[j]) for i in range(len(query)) for j in range(len(query)) if mask[i, j]]
    others += [(q, b) for q in query for b in background]
    short = [margin - float((a - b).norm()) for a, b in others]
    hard = [value**2 for value in short if value > 0]
    return matches + sum(hard) / max(len(hard), 1)


def test_pixel_margin_equals_a_loop():
    query, positive, background = unit_rows(9, 3, 0), unit_rows(9, 3, 1), unit_rows(4, 3, 2)
    mask = torch.rand(9, 9, generator=torch.Generator().manual_seed(3)) > 0.4
    loss = pixel_margin(query, positive, mask, background, 0.9)
    assert float(loss) == pytest.approx(naive_margin(query, positive, mask, background, 0.9), rel=1e-6)


def test_a_collapse_costs_the_margin_form_no_more_than_its_square():
    same = torch.ones(8, 4, dtype=torch.float64, requires_grad=True) / 2
    loss = pixel_margin(same, same, ~torch.eye(8, dtype=torch.bool), same[:3], 0.5)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.25, rel=1e-5)


def test_well_separated_descriptors_cost_the_margin_form_nothing():
    apart = torch.eye(4, dtype=torch.float64)
    loss = pixel_margin(apart[:3], apart[:3], ~torch.eye(3, dtype=torch.bool), apart[3:], 0.5)
    assert float(loss) == pytest.approx(0, abs=1e-9)


def test_distributional_of_a_sharp_target_is_the_plain_cross_entropy():
    image = unit_rows(12, 5, 0).T.reshape(5, 3, 4)
    query = unit_rows(2, 5, 1)
    cells = torch.tensor([[1.0, 2.0], [3.0, 0.0]], dtype=torch.float64)  # column, row
    loss = distributional(query, image, cells, 0.2, spread_cells=0.1)
    expected = F.cross_entropy(query @ image.flatten(1) / 0.2, torch.tensor([2 * 4 + 1, 3]))
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_a_collapse_costs_the_distributional_form_the_log_of_the_cells():
    image = torch.ones(4, 5, 6, dtype=torch.float64) / 2
    query = torch.ones(3, 4, dtype=torch.float64) / 2
    cells = torch.tensor([[1.0, 2.0]] * 3, dtype=torch.float64)
    assert float(distributional(query, image, cells, 0.1, 1.5)) == pytest.approx(math.log(30))


@pytest.mark.parametrize('loss', ['margin', 'distributional'])
def test_other_forms_of_nothing_are_a_differentiable_zero(loss):
    query = torch.zeros(0, 4, requires_grad=True)
    if loss == 'margin':
        value = pixel_margin(query, query, torch.zeros(0, 0, dtype=torch.bool), torch.ones(3, 4), 0.5)
    else:
        value = distributional(query, torch.ones(4, 2, 2), torch.zeros(0, 2), 0.1, 1.0)
    value.backward()
    assert float(value.detach()) == 0
