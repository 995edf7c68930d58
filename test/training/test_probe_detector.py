import math

import frozen_views as known
import numpy as np
import pytest
import torch

from dense_descriptor_ros.errors import DatasetError, InputError, TrainingError
from dense_descriptor_ros.training.probes.boxes import (
    ScoredBoxes,
    average_precision_boxes,
    mask_box,
    overlap,
)
from dense_descriptor_ros.training.probes.detector import (
    decode,
    losses,
    probe,
    targets_of,
    true_boxes,
)
from dense_descriptor_ros.training.probes.fit import fit


def box(left, top=0, width=10, height=10):
    return [left, top, left + width, top + height]


def scored(*pairs):
    return ScoredBoxes(
        np.array([b for b, _ in pairs], float).reshape(-1, 4), np.array([s for _, s in pairs], float)
    )


def test_a_box_holds_its_masks_pixels_and_no_more():
    mask = np.zeros((8, 9), bool)
    mask[2:5, 3:7] = True
    np.testing.assert_array_equal(mask_box(mask), [3, 2, 7, 5])


def test_overlap_of_boxes_worked_by_hand():
    np.testing.assert_allclose(
        overlap(np.array([box(0)]), np.array([box(0), box(5), box(20), box(0, 0, 10, 5)])),
        [[1, 50 / 150, 0, 0.5]],
    )


def test_average_precision_worked_by_hand():
    # Two images, three true boxes. By score: right, wrong, right, wrong; one box is never found.
    truth = [np.array([box(0), box(50)]), np.array([box(0)])]
    predicted = [scored((box(1), 0.9), (box(100), 0.8)), scored((box(0, 1), 0.7), (box(40), 0.1))]
    # Precision 1 up to a recall of 1/3, then 2/3 up to 2/3, then 0.
    assert average_precision_boxes(truth, predicted) == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)


def test_a_second_prediction_of_one_box_is_wrong():
    truth = [np.array([box(0)]), np.array([box(0)])]
    once = [scored((box(0), 0.9)), scored((box(0), 0.5))]
    twice = [scored((box(0), 0.9), (box(1), 0.8)), scored((box(0), 0.5))]
    assert average_precision_boxes(truth, once) == 1
    assert average_precision_boxes(truth, twice) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_prediction_claims_a_free_box_when_its_best_is_taken():
    truth = [np.array([box(0), box(3)])]
    predicted = [scored((box(1), 0.9), (box(1), 0.8))]
    assert average_precision_boxes(truth, predicted) == 1


def test_the_threshold_decides_and_is_inclusive():
    truth, predicted = [np.array([box(0)])], [scored((box(0, 0, 10, 5), 0.9))]  # IoU 0.5
    assert average_precision_boxes(truth, predicted, 0.5) == 1
    assert average_precision_boxes(truth, predicted, 0.51) == 0


def test_images_without_boxes_or_predictions_count():
    none = np.zeros((0, 4))
    assert average_precision_boxes([np.array([box(0)]), none], [scored(), scored()]) == 0
    false_first = [scored((box(0), 0.5)), scored((box(0), 0.9))]
    assert average_precision_boxes([np.array([box(0)]), none], false_first) == 0.5
    assert math.isnan(average_precision_boxes([none], [scored((box(0), 0.9))]))
    assert math.isnan(average_precision_boxes([], []))


def test_lists_of_different_images_are_refused():
    with pytest.raises(InputError, match='1 images and predictions of 2'):
        average_precision_boxes([np.zeros((0, 4))], [scored(), scored()])


def test_true_boxes_are_around_the_visible_masks_of_the_category():
    view = known.views(known.noise, 1)[0]
    boxes = true_boxes(view)
    assert boxes.tolist() == [mask_box(view.image.instances == n).tolist() for n in (1, 2)]
    del view.objects[1]
    np.testing.assert_array_equal(true_boxes(view), boxes[1:])
    view.objects.clear()
    assert true_boxes(view).shape == (0, 4)


