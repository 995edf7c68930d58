import pickle

import numpy as np
import pytest
import torch
from short_video import HEIGHT, WIDTH, Video

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.geometry import back_project, project
from dense_descriptor_ros.training.augmentation.square_crop import SquareCrop, draw_crop
from dense_descriptor_ros.training.items.frame_triples import FrameTriples, find_windows
from dense_descriptor_ros.training.sources.image import LabelledImage, guessed_intrinsics


def triples(source, gap=2, **options):
    values = {'size_px': 32, 'smallest_crop': 0.5, 'mirror': 0.5, 'jitter': 0.3} | options
    return FrameTriples(source, seed=3, gap=gap, **values)


def test_frames_are_in_the_order_of_time_and_the_gap_apart():
    items = triples(Video([40]), gap=4)
    starts = set()
    for position in range(50):
        index = items[position]['depth_m'].mean((1, 2)) - 1
        assert (index[1:] - index[:-1]).tolist() == [4, 4]
        starts.add(int(index[0]))
    assert len(starts) > 15


def test_a_triple_shares_its_augmentation_and_another_has_another():
    items = triples(Video())
    for position in range(8):
        rgb = items[position]['rgb']
        assert torch.equal(rgb[0], rgb[1])
        assert torch.equal(rgb[0], rgb[2])
        assert torch.equal(items[position]['K'][0], items[position]['K'][2])
        assert not torch.equal(rgb, items[position + len(items)]['rgb'])


def test_a_position_always_gives_the_same_item_in_any_process():
    items = triples(Video())
    again = pickle.loads(pickle.dumps(items))
    for name, values in items[5].items():
        assert torch.equal(values, again[5][name])


def test_a_short_sequence_takes_the_largest_gap_that_fits_and_two_images_none():
    windows = find_windows([list(range(6)), [6, 7], list(range(8, 11)), list(range(20, 40))], gap=4)
    by_first = {window.images[0]: window for window in windows}
    assert {first: window.gap for first, window in by_first.items()} == {0: 2, 8: 1, 20: 4}


@pytest.mark.parametrize(('length', 'gap'), [(3, 1), (9, 4), (10, 4), (30, 4), (101, 3), (7, 9)])
def test_windows_of_a_sequence_cover_every_start_once(length, gap):
    windows = find_windows([list(range(length))], gap)
    starts = [start for window in windows for start in range(window.first, window.end)]
    assert starts == list(range(length - 2 * windows[0].gap))
    assert len(windows) == length // (2 * windows[0].gap + 1)
    assert all(window.end > window.first for window in windows)


def test_images_that_are_no_sequences_are_refused():
    with pytest.raises(DatasetError, match='longest sequence has 2 images'):
        triples(Video([2, 1]))
    with pytest.raises(DatasetError, match='longest sequence has 0 images'):
        find_windows([], 1)


@pytest.mark.parametrize('mirrored', [False, True])
def test_a_crop_keeps_points_where_its_camera_sees_them(mirrored):
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[20:24, 40:44] = 255
    K = guessed_intrinsics(HEIGHT, WIDTH)
    crop = SquareCrop(left=30, top=10, side=32, size_px=64, mirrored=mirrored)
    frame = crop(LabelledImage(rgb, np.ones((HEIGHT, WIDTH), np.float32), K))
    point = back_project(K, np.array([[41.5, 21.5]]), np.ones(1)) * [-1 if mirrored else 1, 1, 1]
    rows, columns = np.nonzero(frame.rgb[..., 0])
    np.testing.assert_allclose(project(frame.K, point)[0], [columns.mean(), rows.mean()], atol=1e-9)


def test_a_crop_cuts_labels_without_making_new_ones():
    labels = np.zeros((HEIGHT, WIDTH), np.int32)
    labels[:, 36:] = 70_000
    image = LabelledImage(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), labels.astype(np.float32), np.eye(3), labels, labels > 0
    )
    frame = SquareCrop(12, 0, 48, 32)(image)
    assert set(np.unique(frame.instances)) == {0, 70_000}
    assert frame.classes.shape == (32, 32)


def test_crops_lie_within_the_image():
    rng = np.random.default_rng(0)
    image = Video()[0]
    crops = [draw_crop(image, 32, 0.3, 0.5, rng) for _ in range(300)]
    assert all(0 <= c.left <= WIDTH - c.side and 0 <= c.top <= HEIGHT - c.side for c in crops)
    sides = [c.side for c in crops]
    assert min(sides) < 0.4 * HEIGHT
    assert max(sides) > 0.9 * HEIGHT
    assert 100 < sum(c.mirrored for c in crops) < 200
