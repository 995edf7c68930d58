"""What holds of tracking and smoothing whatever the images show."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tracked_mugs import OFFSETS, Y, identities, mug, noisy, rotation

from dense_descriptor_ros.geometry import angle_deg, inverse, transform
from dense_descriptor_ros.tracking import Tracker, TrackingConfig


def random_images(rng):
    """Images of mugs that stand, wander, jump, hide and lose parts; stamps repeat, pause and go back.

    Every frame has a score of its own, by which its result is known.
    """
    count = rng.integers(2, 7)
    centres = rng.uniform(-0.3, 0.3, (count, 3))
    velocity = rng.normal(0, 0.15, (count, 3)) * (rng.random((count, 1)) < 0.5)
    rotations = Rotation.random(count, rng).as_matrix()
    stamp_s = 1.7e9
    for _ in range(60):
        step_s = rng.choice([0, 1 / 30, 0.1, 0.2, 2.0, -5.0], p=[0.1, 0.4, 0.3, 0.16, 0.02, 0.02])
        stamp_s += step_s
        centres += velocity * abs(step_s) + (rng.random((count, 1)) < 0.03) * 0.3
        T_fixed_camera = transform(rotation(Y, rng.normal(0, 0.1)), rng.normal(0, 0.1, 3))
        frames = []
        for instance, k in enumerate(k for k in rng.permutation(count) if rng.random() < 0.9):
            parts = [part for part in OFFSETS if rng.random() < 0.8]
            for frame in mug(instance, centres[k], parts, rotations[k]):
                measured = noisy(rng, frame, 0.003, 0.05).transformed(inverse(T_fixed_camera))
                second = measured.second_axis if rng.random() < 0.8 else None
                frames.append(replace(measured, score=rng.random(), second_axis=second))
        yield frames, stamp_s, T_fixed_camera


@pytest.mark.parametrize('seed', range(8))
def test_random_images(seed):
    rng = np.random.default_rng(seed)
    config = TrackingConfig(smoothing_s=float(rng.uniform(0.1, 2)))
    tracker = Tracker(config)
    first_seen, last_seen, previous_s, smoothed = {}, {}, -np.inf, 0
    retired = set()
    for frames, stamp_s, T_fixed_camera in random_images(rng):
        found = tracker.update(frames, stamp_s, T_fixed_camera)
        measured = {frame.score: frame for frame in frames}
        assert {frame.score for frame in found} == set(measured)

        # Objects and identities are one to one, and sorted.
        pairs = [(measured[frame.score].instance, frame.instance) for frame in found]
        assert len(set(pairs)) == len({one for one, _ in pairs}) == len({one for _, one in pairs})
        assert identities(found) == sorted(identities(found))

        # No identity comes back from before a restart or after its time.
        if stamp_s < previous_s:
            retired, last_seen = set(first_seen), {}
        assert not retired & set(identities(found))
        for frame in found:
            assert stamp_s - last_seen.get(frame.instance, stamp_s) <= config.forget_after_s
            assert frame.age_s == stamp_s - first_seen.setdefault(frame.instance, stamp_s)
        last_seen |= {frame.instance: stamp_s for frame in found}
        previous_s = stamp_s

        for frame in found:
            smoothed += check_bounds(measured[frame.score], frame, config)
    assert smoothed > 50


def check_bounds(measured, shown, config):
    """Check that a result is a frame and near its measurement; whether it is not the same."""
    moved_m = np.linalg.norm(shown.origin_m - measured.origin_m)
    assert moved_m <= config.moved_m + 1e-12
    assert np.linalg.norm(shown.axis) == pytest.approx(1)
    assert angle_deg(shown.axis, measured.axis) <= config.moved_deg + 1e-5
    assert shown.orientation_complete == measured.orientation_complete
    if shown.orientation_complete:
        assert shown.axis @ shown.second_axis == pytest.approx(0, abs=1e-9)
        assert np.linalg.norm(shown.second_axis) == pytest.approx(1)
        assert angle_deg(shown.second_axis, measured.second_axis) <= config.moved_deg + 1e-5
    return moved_m > 1e-9
