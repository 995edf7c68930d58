"""package.xml as rosdep and colcon read it."""

import re
from pathlib import Path

from catkin_pkg.package import parse_package
from test_layers import MESSAGES

ROOT = Path(__file__).parents[1]
PARTS_OF_CMAKE = {'Python3'}
ROS = (MESSAGES | {'rclpy', 'launch', 'launch_ros'}) - {'dense_descriptor_ros.msg'}
"""Those that can be imported."""


def test_manifest_is_valid_without_a_warning() -> None:
    warnings: list[str] = []
    assert parse_package(ROOT, warnings=warnings).package_format == 3
    assert not warnings


def test_manifest_names_what_cmake_looks_for() -> None:
    package = parse_package(ROOT)
    always, testing = (ROOT / 'CMakeLists.txt').read_text().split('if(BUILD_TESTING)')
    depends = {always: package.buildtool_depends + package.build_depends, testing: package.test_depends}
    for text, declared in depends.items():
        wanted = set(re.findall(r'find_package\((\w+)', text)) - PARTS_OF_CMAKE
        assert wanted and wanted <= {depend.name for depend in declared}


def test_manifest_names_every_ros_package_that_the_nodes_use() -> None:
    # std_srvs was missing: wheels bring it, and a robot may not.
    used = {'tf2_ros_py', 'vision_msgs', 'cv_bridge'}  # imported where they are found
    folders = [ROOT / 'dense_descriptor_ros' / 'ros', ROOT / 'launch']
    sources = [*(path for folder in folders for path in folder.glob('*.py')), ROOT / 'sim' / 'camera_node.py']
    for path in sources:
        used |= set(re.findall(r'^from (\w+)(?:\.\w+)* import', path.read_text(), re.MULTILINE)) & ROS
    declared = {depend.name for depend in parse_package(ROOT).exec_depends}
    assert 'std_srvs' in used and used <= declared
