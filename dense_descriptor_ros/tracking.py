"""Identities over time: which object of an image is which of those seen before, and a low pass on its frames.

Works in a frame in which objects stand still while the camera may move. Each is expected where constant
velocity takes it, and all are assigned at once by least squares, the likeliest way under Gaussian noise.
"""

import math
from dataclasses import dataclass, field, replace
from itertools import count, product

import numpy as np
from scipy.optimize import linear_sum_assignment

from dense_descriptor_ros.errors import ConfigError, InputError
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import angle_deg, frame_rotation, inverse

VELOCITY_S = 0.2
"""Time constant of the velocity's low pass: 5 mm of noise become 25 mm/s, or 1 mm in an interval of 30 Hz."""
COAST_S = 0.5
"""An object that is not seen is expected to keep its velocity for so long, and then to stand."""
STEADIEST = {'body': 0, 'opening': 1, 'handle': 2}
"""Parts by which an object is found again, those first that are measured best; others come after them."""
NO_MATCH = 1.001
"""Cost of leaving an object and a track unassigned: just above the worst match, which costs 1."""

Parts = dict[str, AffordanceFrame]
"""The frames of one object by part, fixed frame."""


@dataclass(frozen=True)
class TrackingConfig:
    """How objects are followed; the defaults are for a table-top seen at 5 to 30 Hz."""

    gate_m: float = 0.08
    """An object is so near to where it was or is expected: within a mug's width, as two bodies cannot be, and
    wide enough for one that starts to move at 0.4 m/s at 5 Hz."""
    forget_after_s: float = 1.0
    """An object unseen for longer is a new one; a hand that passes hides it for less."""
    smoothing_s: float = 0.0
    """Time constant of the low pass; 0 is off."""
    moved_m: float = 0.01
    """A keypoint that departs by more has moved: of a still object, 99 of 100 lie within 6 mm of their mean
    (shipped network, simulated depth camera at 0.9 m)."""
    moved_deg: float = 10.0
    """Likewise for its axes, with 7 degrees."""

    def __post_init__(self) -> None:
        for name in ('gate_m', 'moved_m'):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected a finite number above 0')
        for name in ('forget_after_s', 'smoothing_s'):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f'{name} is {getattr(self, name)}: expected a finite number, 0 or more')
        if not 0 < self.moved_deg <= 45:
            raise ConfigError(f'moved_deg is {self.moved_deg}: expected above 0 and at most 45')


@dataclass(frozen=True)
class Sighting:
    """A part when it was last seen, and how it was then published; fixed frame."""

    seen_s: float
    keypoint_m: np.ndarray
    """(3,) as measured, and since then carried along with the rest of its object."""
    shown: AffordanceFrame


@dataclass
class Track:
    """An object over time, fixed frame."""

    identity: int
    category: str
    first_s: float
    seen_s: float
    parts: dict[str, Sighting] = field(default_factory=dict)
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(3))
    """(3,) metres a second."""

    def reach_m(self, stamp_s: float) -> np.ndarray:
        """How far (3,) it is expected to have moved since it was seen."""
        return self.velocity * min(stamp_s - self.seen_s, COAST_S)


