import frozen_views as known
import numpy as np
import pytest
import torch

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.probes.parts import (
    confusion,
    fit_linear,
    intersection_over_union,
    probe,
    sampled_cells,
)
from dense_descriptor_ros.training.sources.image import IGNORE


def test_features_that_hold_the_class_are_segmented_perfectly():
    figures = probe(known.views(known.true_classes, 4), known.views(known.true_classes, 4, first=10))
    for name in ('miou', 'iou/background', 'iou/body', 'iou/handle'):
        assert figures[name] == pytest.approx(1, abs=1e-3)
    assert np.isnan(figures['iou/other object'])  # nowhere in the truth


@pytest.mark.parametrize('describe', [known.noise, known.nothing])
def test_features_without_the_class_are_near_chance(describe):
    figures = probe(known.views(describe, 4), known.views(describe, 4, first=10))
    assert figures['miou'] < 0.35
    assert figures['iou/handle'] < 0.12  # handles fill 6 % of the cells


def test_the_same_seed_gives_the_same_figures():
    train, test = known.views(known.noise, 3), known.views(known.noise, 2, first=10)
    first, second, other = (probe(train, test, seed=seed) for seed in (1, 1, 2))
    assert first['miou'] == second['miou'] != other['miou']


def test_unlabelled_cells_are_neither_sampled_nor_counted():
    view = known.views(known.true_classes, 1)[0]
    view.image.classes[:] = np.where(view.image.classes == known.BODY, IGNORE, view.image.classes)
    _, labels = sampled_cells([view], 4, seed=0)
    assert set(labels.tolist()) == {known.BACKGROUND, known.HANDLE}
    truth, predicted = torch.tensor([0, IGNORE, 1, IGNORE]), torch.tensor([0, 1, 0, 0])
    assert confusion(truth, predicted, 2).tolist() == [[1, 0], [1, 0]]


def test_intersection_over_union_of_a_hand_worked_matrix():
    counts = torch.tensor([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    iou = intersection_over_union(counts)
    assert iou[:2].tolist() == pytest.approx([6 / 9, 3 / 6])
    assert torch.isnan(iou[2])


def test_a_class_that_is_predicted_but_absent_counts_as_false_elsewhere():
    iou = intersection_over_union(torch.tensor([[3, 1], [0, 0]]))
    assert float(iou[0]) == 0.75
    assert torch.isnan(iou[1])


def test_classes_weigh_alike_however_many_cells_they_have():
    # Overlapping Gaussians around -1 and 1, one class ten times as large: balanced, the border is at 0.
    generator = torch.Generator().manual_seed(0)
    x = torch.cat(
        [torch.randn(20000, 1, generator=generator) - 1, torch.randn(2000, 1, generator=generator) + 1]
    )
    layer = fit_linear(x, torch.arange(22000).ge(20000).long(), 2)
    difference = (layer.weight[1] - layer.weight[0]).item()
    assert -(layer.bias[1] - layer.bias[0]).item() / difference == pytest.approx(0, abs=0.05)
    assert difference == pytest.approx(2, abs=0.1)  # log p1 / p0 = 2 x


def test_the_fit_does_not_depend_on_the_features_scale_and_offset():
    x, labels = sampled_cells(known.views(known.surface_points, 2), 4, seed=0)
    first, second = fit_linear(x, labels, 4)(x), fit_linear(100 * x + 7, labels, 4)(100 * x + 7)
    assert (first.argmax(1) == second.argmax(1)).float().mean() > 0.98


def test_views_without_a_label_are_refused():
    view = known.views(known.true_classes, 1)[0]
    view.image.classes[:] = IGNORE
    with pytest.raises(DatasetError, match='no labelled cell'):
        probe([view], [view])
