from dataclasses import replace
from types import SimpleNamespace

import frozen_views as known
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_bop import CY, HEIGHT, SCALE, WIDTH, centre_px, write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import ConfigError, DatasetError, InputError
from dense_descriptor_ros.geometry import pixel_grid, project
from dense_descriptor_ros.training.encoder import Encoder, ModelConfig
from dense_descriptor_ros.training.items.labels import view_labels
from dense_descriptor_ros.training.probes.components import principal_components
from dense_descriptor_ros.training.probes.descriptors import descriptor_source
from dense_descriptor_ros.training.probes.descriptors import probe as descriptor_probe
from dense_descriptor_ros.training.probes.frozen import FrozenFeatures, at_cells, reducing_camera
from dense_descriptor_ros.training.sources.bop import BopImages


@pytest.fixture
def images(tmp_path):
    return BopImages(open_bop(write_tiny_bop(tmp_path), 'test'), load_category('mug'))


def pooled(channels):
    """Each cell's mean channels at unit length."""
    return F.normalize(F.avg_pool2d(channels, 4), dim=1, eps=1e-6)


def counting(describe):
    """The representation, and how often it was asked."""
    calls = SimpleNamespace(count=0)

    def counted(channels):
        calls.count += 1
        return describe(channels)

    return counted, calls


def test_a_view_has_cells_of_stride_four_and_the_labels_of_their_centres(images):
    view = FrozenFeatures(pooled, images)[0]
    assert view.descriptors.shape == (9, HEIGHT // 4, WIDTH // 4)
    assert view.descriptors.dtype == torch.float16
    assert view.instances.shape == view.classes.shape == (HEIGHT // 4, WIDTH // 4)
    full = images[0]
    np.testing.assert_array_equal(view.image.rgb, full.rgb)
    np.testing.assert_array_equal(view.instances, full.instances[2::4, 2::4])
    assert view.objects == {1: 1}


def test_the_network_is_given_multiples_of_32_and_padding_is_cut_off(images):
    sizes = []

    def describe(channels):
        sizes.append(tuple(channels.shape))
        return pooled(channels)

    view = FrozenFeatures(describe, images)[0]
    assert sizes == [(1, 9, 128, 160)]
    assert view.descriptors.shape[-2:] == (30, 40)


def test_half_the_resolution_shows_the_same_at_half_the_pixel(images):
    full, half = FrozenFeatures(pooled, images)[0], FrozenFeatures(pooled, images, max_side_px=80)[0]
    assert half.image.rgb.shape == (HEIGHT // 2, WIDTH // 2, 3)
    point = np.array([0.03, -0.02, 1.0])
    np.testing.assert_allclose(project(half.image.K, point), (project(full.image.K, point) + 0.5) / 2 - 0.5)
    _, u = np.nonzero(half.image.instances)
    assert u.mean() == pytest.approx((centre_px(0) + 0.5) / 2 - 0.5, abs=0.5)
    assert half.image.depth_m[half.image.instances > 0].tolist() == pytest.approx([1.0] * len(u))
    assert len(u) * 4 == pytest.approx((full.image.instances > 0).sum(), rel=0.1)


def test_labels_of_a_view_agree_with_its_camera(images):
    view = FrozenFeatures(pooled, images, max_side_px=80)[0]
    labels = view_labels(images.dataset, view.view, view.view.depth_m(), view.camera, images.category)
    np.testing.assert_array_equal(at_cells(labels.instance_map), view.instances)
    np.testing.assert_array_equal(labels.p_virtual[..., 2], view.image.depth_m)


def test_small_images_are_not_enlarged_and_sides_stay_multiples_of_the_stride():
    camera = reducing_camera(np.eye(3), 121, 163, 640)
    assert (camera.width, camera.height) == (164, 120)
    camera = reducing_camera(np.eye(3), 480, 640, 320)
    assert (camera.width, camera.height) == (320, 240)


def test_views_are_described_once(images):
    describe, calls = counting(pooled)
    features = FrozenFeatures(describe, images)
    first, again = list(features), list(features)
    assert calls.count == len(images) == 4
    assert all(a is b for a, b in zip(first, again, strict=True))


def test_a_budget_bounds_what_is_kept_and_nothing_else(images):
    size = FrozenFeatures(pooled, images)[0].nbytes
    describe, calls = counting(pooled)
    features = FrozenFeatures(describe, images, budget_bytes=2 * size)
    first, again = list(features), list(features)
    assert calls.count == 4 + 2
    assert sum(view.nbytes for view in features._kept.values()) == 2 * size
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.descriptors, b.descriptors)


def test_a_count_spreads_over_the_split(images):
    features = FrozenFeatures(pooled, images, count=2)
    assert [(view.view.scene_id, view.view.im_id) for view in features] == [(0, 0), (1, 0)]
    assert images.views[0] in features
    assert features.of(images.views[2]) is features[1]
    with pytest.raises(InputError, match='scene 0, image 1 is none of these 2 views'):
        features.of(images.views[1])


def test_no_gradient_is_kept(images):
    model = ModelConfig(descriptor_dim=4, pyramid_channels=16, head_channels=16, last_stage_channels=32)
    encoder = Encoder(model).eval()
    view = FrozenFeatures(encoder.hypercolumns, images, max_side_px=64)[0]
    assert not view.descriptors.requires_grad
    lengths = view.descriptors.float().norm(dim=0)
    torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ('describe', 'message'),
    [
        (lambda c: F.avg_pool2d(c, 8), r'expected \(1, D, 32, 40\)'),
        (lambda c: pooled(c)[0], r'expected \(1, D, 32, 40\)'),
        (lambda c: pooled(c) * torch.nan, 'not finite'),
    ],
)
def test_what_is_no_descriptor_image_is_refused(images, describe, message):
    with pytest.raises(InputError, match=message):
        FrozenFeatures(describe, images)[0]


@pytest.mark.parametrize(('name', 'value'), [('max_side_px', 16), ('count', 0)])
def test_settings_outside_their_range_are_refused(images, name, value):
    with pytest.raises(ConfigError, match=f'{name} is {value}'):
        FrozenFeatures(pooled, images, **{name: value})


def test_the_adapter_gives_a_views_descriptors(images):
    features = FrozenFeatures(pooled, images)
    source = descriptor_source(features)
    found = source(images.views[3])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, features[3].descriptors.float().numpy())


