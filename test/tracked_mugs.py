"""Mugs for the tests of the tracker."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import transform

X, Y, Z = np.eye(3)
OFFSETS = {'body': np.zeros(3), 'handle': 0.065 * X, 'opening': 0.045 * Z}
AXES = {'body': (Z, X), 'handle': (X, Z), 'opening': (Z, X)}
STILL = np.eye(4)


def mug(instance, centre, parts=('body', 'handle', 'opening'), R=STILL[:3, :3], **changes):
    """Frames of a mug of this centre and rotation."""
    return [
        AffordanceFrame(
            'mug', part, instance, 0.9, centre + R @ OFFSETS[part], R @ AXES[part][0], R @ AXES[part][1]
        )
        for part in parts
    ]


def body(instance, centre):
    return mug(instance, np.asarray(centre, float), ('body',))


def identities(frames):
    return [frame.instance for frame in frames]


def seen(tracker, stamp_s, *centres, parts=('body', 'handle', 'opening')):
    """Identities of mugs seen at these centres, in that order."""
    frames = [frame for i, c in enumerate(centres) for frame in mug(i, np.asarray(c, float), parts)]
    found = tracker.update(frames, stamp_s, STILL)
    by_place = {tuple(np.round(frame.origin_m, 9)): frame.instance for frame in found}
    firsts = [frame for frame in frames if frame.part == parts[0]]
    return [by_place[tuple(np.round(frame.origin_m, 9))] for frame in firsts]


def rotation(axis, angle):
    """Rotation (3, 3) about a unit axis."""
    return Rotation.from_rotvec(angle * axis).as_matrix()


def noisy(rng, frame, origin_m, angle):
    """The frame with Gaussian noise of this standard deviation on keypoint and rotation vector."""
    R = Rotation.from_rotvec(rng.normal(0, angle, 3)).as_matrix()
    second = None if frame.second_axis is None else R @ frame.second_axis
    origin = frame.origin_m + rng.normal(0, origin_m, 3)
    return replace(frame, origin_m=origin, axis=R @ frame.axis, second_axis=second)


def moving_camera(time_s):
    return transform(rotation(0.6 * X + 0.8 * Z, time_s), np.array([1.0 * time_s, 0.5, -0.2 * time_s]))
