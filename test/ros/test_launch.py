"""The files that start the node; launch itself is not among the wheels."""

import ast
from dataclasses import asdict
from pathlib import Path

import yaml

from dense_descriptor_ros.ros.settings import PerceptionSettings
from dense_descriptor_ros.ros.topics import OUTPUTS

LAUNCH = Path(__file__).parents[2] / 'launch'


def test_parameter_file_lists_every_setting_at_its_default() -> None:
    values = yaml.safe_load((LAUNCH / 'perception.yaml').read_text())['/**/perception']['ros__parameters']
    defaults = asdict(PerceptionSettings())
    del defaults['autostart']  # the launch file sets it
    assert values == defaults
    assert {name: type(value) for name, value in values.items()} == {n: type(v) for n, v in defaults.items()}


def test_rviz_shows_topics_that_exist() -> None:
    config = yaml.safe_load((LAUNCH / 'perception.rviz').read_text())
    displays = config['Visualization Manager']['Displays']
    shown = {display['Topic']['Value'] for display in displays if 'Topic' in display}
    assert shown <= {output.topic.replace('~', '/perception') for output in OUTPUTS}


def test_launch_file_names_the_executable_that_is_installed() -> None:
    source = (LAUNCH / 'perception.launch.py').read_text()
    words = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    assert 'install_executable(perception_node ' in (LAUNCH.parent / 'CMakeLists.txt').read_text()
    assert {'perception_node', 'dense_descriptor_ros', 'perception.yaml', 'perception.rviz'} <= words


def test_every_camera_has_a_topic_for_each_input() -> None:
    assigned = {
        node.targets[0].id: node.value
        for node in ast.parse((LAUNCH / 'perception.launch.py').read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    topics = ast.literal_eval(assigned['TOPICS'])
    assert topics == ('image', 'depth', 'camera_info')
    cameras = ast.literal_eval(assigned['CAMERAS'])
    assert {'any', 'realsense', 'azure_kinect', 'oak_d', 'simulation'} == set(cameras)
    for image, depth, info in cameras.values():
        assert len({image, depth, info}) == 3
        assert image.rpartition('/')[0] == info.rpartition('/')[0]
