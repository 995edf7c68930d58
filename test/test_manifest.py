"""package.xml as rosdep and colcon read it."""

import re
from pathlib import Path

from catkin_pkg.package import parse_package

ROOT = Path(__file__).parents[1]
PARTS_OF_CMAKE = {'Python3'}


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
