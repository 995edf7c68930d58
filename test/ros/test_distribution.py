"""The tests run on the distribution that they are meant for, and on nothing of another one beside it."""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import rclpy

PREFIX = Path(rclpy.__file__).parents[4]  # lib/pythonX.Y/site-packages/rclpy/__init__.py
OVERLAYS = [Path(prefix) for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if prefix]
RCLPY_VERSIONS = {'jazzy': '7.1.', 'kilted': '9.1.'}  # the package's branches of these names


def strangers(files: set[Path]) -> list[Path]:
    """Those that lie neither in rclpy's installation nor in what is built on it."""
    return sorted(file for file in files if not any(map(file.is_relative_to, [PREFIX, *OVERLAYS])))


def test_distribution_is_the_one_that_is_named() -> None:
    """ROS_DISTRO names it, as wherever ROS is sourced; without it, any that the package is for will do."""
    version = ElementTree.parse(PREFIX / 'share/rclpy/package.xml').getroot().findtext('version')
    found = [name for name, start in RCLPY_VERSIONS.items() if version.startswith(start)]
    assert found, f'rclpy {version} is of none of {list(RCLPY_VERSIONS)}'
    assert os.environ.get('ROS_DISTRO', found[0]) == found[0]


def test_python_packages_of_ros_are_of_one_installation(running: Any) -> None:
    packages = {path.name for path in (PREFIX / 'share/ament_index/resource_index/packages').iterdir()}
    packages = packages - {'dense_descriptor_ros'} | {
        'dense_descriptor_ros.msg'
    }  # the rest may be the checkout's
    files = {name: sys.modules[name].__file__ for name in packages & sys.modules.keys()}
    assert {'rclpy', 'rpyutils', 'sensor_msgs', 'dense_descriptor_ros.msg'} <= files.keys()
    assert not strangers({Path(file) for file in files.values()})


def test_shared_libraries_of_ros_are_of_one_installation(running: Any) -> None:
    lines = Path('/proc/self/maps').read_text().splitlines()
    loaded = {Path(line.split(maxsplit=5)[5]) for line in lines if '.so' in line}
    files = {
        path for path in loaded if re.search('rcl|rcutils|rmw|rosidl|fastcdr|fastrtps|fastdds', path.name)
    }
    for name in ('librcl.so', 'librmw_', 'libsensor_msgs__rosidl', 'libdense_descriptor_ros__rosidl'):
        assert any(file.name.startswith(name) for file in files), name
    assert not strangers(files)
