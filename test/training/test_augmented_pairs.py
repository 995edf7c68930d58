"""Geometry of augmentations: against kornia, against what the pixels show, and their inverse."""

import cv2
import kornia.augmentation as K_aug
import numpy as np
import pytest
import torch
from tiny_bop import DEPTH_MM, write_tiny_bop
from torch.utils.data import default_collate

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.augmentation.colour_distortion import distort_colour
from dense_descriptor_ros.training.augmentation.crop_camera import (
    CROP_SHARE,
    between,
    draw_crop_camera,
    matches_between,
)
from dense_descriptor_ros.training.augmentation.virtual_camera import virtual_camera
from dense_descriptor_ros.training.items.augmented_pairs import OUTSIDE, AugmentedPairs
from dense_descriptor_ros.training.items.augmented_views import AugmentedViews
from dense_descriptor_ros.training.items.point_sampling import point_regions
from dense_descriptor_ros.training.items.view_pairs import PairConfig
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage, guessed_intrinsics

HEIGHT, WIDTH = 96, 128
K = guessed_intrinsics(HEIGHT, WIDTH)
SIZE = PairConfig(width=96, height=64, points=64)


class Drawn(ImageSource):
    """Images without cameras: three objects before a wall, or nothing but pixels."""

    def __init__(self, masks=True, depth=True):
        self.masks, self.depth = masks, depth

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        rgb = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        instances = np.zeros((HEIGHT, WIDTH), np.int32)
        for number in (1, 2, 3):
            v, u = rng.integers(5, 60, 2)
            instances[v : v + 30, u : u + 30] = number
        depth_m = np.where(instances > 0, 1.0, 2.0).astype(np.float32)
        if not self.depth:
            depth_m[:] = 0
        return LabelledImage(rgb, depth_m, K, instances if self.masks else None)


def pairs(sampling='mask', seed=3, **kwargs):
    return AugmentedPairs(Drawn(**kwargs), sampling, SIZE, AugmentationConfig(), seed)


def camera(rng):
    return draw_crop_camera((HEIGHT, WIDTH), K, (64, 96), rng)


def some_pixels(count=40, seed=0):
    return np.random.default_rng(seed).uniform(0, [WIDTH - 1, HEIGHT - 1], (count, 2))


def through(affine, uv):
    return uv @ affine[:, :2].T + affine[:, 2]


@pytest.mark.parametrize('degrees', [-40.0, 0.0, 25.0])
@pytest.mark.parametrize('across', [False, True])
@pytest.mark.parametrize('upside_down', [False, True])
def test_flips_and_rotation_are_where_kornia_has_them_forth_and_back(degrees, across, upside_down):
    steps = [K_aug.RandomRotation((degrees, degrees), p=1.0)]
    if upside_down:
        steps.insert(0, K_aug.RandomVerticalFlip(p=1.0))
    if across:
        steps.insert(0, K_aug.RandomHorizontalFlip(p=1.0))
    theirs = K_aug.AugmentationSequential(*steps, data_keys=['input', 'keypoints'])
    uv = torch.from_numpy(some_pixels()).float()[None]
    image = torch.zeros(1, 3, HEIGHT, WIDTH)
    warped, there = theirs(image, uv)
    _, back = theirs.inverse(warped, there)
    # kornia turns against the clock.
    roll = np.radians(-degrees) + (np.pi if upside_down else 0)
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    ours = virtual_camera(K, middle, WIDTH, HEIGHT, 1.0, roll, across != upside_down)
    np.testing.assert_allclose(through(ours.affine, uv[0].numpy()), there[0].numpy(), atol=1e-3)
    inverse = cv2.invertAffineTransform(ours.affine)
    np.testing.assert_allclose(through(inverse, there[0].numpy()), back[0].numpy(), atol=1e-3)