class Tracker:
    """Gives each object an identity that stays with it and that no other object of this tracker gets."""

    def __init__(self, config: TrackingConfig | None = None) -> None:
        self.config = config or TrackingConfig()
        self._identities = count()
        self.reset()

    def reset(self) -> None:
        """Forget every object; their identities are not given again."""
        self._tracks: list[Track] = []
        self._stamp_s = -math.inf

    def update(
        self, frames: list[AffordanceFrame], stamp_s: float, T_fixed_camera: np.ndarray
    ) -> list[AffordanceFrame]:
        """The frames of an image, camera frame, with identities as `instance`, ages and, if on, smoothing.

        Sorted by identity, parts in the order given. A stamp before the last one forgets every object, since
        a recording starts over. Frames without scale have no place in space by which to find them again: they
        get a new identity in every image, and age 0.

        Args:
            frames: of one image, camera frame; those of one object share category and instance.
            stamp_s: of the image; it may be the last one's again.
            T_fixed_camera: (4, 4) pose of the camera in a frame in which objects stand still; the identity if
                it does so itself.

        Raises:
            InputError: the stamp, the pose or a frame is not finite, or an axis is no direction.
        """
        check_input(frames, stamp_s, T_fixed_camera)
        if stamp_s < self._stamp_s:
            self.reset()
        self._tracks = [t for t in self._tracks if stamp_s - t.seen_s <= self.config.forget_after_s]
        scaled = [frame.transformed(T_fixed_camera) for frame in frames if frame.scale_known]
        T_camera_fixed = inverse(T_fixed_camera)
        shown = [frame.transformed(T_camera_fixed) for frame in self._follow(by_object(scaled), stamp_s)]
        for parts in by_object([frame for frame in frames if not frame.scale_known]):
            identity = next(self._identities)
            shown += [replace(frame, instance=identity, age_s=0.0) for frame in parts.values()]
        self._stamp_s = stamp_s
        return sorted(shown, key=lambda frame: frame.instance)

    def _follow(self, objects: list[Parts], stamp_s: float) -> list[AffordanceFrame]:
        """The frames of the objects as they are published, fixed frame."""
        tracks = assign(self._tracks, objects, stamp_s, self.config.gate_m)
        shown = []
        for index, parts in enumerate(objects):
            if index in tracks:
                carry(tracks[index], parts, stamp_s)
            else:
                category = next(iter(parts.values())).category
                tracks[index] = Track(next(self._identities), category, first_s=stamp_s, seen_s=stamp_s)
                self._tracks.append(tracks[index])
            shown += [self._show(tracks[index], part, stamp_s) for part in parts.values()]
        return shown

    def _show(self, track: Track, measured: AffordanceFrame, stamp_s: float) -> AffordanceFrame:
        """Remember a part of a track's object, and return its frame as it is published."""
        shown, last = measured, track.parts.get(measured.part)
        if last and last.seen_s == self._stamp_s:  # else it was missing, and nobody knows what it did
            shown = low_passed(last.shown, measured, stamp_s - last.seen_s, self.config)
        track.parts[measured.part] = Sighting(stamp_s, measured.origin_m, shown)
        return replace(shown, instance=track.identity, age_s=stamp_s - track.first_s)


def check_input(frames: list[AffordanceFrame], stamp_s: float, T_fixed_camera: np.ndarray) -> None:
    """Raise InputError on what would stay in the tracks and spoil every later image."""
    if not math.isfinite(stamp_s):
        raise InputError(f'stamp_s is {stamp_s}: expected a finite number of seconds')
    if T_fixed_camera.shape != (4, 4) or not np.isfinite(T_fixed_camera).all():
        raise InputError(f'T_fixed_camera is {T_fixed_camera.tolist()}: expected a finite (4, 4) pose')
    for frame in frames:
        if not np.isfinite(frame.T_camera_part()).all():
            raise InputError(f'{frame.part} of a {frame.category} is at {frame.origin_m}: expected metres')


def by_object(frames: list[AffordanceFrame]) -> list[Parts]:
    """The frames of each object by part, both in their order."""
    objects: dict[tuple[str, int], Parts] = {}
    for frame in frames:
        objects.setdefault((frame.category, frame.instance), {})[frame.part] = frame
    return list(objects.values())


def assign(tracks: list[Track], objects: list[Parts], stamp_s: float, gate_m: float) -> dict[int, Track]:
    """Tracks of the objects that have one, by index (Kuhn 1955: https://doi.org/10.1002/nav.3800020109)."""
    cost = np.full((len(tracks), len(objects)), NO_MATCH)
    for (row, track), (column, parts) in product(enumerate(tracks), enumerate(objects)):
        if next(iter(parts.values())).category == track.category:
            cost[row, column] = mismatch(offset_between(track, parts), track.reach_m(stamp_s), gate_m)
    rows, columns = linear_sum_assignment(cost)
    return {int(j): tracks[i] for i, j in zip(rows, columns, strict=True) if cost[i, j] < NO_MATCH}


