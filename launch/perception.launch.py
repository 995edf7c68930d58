"""Starts the perception node and brings it to active.

    ros2 launch dense_descriptor_ros perception.launch.py image:=/camera/color/image_raw \\
        depth:=/camera/aligned_depth_to_color/image_raw camera_info:=/camera/color/camera_info rviz:=true
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

HERE = Path(__file__).parent
ARGUMENTS = {
    'image': ('image', 'Topic of the colour image.'),
    'depth': ('depth', 'Topic of the depth image, registered to the colour image.'),
    'camera_info': ('camera_info', 'Topic of the calibration of the colour image.'),
    'params': (str(HERE / 'perception.yaml'), 'Parameter file.'),
    'namespace': ('', 'Namespace of the node.'),
    'rviz': ('false', 'Whether to start RViz; its configuration shows the default namespace.'),
}


def generate_launch_description() -> LaunchDescription:
    """The node, which configures and activates itself, and RViz on demand."""
    perception = LifecycleNode(
        package='dense_descriptor_ros',
        executable='perception_node',
        name='perception',
        output='screen',
        namespace=LaunchConfiguration('namespace'),
        parameters=[LaunchConfiguration('params'), {'autostart': True}],
        remappings=[(topic, LaunchConfiguration(topic)) for topic in ('image', 'depth', 'camera_info')],
    )
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        arguments=['-d', str(HERE / 'perception.rviz')],
        condition=IfCondition(LaunchConfiguration('rviz')),
    )
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, perception, rviz])
