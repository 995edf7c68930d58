import numpy as np
import pytest
import torch

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import Checkpoint
from dense_descriptor_ros.decode import DecodeConfig
from dense_descriptor_ros.engine import MAX_SIDE_PX, Engine, choose_device, fit_to_network
from dense_descriptor_ros.errors import ConfigError, InputError
from dense_descriptor_ros.geometry import back_project
from dense_descriptor_ros.model import DescriptorNet, ModelConfig
from dense_descriptor_ros.surface_code import CODE_DIM

K = np.array([[150.0, 0, 79.5], [0, 150, 59.5], [0, 0, 1]])


@pytest.fixture(scope='module')
def engine():
    torch.manual_seed(0)
    config = ModelConfig(descriptor_dim=5, pyramid_channels=16, head_channels=16, last_stage_channels=32)
    return Engine(Checkpoint(DescriptorNet(config, 3), config, load_category('mug')), 'cpu')


def rgbd(height=96, width=160, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 255, (height, width, 3), np.uint8), rng.uniform(0.5, 1, (height, width)).astype(
        np.float32
    )


def test_a_prediction_covers_the_image(engine):
    prediction = engine.infer(*rgbd(), K)
    assert prediction.descriptors.shape == (5 + CODE_DIM, 48, 80)
    assert prediction.object_score.shape == (48, 80)
    np.testing.assert_allclose(np.linalg.norm(prediction.descriptors, axis=0), 1, atol=1e-3)
    assert prediction.time_s > 0


def test_the_same_image_gives_the_same_prediction(engine):
    first, second = engine.infer(*rgbd(), K), engine.infer(*rgbd(), K)
    np.testing.assert_array_equal(first.descriptors, second.descriptors)
    assert len(first.frames) == len(second.frames)


def test_unknown_depth_may_be_zero_or_not_finite(engine):
    rgb, depth_m = rgbd()
    depth_m[:10] = 0
    other = depth_m.copy()
    other[:5], other[5:10] = np.nan, np.inf
    np.testing.assert_array_equal(
        engine.infer(rgb, depth_m, K).descriptors, engine.infer(rgb, other, K).descriptors
    )


@pytest.mark.parametrize(('height', 'width'), [(100, 150), (33, 47), (720, 1280), (1280, 720)])
def test_any_size_is_resized_to_whole_cells_with_matching_intrinsics(height, width):
    rgb, depth_m = rgbd(height, width)
    fitted_rgb, fitted_depth, fitted_K = fit_to_network(rgb, depth_m, K)
    h, w = fitted_depth.shape
    assert fitted_rgb.shape == (h, w, 3)
    assert h % 32 == w % 32 == 0
    assert max(h, w) <= MAX_SIDE_PX
    # The corners of the image see the same rays.
    for corner, fitted in (((-0.5, -0.5), (-0.5, -0.5)), ((width - 0.5, height - 0.5), (w - 0.5, h - 0.5))):
        one = np.array(1.0)
        np.testing.assert_allclose(
            back_project(fitted_K, np.array(fitted), one), back_project(K, np.array(corner), one)
        )


def test_resized_depth_stays_with_the_colour():
    # A ramp: each reduced pixel must have the depth of the original pixel at its centre.
    height, width = 480, 848
    ramp = np.arange(width, dtype=np.float32)
    rgb = np.broadcast_to((ramp / width * 255)[None, :, None], (height, width, 3)).astype(np.uint8)
    depth_m = np.broadcast_to(1 + ramp, (height, width)).copy()
    fitted_rgb, fitted_depth, _ = fit_to_network(rgb, depth_m, K)
    u = np.arange(fitted_depth.shape[1])
    original_u = (u + 0.5) * width / fitted_depth.shape[1] - 0.5
    assert np.abs(fitted_depth[0] - 1 - original_u).max() <= 0.51
    assert fitted_rgb.shape[:2] == fitted_depth.shape


RGB, DEPTH = rgbd()


@pytest.mark.parametrize(
    ('rgb', 'depth_m', 'K', 'message'),
    [
        (RGB.astype(np.float32), DEPTH, K, 'rgb is float32'),
        (RGB[..., 0], DEPTH, K, r'expected uint8 \(H, W, 3\)'),
        (RGB[:20, :20], DEPTH[:20, :20], K, 'at least 32x32'),
        (RGB, DEPTH[:-1], K, r'expected floats of shape \(96, 160\)'),
        (RGB, (DEPTH * 1000).astype(np.uint16), K, 'depth_m is uint16'),
        (RGB, DEPTH, np.zeros((3, 3)), 'positive focal lengths'),
        (RGB, DEPTH, K * np.nan, 'finite 3x3'),
        (RGB, DEPTH * 0, K, 'no pixel above 0'),
        (RGB, DEPTH * np.nan, K, 'no pixel above 0'),
    ],
)
def test_bad_input_is_named(engine, rgb, depth_m, K, message):
    with pytest.raises(InputError, match=message):
        engine.infer(rgb, depth_m, K)


@pytest.mark.parametrize('name', ['gpu', 'cuda:99', 'meta'])
def test_a_device_that_is_not_here_is_refused(name):
    with pytest.raises(ConfigError, match=name):
        choose_device(name)


@pytest.mark.parametrize(('side', 'expected'), [(240, 480), (320, 640), (500, 640), (640, 640), (1280, 640)])
def test_small_images_are_enlarged_up_to_twice(side, expected):
    rgb, depth_m, fitted_K = fit_to_network(*rgbd(side, side), K)
    assert rgb.shape[:2] == depth_m.shape == (expected, expected)
    assert fitted_K[0, 0] == pytest.approx(K[0, 0] * expected / side)


def test_colour_alone_gives_frames_of_unknown_scale(engine):
    generous = Engine(
        Checkpoint(engine._model, ModelConfig(descriptor_dim=5), load_category('mug')),
        'cpu',
        DecodeConfig(min_object_score=0.0, min_support_cells=1.0, score_threshold=0.0),
    )
    rgb, depth_m = rgbd()
    prediction = generous.infer_colour(rgb, K)
    assert prediction.frames
    assert not any(frame.scale_known for frame in prediction.frames)
    for frame in prediction.frames:
        if frame.part == 'body':
            assert frame.origin_m[2] == pytest.approx(1, abs=1e-3)
    assert (prediction.descriptors[5:] == 0).all()
    assert all(frame.scale_known for frame in generous.infer(rgb, depth_m, K).frames)
