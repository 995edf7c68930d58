"""What the network found as messages, made by the factory that each function takes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import rotation_to_quaternion
from dense_descriptor_ros.ros.message_types import Make
from dense_descriptor_ros.visualize import AXIS_COLOURS

if TYPE_CHECKING:
    from builtin_interfaces.msg import Duration
    from geometry_msgs.msg import Point, Pose, PoseArray, Vector3
    from std_msgs.msg import ColorRGBA, Header
    from visualization_msgs.msg import Marker, MarkerArray

    from dense_descriptor_ros.msg import AffordanceFrame as AffordanceFrameMessage
    from dense_descriptor_ros.msg import AffordanceFrameArray

MARKER = 'visualization_msgs/msg/Marker'
# https://github.com/ros2/common_interfaces/blob/kilted/visualization_msgs/msg/Marker.msg
ARROW, SPHERE, TEXT_VIEW_FACING = 0, 2, 9
DELETEALL = 3

ARROW_LENGTH_M = 0.06
ARROW_DIAMETER_M = 0.004
KEYPOINT_DIAMETER_M = 0.012
TEXT_HEIGHT_M = 0.015
WHITE = (255, 255, 255)


def affordance_frames(
    make: Make, header: Header, frames: Iterable[AffordanceFrame], time_s: float
) -> AffordanceFrameArray:
    """Every frame of one image; `time_s` is the wall time of the inference."""
    return make(
        'dense_descriptor_ros/msg/AffordanceFrameArray',
        header=header,
        frames=[affordance_frame(make, frame) for frame in frames],
        processing_time=duration(make, time_s),
    )


def affordance_frame(make: Make, frame: AffordanceFrame) -> AffordanceFrameMessage:
    """One frame."""
    return make(
        'dense_descriptor_ros/msg/AffordanceFrame',
        category=frame.category,
        part=frame.part,
        instance_id=frame.instance,
        age=duration(make, frame.age_s),
        score=float(frame.score),
        pose=pose(make, frame.T_camera_part()),
        orientation_complete=frame.orientation_complete,
        axis=vector(make, *frame.axis),
    )


def pose_array(make: Make, header: Header, frames: Iterable[AffordanceFrame]) -> PoseArray:
    """The pose of every frame, in their order."""
    poses = [pose(make, frame.T_camera_part()) for frame in frames]
    return make('geometry_msgs/msg/PoseArray', header=header, poses=poses)


def marker_array(make: Make, header: Header, frames: Sequence[AffordanceFrame]) -> MarkerArray:
    """Arrows along the axes, coloured as in `draw_frames`, spheres and labels; those of the last image go."""
    markers = [make(MARKER, action=DELETEALL)]
    for frame in frames:
        markers += [keypoint_marker(make, frame), label_marker(make, frame)]
        markers.append(arrow_marker(make, frame, 'axis', frame.axis, 2))
        if frame.second_axis is not None:
            markers.append(arrow_marker(make, frame, 'second_axis', frame.second_axis, 0))
    for number, marker in enumerate(markers):
        marker.header, marker.id = header, number
    return make('visualization_msgs/msg/MarkerArray', markers=markers)


def detections(make: Make, header: Header, frames: Sequence[AffordanceFrame]) -> Any:
    """vision_msgs/Detection3DArray: each object by its first frame; its size is not estimated and stays 0."""
    found = []
    for instance, group in groupby(frames, key=lambda frame: frame.instance):
        first, *rest = group
        hypothesis = make(
            'vision_msgs/msg/ObjectHypothesis',
            class_id=first.category,
            score=max(float(frame.score) for frame in (first, *rest)),
        )
        where = pose(make, first.T_camera_part())
        result = make(
            'vision_msgs/msg/ObjectHypothesisWithPose',
            hypothesis=hypothesis,
            pose=make('geometry_msgs/msg/PoseWithCovariance', pose=where),
        )
        box = make('vision_msgs/msg/BoundingBox3D', center=where)
        found.append(
            make('vision_msgs/msg/Detection3D', header=header, results=[result], bbox=box, id=str(instance))
        )
    return make('vision_msgs/msg/Detection3DArray', header=header, detections=found)


def keypoint_marker(make: Make, frame: AffordanceFrame) -> Marker:
    """Sphere on the keypoint."""
    return make(
        MARKER,
        ns='keypoint',
        type=SPHERE,
        pose=make('geometry_msgs/msg/Pose', position=point(make, frame.origin_m)),
        scale=vector(make, KEYPOINT_DIAMETER_M, KEYPOINT_DIAMETER_M, KEYPOINT_DIAMETER_M),
        color=colour(make, WHITE),
    )


def label_marker(make: Make, frame: AffordanceFrame) -> Marker:
    """Part and score, just above the keypoint in the image."""
    above = frame.origin_m - np.array([0, 0.02, 0])
    return make(
        MARKER,
        ns='label',
        type=TEXT_VIEW_FACING,
        pose=make('geometry_msgs/msg/Pose', position=point(make, above)),
        scale=vector(make, 0.0, 0.0, TEXT_HEIGHT_M),
        color=colour(make, WHITE),
        text=f'{frame.part} {frame.score:.2f}',
    )


def arrow_marker(
    make: Make, frame: AffordanceFrame, namespace: str, direction: np.ndarray, column: int
) -> Marker:
    """Arrow from the keypoint in a direction, in the colour of the x, y or z axis."""
    end = frame.origin_m + ARROW_LENGTH_M * direction
    return make(
        MARKER,
        ns=namespace,
        type=ARROW,
        color=colour(make, AXIS_COLOURS[column]),
        points=[point(make, frame.origin_m), point(make, end)],
        scale=vector(make, ARROW_DIAMETER_M, 2 * ARROW_DIAMETER_M, 3 * ARROW_DIAMETER_M),
    )


def pose(make: Make, T: np.ndarray) -> Pose:
    """Message of a rigid transform (4, 4)."""
    x, y, z, w = map(float, rotation_to_quaternion(T[:3, :3]))
    orientation = make('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w)
    return make('geometry_msgs/msg/Pose', position=point(make, T[:3, 3]), orientation=orientation)


def point(make: Make, p: np.ndarray) -> Point:
    """Message of a point (3,)."""
    x, y, z = map(float, p)
    return make('geometry_msgs/msg/Point', x=x, y=y, z=z)


def vector(make: Make, x: float, y: float, z: float) -> Vector3:
    """Message of a direction, or of the sizes of a marker."""
    return make('geometry_msgs/msg/Vector3', x=float(x), y=float(y), z=float(z))


def colour(make: Make, rgb: tuple[int, int, int]) -> ColorRGBA:
    """Opaque colour of 8-bit components."""
    r, g, b = (component / 255 for component in rgb)
    return make('std_msgs/msg/ColorRGBA', r=r, g=g, b=b, a=1.0)


def duration(make: Make, time_s: float) -> Duration:
    """Message of a time span in seconds."""
    sec, nanosec = divmod(round(time_s * 1e9), 10**9)
    return make('builtin_interfaces/msg/Duration', sec=sec, nanosec=nanosec)
