import cv2
import numpy as np
import pytest

from dense_descriptor_ros.errors import ConfigError, InputError
from dense_descriptor_ros.training.items.boxes import (
    filter_boxes,
    instance_boxes,
    overlap_of,
    selective_search,
    smallest_side,
)


def boxes(*rows):
    return np.array(rows, np.int64).reshape(-1, 4)


def random_boxes(count, size, seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, size, (count, 2, 2))
    return np.concatenate([corners.min(1), corners.max(1) + 1], 1)


def naive_iou(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return w * h / (sum(area) - w * h)


def painted():
    """Two rectangles on a plain ground, 64 x 96 px."""
    image = np.full((64, 96, 3), 40, np.uint8)
    image[10:30, 8:40] = (220, 40, 40)
    image[34:58, 60:84] = (40, 200, 220)
    return image


def test_boxes_of_an_instance_map_are_tight_and_in_order_of_its_numbers():
    instances = np.zeros((20, 30), np.int32)
    instances[2:5, 3:9] = 4
    instances[10, 29] = 2
    instances[4:7, 8:12] = 4
    assert instance_boxes(instances).tolist() == [[29, 10, 30, 11], [3, 2, 12, 7]]


def test_an_image_without_objects_has_no_boxes():
    assert instance_boxes(np.zeros((5, 6), np.int32)).shape == (0, 4)
    assert filter_boxes(instance_boxes(np.zeros((5, 6), np.int32)), 1).shape == (0, 4)


def test_the_smallest_side_is_64_px_in_an_image_of_480_and_follows_its_size():
    assert smallest_side(480, 640, 64) == 64
    assert smallest_side(640, 480, 64) == 64
    assert smallest_side(120, 160, 64) == 16
    assert smallest_side(1, 1, 64) == 1


def test_small_and_elongated_boxes_are_left_out_at_exactly_the_limits():
    given = boxes((0, 0, 30, 10), (0, 20, 31, 30), (0, 40, 10, 70), (40, 0, 49, 20), (60, 0, 70, 31))
    assert sorted(filter_boxes(given, 10).tolist()) == [[0, 0, 30, 10], [0, 40, 10, 70]]


def test_boxes_that_share_exactly_half_both_stay_and_that_share_more_do_not():
    half = boxes((0, 0, 30, 20), (10, 0, 40, 20))  # 400 shared of 800
    assert len(filter_boxes(half, 1)) == 2
    more = boxes((0, 0, 30, 20), (9, 0, 40, 20))
    assert filter_boxes(more, 1).tolist() == [[9, 0, 40, 20]]  # the larger


@pytest.mark.parametrize('seed', range(5))
def test_every_box_that_stays_obeys_the_rules_and_every_other_one_breaks_one(seed):
    given = random_boxes(200, 60, seed)
    kept = filter_boxes(given, 8)
    assert len(kept) > 3
    for i, a in enumerate(kept):
        w, h = a[2] - a[0], a[3] - a[1]
        assert min(w, h) >= 8
        assert 1 / 3 <= w / h <= 3
        assert all(naive_iou(a, b) <= 0.5 for b in kept[:i])
    stays = {tuple(box) for box in kept}
    for box in given:
        w, h = box[2] - box[0], box[3] - box[1]
        fits = min(w, h) >= 8 and max(w, h) <= 3 * min(w, h)
        larger = [k for k in kept if (k[2] - k[0]) * (k[3] - k[1]) >= w * h]
        assert not fits or tuple(box) in stays or any(naive_iou(box, k) > 0.5 for k in larger)


def test_what_stays_does_not_depend_on_the_order_of_the_boxes():
    given = random_boxes(80, 40, 0)
    shuffled = np.random.default_rng(1).permutation(given)
    np.testing.assert_array_equal(filter_boxes(given, 5), filter_boxes(shuffled, 5))


def test_overlap_is_the_intersection_over_the_union():
    a, b = random_boxes(6, 20, 3), random_boxes(4, 20, 4)
    expected = [[naive_iou(x, y) for y in b] for x in a]
    np.testing.assert_allclose(overlap_of(a, b), expected, rtol=1e-12)


def test_boxes_of_another_shape_are_refused_by_name():
    with pytest.raises(InputError, match=r'\(3, 5\): expected \(N, 4\)'):
        filter_boxes(np.zeros((3, 5), np.int64), 1)


def off_px(truth, found):
    """Largest distance of a side of each true box from that of the most similar proposal, pixels."""
    return np.abs(truth - found[overlap_of(truth, found).argmax(1)]).max(1)


def test_selective_search_proposes_the_objects_of_a_plain_scene():
    # Segments begin with a blur, so a box may be some pixels larger than its object.
    found = filter_boxes(selective_search(painted()), 8)
    assert (off_px(boxes((8, 10, 40, 30), (60, 34, 84, 58)), found) <= 2).all()


def test_selective_search_of_a_large_image_gives_boxes_in_its_own_pixels():
    large = cv2.resize(painted(), (960, 640), interpolation=cv2.INTER_NEAREST)
    found = selective_search(large)
    assert (off_px(boxes((80, 100, 400, 300), (600, 340, 840, 580)), found) <= 2 * 960 / 256).all()
    assert found.min() >= 0 and found[:, 2].max() <= 960 and found[:, 3].max() <= 640


def test_selective_search_repeats_itself_whatever_the_state_of_random_numbers():
    # OpenCV orders its proposals by a generator that nobody can seed: the second call sees another state.
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(noise, (0, 0), 4)
    first = selective_search(image)
    assert len(first) > 5
    for _ in range(3):
        np.testing.assert_array_equal(first, selective_search(image))


@pytest.mark.parametrize('shape', [(1, 1), (2, 3), (300, 2), (32, 32)])
def test_selective_search_of_an_image_without_contrast_stays_in_the_image(shape):
    found = selective_search(np.full((*shape, 3), 90, np.uint8))
    assert (found[:, :2] >= 0).all() and (found[:, 2:] <= shape[::-1]).all()


def test_an_opencv_without_contrib_says_what_to_install(monkeypatch):
    monkeypatch.delattr(cv2, 'ximgproc')
    with pytest.raises(ConfigError, match='opencv-contrib-python-headless'):
        selective_search(painted())
