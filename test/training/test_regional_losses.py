import math

import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning.losses import NTXentLoss
from pytorch_metric_learning.reducers import PerAnchorReducer

from dense_descriptor_ros.training.losses import regional
from dense_descriptor_ros.training.losses.regional import reco, regional_nce


def unit_rows(count, dimension, seed):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, dimension, generator=generator, dtype=torch.float64), dim=1)


def drawn_labels(count, classes, seed):
    return torch.randint(0, classes, (count,), generator=torch.Generator().manual_seed(seed))


def naive_nce(embeddings, labels, bank, bank_labels, temperature):
    keys, key_labels = torch.cat([embeddings, bank]), torch.cat([labels, bank_labels])
    total = 0.0
    for i in range(len(embeddings)):
        e = [math.exp(float(embeddings[i] @ key) / temperature) for key in keys]
        others = sum(e[j] for j in range(len(keys)) if key_labels[j] != labels[i])
        costs = [
            -math.log(e[j] / (e[j] + others))
            for j in range(len(keys))
            if key_labels[j] == labels[i] and j != i
        ]
        total += sum(costs) / len(costs) if costs else 0
    return total / len(embeddings)


NOTHING = (torch.zeros(0, 5, dtype=torch.float64), torch.zeros(0, dtype=torch.long))


def test_nce_is_the_reference_library_and_a_loop():
    embeddings, labels = unit_rows(40, 5, 0), drawn_labels(40, 3, 1)
    library = NTXentLoss(temperature=0.07, reducer=PerAnchorReducer())(embeddings, labels)
    loss = regional_nce(embeddings, labels, *NOTHING)
    assert float(loss) == pytest.approx(float(library), abs=1e-6)
    assert float(loss) == pytest.approx(naive_nce(embeddings, labels, *NOTHING, 0.07), abs=1e-6)


def test_nce_with_a_bank_is_a_loop_however_the_anchors_are_split(monkeypatch):
    embeddings, labels, bank, bank_labels = (
        unit_rows(11, 5, 0),
        drawn_labels(11, 3, 1),
        unit_rows(9, 5, 2),
        drawn_labels(9, 4, 3),
    )
    expected = naive_nce(embeddings, labels, bank, bank_labels, 0.1)
    for size in (3, 512):
        monkeypatch.setattr(regional, 'ANCHORS_AT_ONCE', size)
        assert float(regional_nce(embeddings, labels, bank, bank_labels, 0.1)) == pytest.approx(
            expected, abs=1e-9
        )


def test_nce_is_not_supervised_contrast():
    embeddings, labels = unit_rows(12, 5, 0), drawn_labels(12, 2, 1)
    logits = (embeddings @ embeddings.T / 0.07).fill_diagonal_(-1e9)
    positive = (labels[:, None] == labels[None]).fill_diagonal_(False)
    supcon = -(logits.log_softmax(1) * positive).sum(1) / positive.sum(1)
    assert abs(float(regional_nce(embeddings, labels, *NOTHING)) - float(supcon.mean())) > 0.1


def test_nce_of_equal_embeddings_is_the_log_of_the_negatives():
    same = torch.full((6, 4), 0.5)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    loss = regional_nce(same, labels, same[:2], torch.tensor([2, 2]))
    assert float(loss) == pytest.approx(math.log(1 + 3 + 2), abs=1e-6)


def test_nce_pulls_anchors_alone_and_not_their_keys():
    embeddings, labels = unit_rows(8, 5, 0).requires_grad_(), drawn_labels(8, 2, 1)
    bank = unit_rows(6, 5, 2).requires_grad_()
    gradient, none = torch.autograd.grad(
        regional_nce(embeddings, labels, bank.detach(), drawn_labels(6, 2, 3)),
        [embeddings, bank],
        allow_unused=True,
    )
    assert none is None
    keys = torch.cat([embeddings, bank]).detach()
    step = torch.zeros_like(embeddings)
    step[3, 2] = 1e-6

    def cost(moved):
        """Only anchors move; their keys stay."""
        costs = regional.anchor_costs(
            moved, torch.arange(8), labels, keys, torch.cat([labels, drawn_labels(6, 2, 3)]), 0.07
        )
        return float(costs.mean())

    slope = (cost(embeddings.detach() + step) - cost(embeddings.detach() - step)) / 2e-6
    assert float(gradient[3, 2]) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize('count', [0, 1, 5])
def test_nce_of_one_class_is_a_differentiable_zero(count):
    embeddings = F.normalize(torch.randn(count, 4), dim=1).requires_grad_()
    labels = torch.ones(count, dtype=torch.long)
    loss = regional_nce(embeddings, labels, torch.zeros(0, 4), labels[:0])
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(embeddings.grad, torch.zeros(count, 4))


