"""Starts the perception node and brings it to active.

    ros2 launch dense_descriptor_ros perception.launch.py camera:=realsense rviz:=true
    ros2 launch dense_descriptor_ros perception.launch.py camera:=simulation
    ros2 launch dense_descriptor_ros perception.launch.py namespace:=left image:=/left/color/image_raw \\
        depth:=/left/depth_registered/image_raw camera_info:=/left/color/camera_info

Several cameras: once each, with a namespace of its own.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

HERE = Path(__file__).parent
TOPICS = ('image', 'depth', 'camera_info')
CAMERAS = {
    # The relative names, for a node that shares its namespace with the camera's topics.
    'any': ('image', 'depth', 'camera_info'),
    # realsense2_camera with align_depth.enable:=true
    'realsense': (
        '/camera/camera/color/image_raw',
        '/camera/camera/aligned_depth_to_color/image_raw',
        '/camera/camera/color/camera_info',
    ),
    # azure_kinect_ros_driver
    'azure_kinect': ('/rgb/image_raw', '/depth_to_rgb/image_raw', '/rgb/camera_info'),
    # depthai_ros_driver, whose depth is aligned to the colour camera
    'oak_d': ('/oak/rgb/image_raw', '/oak/stereo/image_raw', '/oak/rgb/camera_info'),
    # This package's simulated camera, which is started too
    'simulation': ('image', 'depth', 'camera_info'),
}
ARGUMENTS = {
    'camera': ('any', f'Whose topics to take: {", ".join(CAMERAS)}.', list(CAMERAS)),
    'image': ('', "Topic of the colour image, in place of the camera's.", None),
    'depth': ('', "Topic of the depth image, registered to colour, in place of the camera's.", None),
    'camera_info': ('', "Topic of the colour image's calibration, in place of the camera's.", None),
    'params': (str(HERE / 'perception.yaml'), 'Parameter file.', None),
    'namespace': ('', 'Namespace of the node.', None),
    'rviz': ('false', 'Whether to start RViz; its configuration shows the default namespace.', None),
}


def generate_launch_description() -> LaunchDescription:
    """The node, which configures and activates itself, and on demand a simulated camera and RViz."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, (default, description, choices) in ARGUMENTS.items()
    ]
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        arguments=['-d', str(HERE / 'perception.rviz')],
        condition=IfCondition(LaunchConfiguration('rviz')),
    )
    return LaunchDescription([*arguments, OpaqueFunction(function=nodes), rviz])


def nodes(context: LaunchContext) -> list[Node]:
    """The perception node with the topics that the arguments name, and the camera if it is simulated."""

    def given(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    topics = dict(zip(TOPICS, CAMERAS[given('camera')], strict=True))
    perception = LifecycleNode(
        package='dense_descriptor_ros',
        executable='perception_node',
        name='perception',
        namespace=given('namespace'),
        output='screen',
        parameters=[given('params'), {'autostart': True}],
        remappings=[(name, given(name) or topic) for name, topic in topics.items()],
    )
    if given('camera') != 'simulation':
        return [perception]
    camera = Node(
        package='dense_descriptor_ros',
        executable='simulated_camera',
        name='camera',
        namespace=given('namespace'),
        output='screen',
    )
    return [perception, camera]
