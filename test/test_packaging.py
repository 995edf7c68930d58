"""What is installed: one version, documented messages, data files, programs."""

import importlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib import metadata
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = 'dense_descriptor_ros'
MESSAGES = sorted((ROOT / 'msg').glob('*.msg'))


def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / 'package.xml').getroot()


def test_manifest_has_what_format_3_requires() -> None:
    root = manifest()
    assert root.tag == 'package' and root.get('format') == '3'
    for tag in ('name', 'version', 'description', 'maintainer', 'license'):
        assert root.findtext(tag), f'<{tag}> is missing or empty'
    assert root.find('maintainer').get('email')
    assert root.findtext('export/build_type') == 'ament_cmake'
    assert root.findtext('member_of_group') == 'rosidl_interface_packages'


def test_one_name_and_version() -> None:
    root = manifest()
    installed = metadata.metadata(PACKAGE)
    assert root.findtext('name') == installed['Name'] == PACKAGE
    assert root.findtext('version') == installed['Version']


def test_cmake_generates_every_message() -> None:
    named = set(re.findall(r'msg/\w+\.msg', (ROOT / 'CMakeLists.txt').read_text()))
    assert named == {f'msg/{path.name}' for path in MESSAGES}


def test_manifest_names_the_packages_that_the_messages_use() -> None:
    text = '\n'.join(path.read_text() for path in MESSAGES)
    used = set(re.findall(r'^(\w+)/\w+ ', text, re.MULTILINE))
    declared = {element.text for element in manifest().findall('depend')}
    assert used and used <= declared


@pytest.mark.parametrize('path', MESSAGES, ids=lambda path: path.name)
def test_every_field_says_its_unit_and_frame(path: Path) -> None:
    blocks = path.read_text().strip().split('\n\n')
    fields = [block for block in blocks if not block.splitlines()[-1].startswith('#')]
    assert fields
    for block in fields:
        *comment, field = block.splitlines()
        text = ' '.join(comment)
        assert comment and all(line.startswith('#') for line in comment), f'no comment above: {field}'
        assert re.search(r'unit|metres|seconds', text), f'no unit: {field}'
        assert 'frame' in text, f'no frame: {field}'


def test_generated_messages_have_the_fields() -> None:
    messages = importlib.import_module(f'{PACKAGE}.msg')
    array = messages.AffordanceFrameArray(frames=[messages.AffordanceFrame(category='mug', part='handle')])
    assert array.frames[0].pose.orientation.w == 1
    for path in MESSAGES:
        declared = re.findall(r'^[\w/]+(?:\[\])? (\w+)$', path.read_text(), re.MULTILINE)
        assert list(getattr(messages, path.stem).get_fields_and_field_types()) == declared


@pytest.mark.parametrize('folder', ['', 'test'])
def test_imports_come_from_the_checkout_wherever_python_starts(folder: str, tmp_path: Path) -> None:
    program = (
        'import dense_descriptor_ros.msg, dense_descriptor_ros.sim, dense_descriptor_ros.training\n'
        'core = dense_descriptor_ros\n'
        'print(core.__file__, core.sim.__file__, core.training.__file__, sep="\\n")\n'
    )
    start = ROOT / folder if folder else tmp_path
    command = [sys.executable, '-c', program]
    result = subprocess.run(command, cwd=start, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    expected = [ROOT / name / '__init__.py' for name in (PACKAGE, 'sim', 'training')]
    assert result.stdout.splitlines() == [str(path) for path in expected]


@pytest.mark.parametrize('name', ['categories/mug.yaml', 'checkpoints/mug.safetensors'])
def test_package_data_is_there(name: str) -> None:
    assert (ROOT / PACKAGE / name).stat().st_size > 0


def test_pip_installs_every_data_file() -> None:
    settings = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']['setuptools']
    installed = {'.py', '.pyc', *(Path(pattern).suffix for pattern in settings['package-data']['*'])}
    files = [path for folder in (PACKAGE, 'sim', 'training') for path in (ROOT / folder).rglob('*')]
    assert not [path for path in files if path.is_file() and path.suffix not in installed]


@pytest.mark.parametrize('entry', metadata.distribution(PACKAGE).entry_points, ids=lambda entry: entry.name)
def test_console_scripts_resolve(entry: metadata.EntryPoint) -> None:
    assert callable(entry.load())


def test_cmake_installs_the_same_programs() -> None:
    text = (ROOT / 'CMakeLists.txt').read_text()
    programs = dict(re.findall(r'install_executable\((\w+) ([\w.]+)\)', text))
    scripts = metadata.distribution(PACKAGE).entry_points
    assert {name: f'{module}:main' for name, module in programs.items()} == {s.name: s.value for s in scripts}
