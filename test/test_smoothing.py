"""The low pass on the frames of tracked objects."""

from dataclasses import replace

import numpy as np
import pytest
from tracked_mugs import AXES, OFFSETS, STILL, X, Y, Z, body, moving_camera, mug, noisy, rotation

from dense_descriptor_ros.geometry import inverse
from dense_descriptor_ros.tracking import Tracker, TrackingConfig


def test_a_smoothed_still_object_is_quieter_by_the_filters_factor():
    rng, dt, tau = np.random.default_rng(0), 0.1, 0.5
    tracker = Tracker(TrackingConfig(smoothing_s=tau, moved_m=0.1, moved_deg=45))
    truth, noise_m, noise_rad = mug(0, Z), 0.003, 0.02
    measured, shown = [], []
    for k in range(1500):
        measured.append([noisy(rng, frame, noise_m, noise_rad) for frame in truth])
        shown.append(tracker.update(measured[-1], k * dt, STILL))
    a = 1 - np.exp(-dt / tau)

    def left(value):
        variance = [np.var([[value(f) for f in frames] for frames in x[100:]], 0) for x in (measured, shown)]
        return variance[1].sum() / variance[0].sum()

    assert left(lambda frame: frame.origin_m) == pytest.approx(a / (2 - a), rel=0.1)
    assert left(lambda frame: frame.axis) == pytest.approx(a / (2 - a), rel=0.1)
    assert left(lambda frame: frame.second_axis) == pytest.approx(a / (2 - a), rel=0.1)


@pytest.mark.parametrize('rate_hz', [5, 30])
def test_the_step_response_does_not_depend_on_the_rate(rate_hz):
    tau = 0.5
    tracker = Tracker(TrackingConfig(smoothing_s=tau))
    tracker.update(body(0, 0 * X), 0.0, STILL)
    for k in range(1, rate_hz + 1):
        found = tracker.update(body(0, 0.008 * X), k / rate_hz, STILL)
        expected = 0.008 * (1 - np.exp(-k / rate_hz / tau))
        np.testing.assert_allclose(found[0].origin_m, expected * X, atol=1e-12)


def test_axes_turn_by_the_filters_share():
    tau, turn = 1.0, np.radians(5)
    tracker = Tracker(TrackingConfig(smoothing_s=tau))
    tracker.update(mug(0, 0 * X), 0.0, STILL)
    found = tracker.update(mug(0, 0 * X, R=rotation(Y, turn)), np.log(2), STILL)
    half = rotation(Y, turn / 2)
    for frame in found:
        axis, second = AXES[frame.part]
        np.testing.assert_allclose(frame.axis, half @ axis, atol=1e-12)
        np.testing.assert_allclose(frame.second_axis, half @ second, atol=1e-12)


@pytest.mark.parametrize(
    ('centre', 'R'),
    [
        (0.011 * X, np.eye(3)),
        (0 * X, rotation(Y, np.radians(11))),
        (0 * X, rotation(X, np.radians(11))),
        (0 * X, rotation(Z, np.radians(11))),
    ],
    ids=['keypoint', 'axes', 'axis', 'second axis'],
)
def test_a_movement_is_followed_at_once(centre, R):
    tracker = Tracker(TrackingConfig(smoothing_s=100.0, moved_m=0.01, moved_deg=10))
    for k in range(10):
        tracker.update(mug(0, 0 * X, ('body',)), k / 30, STILL)
    moved = mug(0, centre, ('body',), R)
    found = tracker.update(moved, 10 / 30, STILL)
    np.testing.assert_allclose(found[0].T_camera_part(), moved[0].T_camera_part(), atol=1e-12)
    # And from there on smoothing goes on.
    nudged = tracker.update(mug(0, centre + 0.005 * X, ('body',), R), 11 / 30, STILL)
    np.testing.assert_allclose(nudged[0].origin_m, centre, atol=1e-5)


@pytest.mark.parametrize('all_hidden', [True, False])
def test_a_part_that_was_missing_starts_from_its_measurement(all_hidden):
    tracker = Tracker(TrackingConfig(smoothing_s=100.0))
    tracker.update(mug(0, 0 * X), 0.0, STILL)
    tracker.update([] if all_hidden else mug(0, 0 * X, ('body',)), 0.1, STILL)
    found = tracker.update(mug(0, 0.005 * X), 0.2, STILL)
    places = {frame.part: frame.origin_m - OFFSETS[frame.part] for frame in found}
    np.testing.assert_allclose(places['handle'], 0.005 * X, atol=1e-12)
    np.testing.assert_allclose(places['body'], (0.005 if all_hidden else 0) * X, atol=1e-5)


def test_a_second_axis_comes_and_goes():
    tracker = Tracker(TrackingConfig(smoothing_s=1.0))
    R = rotation(Y, np.radians(4))
    tracker.update([replace(body(0, Z)[0], second_axis=None)], 0.0, STILL)
    found = tracker.update(mug(0, Z, ('body',), R), np.log(2), STILL)[0]
    np.testing.assert_allclose(found.second_axis, rotation(Y, np.radians(2)) @ X, atol=1e-12)
    found = tracker.update([replace(body(0, Z)[0], second_axis=None)], 2 * np.log(2), STILL)[0]
    assert found.second_axis is None


def test_smoothing_is_done_where_objects_stand_still():
    """Through a camera that moves, the frames of a still object come out as they went in."""
    tracker = Tracker(TrackingConfig(smoothing_s=100.0))
    in_fixed = mug(0, np.array([0.4, 0.1, 1.2]))
    for k in range(20):
        T_fixed_camera = moving_camera(k / 20)
        frames = [frame.transformed(inverse(T_fixed_camera)) for frame in in_fixed]
        for frame, result in zip(frames, tracker.update(frames, k / 20, T_fixed_camera), strict=True):
            np.testing.assert_allclose(result.T_camera_part(), frame.T_camera_part(), atol=1e-9)