def offset_between(track: Track, parts: Parts) -> np.ndarray:
    """Offset (3,) of an object from where a track was seen.

    With no part in common (one passed the score's threshold then, the other now) it is between their nearest
    keypoints: these are of two parts and far enough apart for such a pair to yield to one of the same part.
    """
    name = part_in_common(track, parts)
    if name is not None:
        return parts[name].origin_m - track.parts[name].keypoint_m
    pairs = product(track.parts.values(), parts.values())
    return min((now.origin_m - then.keypoint_m for then, now in pairs), key=lambda offset: offset @ offset)


def part_in_common(track: Track, parts: Parts) -> str | None:
    """The steadiest of the parts seen last: one only carried along since may have turned about them."""
    shared = [name for name in parts if name in track.parts]
    rank = {name: (-track.parts[name].seen_s, STEADIEST.get(name, len(STEADIEST))) for name in shared}
    return min(shared, key=rank.__getitem__, default=None)


def mismatch(offset_m: np.ndarray, reach_m: np.ndarray, gate_m: float) -> float:
    """Cost of a match, 1 at the gate: the squared distance of an offset (3,) from the expected one (3,).

    The gate is around all of the way to where the object is expected, since it may have stopped.
    """
    done = np.clip(offset_m @ reach_m / max(reach_m @ reach_m, 1e-12), 0, 1)
    if np.linalg.norm(offset_m - done * reach_m) > gate_m:
        return NO_MATCH
    return min(float(np.sum((offset_m - reach_m) ** 2)) / gate_m**2, 1.0)


def carry(track: Track, parts: Parts, stamp_s: float) -> None:
    """Move a track and all its parts to where its object is now, and update its velocity."""
    moved_m, elapsed_s = track.reach_m(stamp_s), stamp_s - track.seen_s
    if part_in_common(track, parts) is not None:
        moved_m = offset_between(track, parts)
        if elapsed_s > 0:
            share = -math.expm1(-elapsed_s / VELOCITY_S)
            track.velocity = track.velocity + share * (moved_m / elapsed_s - track.velocity)
    track.parts = {k: replace(p, keypoint_m=p.keypoint_m + moved_m) for k, p in track.parts.items()}
    track.seen_s = stamp_s


def low_passed(
    shown: AffordanceFrame, measured: AffordanceFrame, elapsed_s: float, config: TrackingConfig
) -> AffordanceFrame:
    """What to publish of a part after what was shown of it: a mean of both, or the measurement if it moved.

    First order, exact for any interval: the measurement's share is a = 1 - exp(-elapsed / smoothing), and
    white noise keeps a / (2 - a) of its variance.
    """
    if not config.smoothing_s or departs(shown, measured, config):
        return measured
    share = -math.expm1(-elapsed_s / config.smoothing_s)
    axis, second = shown.axis + share * (measured.axis - shown.axis), measured.second_axis
    if second is not None:
        start = second if shown.second_axis is None else shown.second_axis
        second = frame_rotation(axis, start + share * (second - start))[:, 0]
    origin_m = shown.origin_m + share * (measured.origin_m - shown.origin_m)
    return replace(measured, origin_m=origin_m, axis=axis / np.linalg.norm(axis), second_axis=second)


def departs(shown: AffordanceFrame, measured: AffordanceFrame, config: TrackingConfig) -> bool:
    """Whether a part moved or turned by more than noise would."""
    turned_deg = angle_deg(shown.axis, measured.axis)
    if shown.second_axis is not None and measured.second_axis is not None:
        turned_deg = max(turned_deg, angle_deg(shown.second_axis, measured.second_axis))
    moved_m = np.linalg.norm(measured.origin_m - shown.origin_m)
    return bool(moved_m > config.moved_m or turned_deg > config.moved_deg)