def places(images):
    """A representation that knows where on the mug a cell is, asked for the views in turn."""
    views = iter(images.views)

    def describe(channels):
        view = next(views)
        scale = SCALE if view.scene_id else 1.0
        uv = (pixel_grid(*channels.shape[-2:]) - (centre_px(view.im_id), CY)) / (30 * scale)
        waves = np.concatenate([np.cos(uv), np.sin(uv)], -1) / np.sqrt(2)
        # A cell is centred between its pixels 1 and 2.
        return F.avg_pool2d(torch.from_numpy(waves.transpose(2, 0, 1))[None].float(), 4)

    return describe


def test_true_coordinates_match_and_random_ones_do_not(images):
    features = FrozenFeatures(places(images), images)
    list(features)  # in their order
    figures = descriptor_probe(features, pairs=4)
    assert figures['same_instance/mask/below_0.02'] == 1
    assert figures['same_instance/pairs'] == 4

    def noise(channels):
        return F.normalize(torch.randn(1, 8, 32, 40, generator=torch.Generator().manual_seed(0)), dim=1)

    shuffled = descriptor_probe(FrozenFeatures(noise, images), pairs=4)
    assert shuffled['same_instance/full/below_0.02'] < 0.1
    assert shuffled['dimensions'] == 8


def test_components_are_uncorrelated_and_of_unit_variance():
    views = known.views(known.surface_points, 3)
    components = principal_components(views, count=3)
    rows = torch.cat([components(view.descriptors).flatten(1).float() for view in views], 1)
    assert len(components) == 3
    assert rows.mean(1).abs().max() < 0.1
    torch.testing.assert_close(rows @ rows.T / rows.shape[1], torch.eye(3), atol=0.1, rtol=0)


def test_all_components_keep_what_the_descriptors_hold():
    view = known.views(known.noise, 1)[0]
    components = principal_components([view])
    assert len(components) == 16
    back = torch.linalg.pinv(components.basis) @ components(view.descriptors).flatten(1).float()
    expected = view.descriptors.flatten(1).float()
    torch.testing.assert_close(back + components.mean[:, None], expected, atol=2e-3, rtol=0)


def test_a_collapsed_representation_has_components_of_zero():
    views = known.views(known.nothing, 2)
    assert principal_components(views)(views[0].descriptors).abs().max() < 1e-3


def test_components_of_nothing_are_refused():
    with pytest.raises(DatasetError, match='no training views'):
        principal_components([])


def test_a_view_without_labels_says_so():
    view = known.views(known.noise, 1)[0]
    bare = replace(view, image=replace(view.image, instances=None, classes=None))
    with pytest.raises(InputError, match='the image has no instances'):
        _ = bare.instances
    with pytest.raises(InputError, match='the image has no classes'):
        _ = bare.classes
