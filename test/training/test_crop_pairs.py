import numpy as np
import pytest

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.training.items import crop_pairs
from dense_descriptor_ros.training.items.boxes import overlap_of
from dense_descriptor_ros.training.items.crop_pairs import (
    TRIES,
    draw_crop,
    draw_crop_pair,
    inside,
    intersection,
    random_box,
)

NONE = np.zeros((0, 4), np.int64)


def pair_of(boxes, seed=0, height=120, width=160, count=4, min_side=16, scale_min=0.2):
    return draw_crop_pair(height, width, boxes, count, min_side, scale_min, np.random.default_rng(seed))


def grid():
    """12 boxes of 10 x 10 px about the middle of 160 x 120 px."""
    return np.array([(u, v, u + 10, v + 10) for u in range(55, 105, 13) for v in range(42, 80, 13)])


def assert_valid(pair, height=120, width=160, count=4):
    assert pair.crops.shape == (2, 4) and pair.boxes.shape == (count, 4)
    for region in (*pair.crops, *pair.boxes):
        assert (region[2:] > region[:2]).all()
    np.testing.assert_array_equal(inside(pair.crops, np.array([0, 0, width, height])), pair.crops)
    for crop in pair.crops:
        np.testing.assert_array_equal(inside(pair.boxes, crop), pair.boxes)


@pytest.mark.parametrize('seed', range(20))
def test_both_crops_hold_all_boxes_and_boxes_of_objects_where_there_are_enough(seed):
    pair = pair_of(grid(), seed)
    assert_valid(pair)
    given = {tuple(box) for box in grid()}
    assert all(tuple(box) in given for box in pair.boxes)
    assert len({tuple(box) for box in pair.boxes}) == 4


@pytest.mark.parametrize('seed', range(20))
def test_random_boxes_keep_to_size_aspect_and_overlap_where_there_are_no_objects(seed):
    pair = pair_of(NONE, seed)
    assert_valid(pair)
    sides = pair.boxes[:, 2:] - pair.boxes[:, :2]
    assert (sides >= 16).all()
    assert (sides.max(1) <= 3 * sides.min(1)).all()
    if (intersection(pair.crops)[2:] - intersection(pair.crops)[:2]).min() >= 40:
        assert (overlap_of(pair.boxes, pair.boxes)[np.triu_indices(4, 1)] <= 0.5).all()


@pytest.mark.parametrize('seed', range(10))
def test_too_few_objects_are_kept_and_made_up_for(seed):
    two = np.array([[70, 50, 90, 70], [72, 72, 90, 88]])
    pair = pair_of(two, seed)
    assert_valid(pair)
    assert 0 < sum(tuple(box) in {tuple(t) for t in two} for box in pair.boxes) <= 2


HARD = {
    'the whole image': np.array([[0, 0, 160, 120]]),
    'larger than the image': np.array([[-500, -500, 900, 900]]),
    'outside': np.array([[400, 400, 500, 500]] * 6),
    'corners': np.array([[0, 0, 20, 20], [140, 0, 160, 20], [0, 100, 20, 120], [140, 100, 160, 120]]),
}


@pytest.mark.parametrize('name', HARD)
@pytest.mark.parametrize('seed', range(5))
def test_boxes_that_no_two_crops_share_do_not_keep_it_from_ending(name, seed):
    assert_valid(pair_of(HARD[name], seed))


@pytest.mark.parametrize('size', [(1, 1), (1, 50), (50, 1), (2, 2), (33, 32)])
@pytest.mark.parametrize('min_side', [1, 16, 1000])
@pytest.mark.parametrize('scale_min', [0.0, 1e-4, 1.0])
def test_it_ends_for_every_size_of_image_box_and_crop(size, min_side, scale_min):
    height, width = size
    for seed in range(3):
        pair = pair_of(NONE, seed, height, width, count=7, min_side=min_side, scale_min=scale_min)
        assert_valid(pair, height, width, count=7)


def test_no_more_than_twenty_pairs_are_drawn_and_one_for_want_of_an_overlap(monkeypatch):
    drawn = []

    def apart(height, width, scale_min, rng):
        left = 100 * (len(drawn) % 2)
        drawn.append(left)
        return np.array([left, 0, left + 60, 60])

    monkeypatch.setattr(crop_pairs, 'draw_crop', apart)
    pair = pair_of(grid())
    assert len(drawn) == 2 * TRIES + 1 == 41
    assert pair.crops[1].tolist() == [0, 0, 160, 120]
    assert_valid(pair)


def test_the_same_seed_gives_the_same_pair_and_another_seed_another():
    for boxes in (grid(), NONE):
        first, again, other = pair_of(boxes, 3), pair_of(boxes, 3), pair_of(boxes, 4)
        np.testing.assert_array_equal(first.crops, again.crops)
        np.testing.assert_array_equal(first.boxes, again.boxes)
        assert not np.array_equal(first.crops, other.crops)


def test_crops_have_the_area_and_aspect_asked_for_and_reach_every_border():
    rng = np.random.default_rng(0)
    crops = np.stack([draw_crop(1000, 1000, 0.2, rng) for _ in range(2000)])
    sides = crops[:, 2:] - crops[:, :2]
    free = sides.max(1) < 1000  # not cut by the image's border
    assert (np.abs(sides[free, 0] / sides[free, 1]).max()) <= 4 / 3 * 1.01
    area = sides[free].prod(1) / 1e6
    assert 0.198 <= area.min() < 0.25 and area.max() > 0.85
    assert (crops[:, :2].min(0) == 0).all() and (crops[:, 2:].max(0) == 1000).all()


def test_a_random_box_takes_the_whole_of_a_region_that_is_too_small_for_it():
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert random_box(np.array([5, 6, 8, 9]), 16, rng).tolist() == [5, 6, 8, 9]


def test_an_image_without_pixels_is_refused():
    with pytest.raises(InputError, match='0 x 160 px and 4 boxes: expected at least 1'):
        pair_of(NONE, height=0)