def test_nce_stays_finite_where_exp_of_the_logits_would_not():
    embeddings = torch.eye(4).repeat(2, 1).requires_grad_()
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1, 0])  # the negatives hold an equal, the positives none
    loss = regional_nce(embeddings, labels, torch.zeros(0, 4), labels[:0], temperature=0.005)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(1 / 0.005, abs=1e-3)
    assert embeddings.grad.isfinite().all()


def test_reco_of_equal_embeddings_is_the_log_of_the_candidates():
    same = torch.full((600, 4), 0.5)
    labels = torch.arange(600) % 3
    loss = reco(same, labels, torch.full((600,), 0.5), same, labels)
    assert float(loss) == pytest.approx(math.log(1 + 512), abs=1e-5)


def test_reco_of_two_opposite_classes_has_a_closed_form():
    embeddings = torch.tensor([[1.0, 0], [1, 0], [-1, 0]])
    labels = torch.tensor([0, 0, 7])
    loss = reco(embeddings, labels, torch.zeros(3), embeddings, labels)
    assert float(loss) == pytest.approx(math.log(1 + 512 * math.exp(-2 / 0.5)), abs=1e-5)


def test_reco_draws_more_negatives_of_the_more_similar_class():
    keys = F.normalize(torch.tensor([[1.0, 0, 0], [0.8, 0.6, 0], [-1, 0, 0], [-1, 0, 0], [-1, 0, 0]]), dim=1)
    labels = torch.tensor([0, 1, 2, 2, 2])
    torch.manual_seed(0)
    loss = reco(keys[:1], labels[:1], torch.zeros(1), keys, labels, negatives=200_000)
    near, far = math.exp(0.8 / 0.5), math.exp(-1 / 0.5)  # of class 1, of class 2 whatever its size
    share = near / (near + far)
    others = 200_000 * (share * math.exp(0.8 / 0.5) + (1 - share) * math.exp(-1 / 0.5))
    expected = math.log(1 + others / math.exp(1 / 0.5))
    assert float(loss) == pytest.approx(expected, abs=2e-3)


def test_reco_leaves_confident_pixels_and_keys_alone():
    embeddings, keys = (unit_rows(40, 5, n).float().requires_grad_() for n in (0, 1))
    labels = drawn_labels(40, 3, 2)
    probability = torch.linspace(0.9, 1, 40)
    loss = reco(embeddings, labels, probability, keys, labels, negatives=16)
    loss.backward()
    moved = embeddings.grad.abs().sum(1) > 0
    assert torch.equal(moved, probability < 0.97)
    assert keys.grad is None


def test_reco_takes_at_most_so_many_anchors_a_class():
    embeddings = unit_rows(40, 5, 0).float().requires_grad_()
    labels = torch.arange(40) % 2
    reco(embeddings, labels, torch.zeros(40), embeddings, labels, anchors=7, negatives=16).backward()
    moved = embeddings.grad.abs().sum(1) > 0
    assert torch.bincount(labels[moved]).tolist() == [7, 7]


@pytest.mark.parametrize(
    ('labels', 'probability'),
    [([1, 1, 1], [0.0, 0, 0]), ([0, 1, 2], [1.0, 1, 1]), ([], [])],
    ids=['one class', 'all confident', 'no pixel'],
)
def test_reco_of_nothing_to_contrast_is_a_differentiable_zero(labels, probability):
    embeddings = unit_rows(3, 4, 0).float()[: len(labels)].requires_grad_()
    labels = torch.tensor(labels, dtype=torch.long)
    loss = reco(embeddings, labels, torch.tensor(probability), embeddings, labels)
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))


def test_reco_repeats_itself_with_the_same_seed():
    embeddings, labels = unit_rows(60, 5, 0).float(), drawn_labels(60, 3, 1)
    losses = []
    for seed in (4, 4, 5):
        torch.manual_seed(seed)
        losses.append(
            float(reco(embeddings, labels, torch.zeros(60), embeddings, labels, anchors=5, negatives=8))
        )
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize('contrast', ['nce', 'reco'])
def test_descending_the_contrast_separates_the_classes(contrast):
    raw = unit_rows(60, 8, 0).float().requires_grad_()
    labels = torch.arange(60) % 3
    optimiser = torch.optim.Adam([raw], 0.05)
    for step in range(60):
        torch.manual_seed(step)
        unit = F.normalize(raw, dim=1)
        if contrast == 'nce':
            loss = regional_nce(unit, labels, unit[:0].detach(), labels[:0])
        else:
            loss = reco(unit, labels, torch.zeros(60), unit, labels, negatives=32)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    cosine = F.normalize(raw, dim=1) @ F.normalize(raw, dim=1).T
    same = labels[:, None] == labels[None]
    assert float(cosine[same].min().detach()) > float(cosine[~same].max().detach()) + 0.5
