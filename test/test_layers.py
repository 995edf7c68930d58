"""The arrows between the layers: what each may import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = 'dense_descriptor_ros'
MESSAGES = {
    'builtin_interfaces',
    'diagnostic_msgs',
    'geometry_msgs',
    'lifecycle_msgs',
    'rcl_interfaces',
    'sensor_msgs',
    'std_msgs',
    'std_srvs',
    'tf2_msgs',
    'vision_msgs',
    'visualization_msgs',
    f'{PACKAGE}.msg',
}
ROS = MESSAGES | {'rclpy', 'cv_bridge', 'message_filters', 'tf2_ros', 'launch', 'launch_ros'}
NUMERIC = {'numpy', 'cv2', 'scipy', 'yaml', 'tqdm'}
CORE_FOR_SIM = {
    f'{PACKAGE}.{name}'
    for name in ('bop', 'category', 'errors', 'files', 'frames', 'geometry', 'processes', 'program')
}
# Modules of ros/ that import no ROS when they run, since what works on recordings needs them as well.
ROS_FREE = {
    'bridge',
    'compressed',
    'conversions',
    'drops',
    'encoded',
    'message_types',
    'messages',
    'node_settings',
    'perceive',
    'rvl',
    'settings',
    'sync',
    'topics',
}
# Modules of the core that work on recordings: they may import the former, and rosbags.
OFFLINE = {'bag.py', 'bag_files.py', 'bag_messages.py', 'offline.py'}
# Programs of sim/ that are ROS nodes or drive them: the simulated camera and the demonstration.
SIM_NODES = {'camera_node.py', 'demo.py', 'soak.py'}


def layer_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    if parts[0] != PACKAGE:
        return parts[0]
    return 'ros' if parts[1] == 'ros' else 'core'


def sources(*layers: str) -> list[Path]:
    found = [path for folder in (PACKAGE, 'sim', 'training') for path in (ROOT / folder).rglob('*.py')]
    return sorted(path for path in found if layer_of(path) in layers)


class WithoutTyping(ast.NodeTransformer):
    """Takes out what only type checkers see."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == 'TYPE_CHECKING' else self.generic_visit(node)


def imports(path: Path, running: bool = False) -> set[str]:
    """Dotted names that a file imports anywhere, or only when it runs; `from a import b` gives `a.b`."""
    names = set()
    tree = ast.parse(path.read_text(encoding='utf-8'))
    for node in ast.walk(WithoutTyping().visit(tree) if running else tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative imports break `python {path.name}`'
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return names


def within(name: str, prefixes: set[str]) -> bool:
    return any(f'{name}.'.startswith(f'{prefix}.') for prefix in prefixes)


def outside(path: Path, allowed: set[str], running: bool = False) -> set[str]:
    """Imports of a file that are neither the standard library nor within one of the allowed names."""
    return {name for name in imports(path, running) if not within(name, allowed | sys.stdlib_module_names)}


def identifier(path: Path) -> str:
    return str(path.relative_to(ROOT))


def inside(path: Path, *layers: str) -> set[str]:
    """Imports of a file from the named sub-packages."""
    return {name for name in imports(path) if within(name, {f'{PACKAGE}.{layer}' for layer in layers})}


@pytest.mark.parametrize('path', sources('core'), ids=identifier)
def test_core_imports_numerics_and_torch_only(path: Path) -> None:
    offline = path.name in OFFLINE
    assert not outside(
        path, {PACKAGE, *NUMERIC, 'torch', 'torchvision', 'safetensors', *['rosbags'] * offline}
    )
    ros_free = {f'{PACKAGE}.ros.{name}' for name in ROS_FREE} if offline else set()
    assert not {name for name in inside(path, 'ros') if not within(name, ros_free)}
    assert not inside(path, 'sim', 'training', 'msg')


@pytest.mark.parametrize('name', sorted(ROS_FREE))
def test_ros_free_modules_import_no_ros_when_they_run(name: str) -> None:
    path = ROOT / PACKAGE / 'ros' / f'{name}.py'
    assert not outside(path, {PACKAGE, *NUMERIC}, running=True)
    ours = {
        name for name in imports(path, running=True) if within(name, {f'{PACKAGE}.ros', f'{PACKAGE}.msg'})
    }
    assert not {name for name in ours if not within(name, {f'{PACKAGE}.ros.{free}' for free in ROS_FREE})}


@pytest.mark.parametrize('path', sources('ros'), ids=identifier)
def test_ros_imports_core_and_ros_only(path: Path) -> None:
    assert not outside(path, {PACKAGE, *NUMERIC, *ROS})
    assert not inside(path, 'sim', 'training')


@pytest.mark.parametrize('path', sources('sim'), ids=identifier)
def test_sim_never_imports_torch_or_training(path: Path) -> None:
    bullet = {'pybullet', 'pybullet_data', 'pybullet_utils'}
    allowed = {f'{PACKAGE}.sim', *CORE_FOR_SIM, *NUMERIC, *bullet, 'hydra', 'omegaconf', 'scipy', 'trimesh'}
    if path.name in SIM_NODES:
        allowed |= {*ROS, f'{PACKAGE}.ros', f'{PACKAGE}.visualize'}
    assert not outside(path, allowed)


@pytest.mark.parametrize('path', sources('training'), ids=identifier)
def test_training_never_imports_ros_or_sim(path: Path) -> None:
    libraries = {
        'PIL',
        'h5py',
        'hydra',
        'lightly',
        'matplotlib',
        'omegaconf',
        'ot',
        'pytorch_metric_learning',
        'safetensors',
        'sklearn',
        'tensorboard',
        'timm',
        'torch',
        'torchvision',
    }
    assert not outside(path, {PACKAGE, *NUMERIC, *libraries})
    assert not inside(path, 'ros', 'sim', 'msg')


@pytest.mark.parametrize('path', sources('sim', 'training'), ids=identifier)
def test_a_script_folder_hides_no_module(path: Path) -> None:
    """`python sim/generate.py` puts sim/ first on the path: a sim/profile.py would hide Python's own."""
    assert path.stem == '__init__' or path.stem not in sys.stdlib_module_names


BLOCKED_IMPORT = """
import importlib, pkgutil, sys

blocked = set(sys.argv[1:])

class Block:
    def find_spec(self, name, path=None, target=None):
        if name in blocked or name.split('.')[0] in blocked:
            raise ImportError(f'{name} is blocked')

sys.meta_path.insert(0, Block())
import dense_descriptor_ros as package

modules = [m.name for m in pkgutil.iter_modules(package.__path__[:1]) if not m.ispkg]
for module in modules:
    importlib.import_module(f'dense_descriptor_ros.{module}')
print(' '.join(modules))
"""


def test_core_imports_without_ros_and_simulator() -> None:
    command = [sys.executable, '-c', BLOCKED_IMPORT, *ROS, 'pybullet', 'hydra', 'trimesh']
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert {'bag', 'errors', 'geometry', 'frames'} <= set(result.stdout.split())