@pytest.mark.parametrize('seed', range(8))
def test_a_match_shows_the_same_pixel_of_the_image(seed):
    rng = np.random.default_rng(seed)
    first, second = camera(rng), camera(rng)
    # An image whose colours are its own coordinates tells what a view's pixel shows.
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    coordinates = np.dstack([columns, rows, np.ones_like(rows)])
    views = [c.warp(coordinates, cv2.INTER_LINEAR) for c in (first, second)]
    v, u = np.nonzero(views[0][..., 2] > 0.999)
    match_uv, inside = matches_between(first, second, np.stack([u, v], 1).astype(np.float64))
    shown = cv2.remap(views[1], match_uv[:, :1], match_uv[:, 1:], cv2.INTER_LINEAR)[:, 0]
    whole = inside & (shown[:, 2] > 0.999)
    assert whole.sum() > 200
    # OpenCV places samples on a grid of 1/32 px, in both views.
    np.testing.assert_allclose(shown[whole, :2], views[0][v, u][whole, :2], atol=0.12)


@pytest.mark.parametrize('seed', range(8))
def test_there_and_back_leaves_nothing(seed):
    rng = np.random.default_rng(seed)
    first, second = camera(rng), camera(rng)
    uv = some_pixels()
    back = through(between(second, first), through(between(first, second), uv))
    np.testing.assert_allclose(back, uv, atol=1e-9)
    direct = through(between(first, second), through(first.affine, uv))
    np.testing.assert_allclose(direct, through(second.affine, uv), atol=1e-9)


def test_a_flip_and_a_rotation_leave_no_angle_and_undone_in_the_wrong_order_twice_theirs():
    theta, middle = np.radians(30), np.array([63.5, 47.5])
    turned = virtual_camera(K, middle, WIDTH, HEIGHT, 1.0, theta, True)
    plain = virtual_camera(K, middle, WIDTH, HEIGHT, 1.0, 0.0, False)
    whole = between(turned, plain)[:, :2] @ turned.affine[:, :2]
    np.testing.assert_allclose(whole, np.eye(2), atol=1e-12)
    flip = np.diag([-1.0, 1.0])
    rotation = turned.affine[:, :2] @ flip
    wrong = rotation.T @ flip @ turned.affine[:, :2]
    assert np.arccos(np.trace(wrong) / 2) == pytest.approx(2 * theta)


def test_crops_are_of_the_size_that_is_asked_for_and_lie_inside_the_image():
    rng = np.random.default_rng(0)
    for _ in range(100):
        drawn = camera(rng)
        scale = np.sqrt(abs(np.linalg.det(drawn.affine[:, :2])))
        assert CROP_SHARE[0] <= 64 * 96 / scale**2 / (HEIGHT * WIDTH) <= CROP_SHARE[1]
        centre = through(cv2.invertAffineTransform(drawn.affine), np.array([[47.5, 31.5]]))[0]
        half = np.minimum(np.array([96, 64]) / scale, [WIDTH, HEIGHT]) / 2
        assert (centre + 0.5 >= half - 1e-6).all()
        assert (centre + 0.5 <= [WIDTH, HEIGHT] - half + 1e-6).all()


def test_all_flips_and_a_rotation_up_to_its_limit_occur():
    rng = np.random.default_rng(0)
    found = [camera(rng).M for _ in range(200)]
    mirrored = [np.linalg.det(M) < 0 for M in found]
    upside_down = [M[1, 1] < 0 for M in found]
    assert {(a, b) for a, b in zip(mirrored, upside_down, strict=True)} == {
        (a, b) for a in (False, True) for b in (False, True)
    }
    angles = [np.degrees(np.arcsin(abs(M[1, 0]))) for M in found]
    assert 40 < max(angles) <= 45 + 1e-9


@pytest.mark.parametrize('sampling', ['mask', 'clusters', 'image'])
@pytest.mark.parametrize('seed', range(4))
def test_points_lie_on_their_region_of_the_image(sampling, seed):
    rng = np.random.default_rng(seed)
    image, drawn = Drawn()[seed], camera(rng)
    regions = point_regions(image, sampling)
    view = pairs(sampling).draw_view(image, regions, drawn, rng)
    real = view['owner'] != 0
    assert real.sum() == SIZE.points
    place = through(cv2.invertAffineTransform(drawn.affine), view['uv'][real].astype(np.float64))
    u, v = np.rint(place).astype(int).clip(0, [WIDTH - 1, HEIGHT - 1]).T
    # OpenCV's fixed-point rounding may take the neighbour where a pixel falls half-way.
    assert (regions[v, u] == view['owner'][real]).mean() > 0.95