def test_a_perfect_output_is_decoded_to_the_true_boxes():
    view = known.views(known.noise, 1)[0]
    targets = targets_of(view)
    assert (targets.heat == 1).sum() == 2
    output = torch.cat([torch.logit(targets.heat, eps=1e-4)[None], targets.log_size])
    found, truth = decode(output), true_boxes(view)
    assert average_precision_boxes([truth], [ScoredBoxes(found.boxes, found.scores)]) == 1
    np.testing.assert_allclose(np.sort(found.boxes[:2], 0), np.sort(truth, 0), atol=2.01)  # half a cell


def test_the_loss_is_least_where_the_output_is_right():
    targets = [targets_of(view) for view in known.views(known.noise, 2)]
    heat, log_size = torch.stack([t.heat for t in targets]), torch.stack([t.log_size for t in targets])
    right = torch.cat([torch.where(heat == 1, 9.0, -9.0)[:, None], log_size], 1)
    assert losses(right, heat, log_size) < 1e-3
    for wrong in (
        right * torch.tensor([-1.0, 1, 1])[:, None, None],
        right + torch.tensor([0.0, 1, 1])[:, None, None],
    ):
        assert losses(wrong, heat, log_size) > 1


def test_views_without_objects_have_a_finite_loss():
    heat = torch.zeros(1, 6, 8)
    output = torch.zeros(1, 3, 6, 8, requires_grad=True)
    loss = losses(output, heat, torch.zeros(1, 2, 6, 8))
    loss.backward()
    assert torch.isfinite(loss)
    assert (output.grad[:, 0] > 0).all()  # less heat is better
    assert (output.grad[:, 1:] == 0).all()


def centres(classes, instances, within, rng):
    """Where in its box a cell is: bright at the middle, with the box's size beside it."""
    near = np.where(instances > 0, np.exp(-((within - 0.5) ** 2).sum(0) / 0.005), 0)
    sizes = np.zeros((2, *instances.shape))
    for number in (1, 2):
        i, j = np.nonzero(instances == number)
        sizes[:, i, j] = np.log([[np.ptp(j) + 1], [np.ptp(i) + 1]])
    return np.concatenate([near[None], sizes / 4])


def test_features_that_hold_centres_and_sizes_are_detected():
    figures = probe(known.views(centres, 6), known.views(centres, 4, first=20))
    assert figures['boxes'] == 8
    assert figures['ap50'] > 0.9


@pytest.mark.parametrize('describe', [known.noise, known.nothing])
def test_features_that_hold_nothing_detect_nothing(describe):
    figures = probe(known.views(describe, 6), known.views(describe, 4, first=20))
    assert figures['ap50'] < 0.25


def test_the_same_seed_gives_the_same_figures():
    train, test = known.views(centres, 4), known.views(centres, 3, first=20)
    first, second = (probe(train, test, steps=20, batch=2) for _ in range(2))
    assert first == second


def test_nothing_to_train_with_is_refused():
    with pytest.raises(DatasetError, match='no training views'):
        probe([], known.views(known.noise, 1))
    with pytest.raises(DatasetError, match='name: no training views'):
        fit(torch.nn.Linear(1, 1), lambda _: torch.zeros(()), 0, 1, 1, 0.1, 0, 'name')


def test_a_loss_that_is_not_finite_stops_the_fit():
    layer = torch.nn.Linear(1, 1)
    with pytest.raises(TrainingError, match='the loss of step 0 is nan'):
        fit(layer, lambda _: layer.weight.sum() * torch.nan, 3, 1, 5, 0.1, 0, 'name')


def test_every_view_is_seen_equally_often_and_the_seed_alone_orders_them():
    def order(seed):
        layer, seen = torch.nn.Linear(1, 1), []
        fit(layer, lambda k: (seen.append(k), layer.weight.sum() ** 2)[1], 4, 3, 8, 0.1, seed, 'name')
        assert not layer.training
        return np.concatenate(seen).tolist()

    assert np.bincount(order(0)).tolist() == [6] * 4
    assert order(0) == order(0) != order(1)


def test_a_fit_finds_the_least_squares_line():
    x = torch.linspace(-1, 1, 20)
    layer = torch.nn.Linear(1, 1)
    fit(
        layer,
        lambda k: (layer(x[k, None])[:, 0] - 2 * x[k] - 1).square().mean(),
        20,
        20,
        400,
        0.05,
        0,
        'line',
    )
    assert [layer.weight.item(), layer.bias.item()] == pytest.approx([2, 1], abs=0.05)
