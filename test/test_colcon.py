"""The whole package built by colcon, as on a machine with a ROS distribution."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = 'dense_descriptor_ros'


def environment() -> dict[str, str]:
    """This process's environment with the virtual environment as the underlay that colcon builds on."""
    underlay = dict.fromkeys(('VIRTUAL_ENV', 'AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH'), sys.prefix)
    return {**os.environ, **underlay, 'PATH': f'{sys.prefix}/bin:{os.environ["PATH"]}'}


def run(command: list[str], folder: Path) -> str:
    """What the command prints on its standard output, run in a folder."""
    result = subprocess.run(
        command, env=environment(), cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope='module')
def install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install space of a full build."""
    base = tmp_path_factory.mktemp('colcon')
    run(['colcon', 'build', '--base-paths', str(ROOT), '--cmake-args', '-DBUILD_TESTING=OFF'], base)
    return base / 'install'


def test_sourced_install_serves_every_layer(install: Path, tmp_path: Path) -> None:
    names = [f'{PACKAGE}.{name}' for name in ('msg', 'geometry', 'ros', 'sim', 'training')]
    program = f'import {", ".join(names)}\nfor name in {names}: print(eval(name).__file__)'
    command = ['bash', '-c', f'source {install}/setup.bash && python -c "$0"', program]
    files = run(command, tmp_path).splitlines()
    assert len(files) == len(names) and all(file.startswith(str(install)) for file in files), files


@pytest.mark.parametrize('folder', [PACKAGE, 'sim', 'training'])
def test_every_source_and_data_file_is_installed(install: Path, folder: str) -> None:
    [package] = install.glob(f'{PACKAGE}/**/*-packages/{PACKAGE}')
    installed = package if folder == PACKAGE else package / folder
    names = [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob('*') if path.is_file()]
    names = [name for name in names if '__pycache__' not in name.parts]
    assert names
    assert not [name for name in names if not (installed / name).is_file()]


def test_programs_and_launch_files_lie_where_ros2_looks(install: Path) -> None:
    prefix = install / PACKAGE
    for program in ('perception_node', 'simulated_camera'):
        assert os.access(prefix / 'lib' / PACKAGE / program, os.X_OK)
    assert {path.name for path in (ROOT / 'launch').iterdir()} == {
        path.name for path in (prefix / 'share' / PACKAGE / 'launch').iterdir()
    }