def test_matches_are_inside_the_other_view_and_never_padding():
    for sampling in ('mask', 'image'):
        for position in range(6):
            item = {key: value.numpy() for key, value in pairs(sampling)[position].items()}
            u, v = item['match_uv'][item['matched']].T
            assert len(u) > 5
            assert ((u >= 0) & (u <= 95) & (v >= 0) & (v <= 63)).all()
            assert item['owner'][0][item['matched']].all()


def test_both_views_have_an_augmentation_of_their_own():
    for position in range(6):
        item = pairs('image')[position]
        assert not torch.allclose(item['K'][0], item['K'][1])
        assert not torch.equal(item['rgb'][0], item['rgb'][1])
        moved = item['match_uv'][item['matched']] - item['uv'][0][item['matched']]
        assert float(moved.std(0).max()) > 1  # more than a shift


def test_cells_beside_the_image_are_neither_object_nor_background():
    for sampling, inside in (('image', {1}), ('mask', {0, 1, 2, 3})):
        maps = torch.stack([pairs(sampling)[position]['instance_map'] for position in range(6)])
        assert set(maps.unique().tolist()) == {OUTSIDE} | inside


def test_images_without_masks_and_depth_do():
    item = pairs('image', masks=False, depth=False)[1]
    assert item['matched'].sum() > 5
    assert not item['depth_m'].any()
    nothing = pairs('clusters', masks=False, depth=False)[1]
    assert not nothing['matched'].any()
    assert not nothing['owner'].any()
    with pytest.raises(ConfigError, match='no masks of objects'):
        pairs('mask', masks=False)


def test_the_same_position_gives_the_same_item_and_another_another():
    data = pairs('clusters')
    first, again, other = data[1], data[1], data[1 + len(data)]
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first['rgb'], other['rgb'])
    batch = default_collate([data[k] for k in range(3)])
    assert batch['rgb'].shape == (3, 2, 3, 64, 96)
    assert batch['uv'].shape == (3, 2, 64, 2)


def test_labelled_augmentations_match_the_same_point_of_the_object(tmp_path):
    dataset = open_bop(write_tiny_bop(tmp_path), 'test')
    data = AugmentedViews(dataset, load_category('mug'), SIZE, AugmentationConfig(), seed=3)
    count = 0
    for position in range(12):
        item = {key: value.numpy() for key, value in data[position].items()}
        matched = item['matched']
        count += matched.sum()
        for view, uv in ((0, item['uv'][0]), (1, item['match_uv'])):
            intrinsics, z = item['K'][view], DEPTH_MM / 1000
            xy = (uv[matched] - intrinsics[:2, 2]) / np.diag(intrinsics)[:2] * z
            p_virtual = np.concatenate([xy, np.full((len(xy), 1), z)], 1)
            along = (p_virtual - item['origins_m'][view, 0, 0]) @ item['axes'][view, 0].T
            np.testing.assert_allclose(along[:, 0], item['p_object'][matched, 2], atol=1e-4)
            np.testing.assert_allclose(along[:, 1], item['p_object'][matched, 0], atol=1e-4)
    assert count > 200
    assert all(torch.equal(data[1][key], data[1][key]) for key in data[1])


def test_distorted_colours_keep_the_place_of_everything_and_repeat_with_their_seed():
    rgb = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    first, again, other = (distort_colour(rgb, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == np.uint8
    assert first.shape == rgb.shape
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    flat = np.full((8, 8, 3), (200, 90, 30), np.uint8)
    assert (np.ptp(distort_colour(flat, np.random.default_rng(1)).reshape(-1, 3), axis=0) == 0).all()


def test_a_fifth_of_the_distorted_images_is_grey():
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[:, :2], rgb[:, 2:] = (200, 90, 30), (20, 120, 200)
    looks = [distort_colour(rgb, np.random.default_rng(seed)) for seed in range(400)]
    grey = np.mean([(np.ptp(look, axis=-1) <= 1).all() for look in looks])
    assert 0.13 < grey < 0.27
