"""What the network found as messages. Each function takes the header of the image and returns one message."""

from collections.abc import Iterable, Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, PoseArray, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import rotation_to_quaternion
from dense_descriptor_ros.msg import AffordanceFrame as AffordanceFrameMessage
from dense_descriptor_ros.msg import AffordanceFrameArray
from dense_descriptor_ros.visualize import AXIS_COLOURS

ARROW_LENGTH_M = 0.06
ARROW_DIAMETER_M = 0.004
KEYPOINT_DIAMETER_M = 0.012
TEXT_HEIGHT_M = 0.015
WHITE = (255, 255, 255)


def affordance_frames(
    header: Header, frames: Iterable[AffordanceFrame], time_s: float
) -> AffordanceFrameArray:
    """Every frame of one image; `time_s` is the wall time of the inference."""
    return AffordanceFrameArray(
        header=header, frames=[affordance_frame(frame) for frame in frames], processing_time=duration(time_s)
    )


def affordance_frame(frame: AffordanceFrame) -> AffordanceFrameMessage:
    """One frame."""
    return AffordanceFrameMessage(
        category=frame.category,
        part=frame.part,
        instance_id=frame.instance,
        score=float(frame.score),
        pose=pose(frame.T_camera_part()),
        orientation_complete=frame.orientation_complete,
        axis=Vector3(**dict(zip('xyz', map(float, frame.axis), strict=True))),
    )


def pose_array(header: Header, frames: Iterable[AffordanceFrame]) -> PoseArray:
    """The pose of every frame, in their order."""
    return PoseArray(header=header, poses=[pose(frame.T_camera_part()) for frame in frames])


def marker_array(header: Header, frames: Sequence[AffordanceFrame]) -> MarkerArray:
    """Arrows along the axes, coloured as in `draw_frames`, spheres and labels; those of the last image go."""
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for frame in frames:
        markers += [keypoint_marker(frame), label_marker(frame), arrow_marker(frame, 'axis', frame.axis, 2)]
        if frame.second_axis is not None:
            markers.append(arrow_marker(frame, 'second_axis', frame.second_axis, 0))
    for number, marker in enumerate(markers):
        marker.header, marker.id = header, number
    return MarkerArray(markers=markers)


def keypoint_marker(frame: AffordanceFrame) -> Marker:
    """Sphere on the keypoint."""
    diameter = Vector3(x=KEYPOINT_DIAMETER_M, y=KEYPOINT_DIAMETER_M, z=KEYPOINT_DIAMETER_M)
    return Marker(
        ns='keypoint',
        type=Marker.SPHERE,
        pose=Pose(position=point(frame.origin_m)),
        scale=diameter,
        color=colour(WHITE),
    )


def label_marker(frame: AffordanceFrame) -> Marker:
    """Part and score, just above the keypoint in the image."""
    above = frame.origin_m - np.array([0, 0.02, 0])
    return Marker(
        ns='label',
        type=Marker.TEXT_VIEW_FACING,
        pose=Pose(position=point(above)),
        scale=Vector3(z=TEXT_HEIGHT_M),
        color=colour(WHITE),
        text=f'{frame.part} {frame.score:.2f}',
    )


def arrow_marker(frame: AffordanceFrame, namespace: str, direction: np.ndarray, column: int) -> Marker:
    """Arrow from the keypoint in a direction, in the colour of the x, y or z axis."""
    return Marker(
        ns=namespace,
        type=Marker.ARROW,
        color=colour(AXIS_COLOURS[column]),
        points=[point(frame.origin_m), point(frame.origin_m + ARROW_LENGTH_M * direction)],
        scale=Vector3(x=ARROW_DIAMETER_M, y=2 * ARROW_DIAMETER_M, z=3 * ARROW_DIAMETER_M),
    )


def pose(T: np.ndarray) -> Pose:
    """Message of a rigid transform (4, 4)."""
    x, y, z, w = map(float, rotation_to_quaternion(T[:3, :3]))
    return Pose(position=point(T[:3, 3]), orientation=Quaternion(x=x, y=y, z=z, w=w))


def point(p: np.ndarray) -> Point:
    """Message of a point (3,)."""
    x, y, z = map(float, p)
    return Point(x=x, y=y, z=z)


def colour(rgb: tuple[int, int, int]) -> ColorRGBA:
    """Opaque colour of 8-bit components."""
    r, g, b = (component / 255 for component in rgb)
    return ColorRGBA(r=r, g=g, b=b, a=1.0)


def duration(time_s: float) -> Duration:
    """Message of a time span in seconds."""
    sec, nanosec = divmod(round(time_s * 1e9), 10**9)
    return Duration(sec=sec, nanosec=nanosec)
