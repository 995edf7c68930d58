"""Point the CMake files of the ROS wheels at this virtual environment.

The wheels name the include and site-packages folders of the machine that they were built on.
"""

import re
import sys
import sysconfig
from pathlib import Path

BUILD_MACHINE = re.compile(r'/opt/python/cp\d+-cp\d+/(include/python[\d.]+|lib/python[\d.]+/site-packages)')


def here(match: re.Match[str]) -> str:
    """The folder of this environment for one of the build machine."""
    return sysconfig.get_path('include' if match[1].startswith('include') else 'purelib')


def main() -> None:
    """Rewrite every CMake file of the running Python's environment that names the build machine."""
    for path in Path(sys.prefix, 'share').glob('*/cmake/*.cmake'):
        text = path.read_text(encoding='utf-8')
        relocated = BUILD_MACHINE.sub(here, text)
        if relocated != text:
            path.write_text(relocated, encoding='utf-8')


if __name__ == '__main__':
    main()
