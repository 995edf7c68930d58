"""Messages without ROS: made, converted and serialised by the `rosbags` library.

https://ternaris.gitlab.io/rosbags
"""

from functools import cache
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

# As in msg/, which is not installed with the Python sources; a test compares the two.
DEFINITIONS = {
    'dense_descriptor_ros/msg/AffordanceFrame': """
        string category
        string part
        uint32 instance_id
        builtin_interfaces/Duration age
        float32 score
        geometry_msgs/Pose pose
        bool orientation_complete
        geometry_msgs/Vector3 axis
    """,
    'dense_descriptor_ros/msg/AffordanceFrameArray': """
        std_msgs/Header header
        AffordanceFrame[] frames
        builtin_interfaces/Duration processing_time
    """,
}

# rosbags leaves out the defaults that definitions have; among the messages made here this is the only one.
# https://github.com/ros2/common_interfaces/blob/kilted/geometry_msgs/msg/Quaternion.msg
DEFAULTS = {('geometry_msgs/msg/Quaternion', 'w'): 1.0}


@cache
def message_types() -> Typestore:
    """Definitions of the ROS 2 messages that are written: the standard ones and this package's."""
    types = get_typestore(Stores.ROS2_KILTED)
    ours = {}
    for name, definition in DEFINITIONS.items():
        ours.update(get_types_from_msg(definition, name))
    types.register(ours)
    return types


def make_bag(type_name: str, /, **fields: Any) -> Any:
    """A message for a ROS 2 bag: a `message_types.Make`.

    Raises:
        TypeError: the type has no such field.
    """
    values = {}
    for name, kind in message_types().fielddefs[type_name][1]:
        if name in fields:
            values[name] = as_field(fields[name], kind)
        else:
            values[name] = DEFAULTS.get((type_name, name)) or default(kind)
    return message_types().types[type_name](**{**fields, **values})


def default(kind: Any) -> Any:
    """What ROS gives to a field of a kind (of rosbags' field definitions) that has no value."""
    node, what = kind
    if node == Nodetype.BASE:
        return base_default(what[0])
    if node == Nodetype.NAME:
        return make_bag(what)
    element, size = what
    count = size if node == Nodetype.ARRAY else 0
    return as_field([default(element) for _ in range(count)], kind)


def base_default(name: str) -> bool | int | float | str:
    """What ROS gives to a string or number that has no value."""
    if name == 'string':
        return ''
    if name == 'bool':
        return False
    return 0.0 if name.startswith('float') else 0


def as_field(value: Any, kind: Any) -> Any:
    """The value of a field as rosbags wants it: numbers in an array, anything else as it is."""
    node, what = kind
    if node in (Nodetype.ARRAY, Nodetype.SEQUENCE) and what[0][0] == Nodetype.BASE:
        name = what[0][1][0]
        return value if name == 'string' else np.asarray(value, 'uint8' if name in ('byte', 'char') else name)
    return value


def as_ros2(message: Any, type_name: str) -> Any:
    """A header, image or calibration of ROS 1 or 2 as one of ROS 2.

    What ROS 2 does not have (`seq`) is left out; capitals become small (`K`).
    """
    values = {}
    for name, (_, what) in message_types().fielddefs[type_name][1]:
        value = getattr(message, name if hasattr(message, name) else name.upper())
        values[name] = as_ros2(value, what) if isinstance(what, str) else value
    return make_bag(type_name, **values)


def serialise(message: Any, type_name: str) -> memoryview:
    """The bytes of a message of `make_bag`, as ROS 2 sends them (CDR)."""
    return message_types().serialize_cdr(message, type_name)
