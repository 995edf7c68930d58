"""Point the CMake files of the ROS wheels at this virtual environment.

The wheels name the include folders of Python and NumPy on the machine that they were built on.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

BUILD_MACHINE = re.compile(
    r'/opt/python/cp\d+-cp\d+/(include/python[\d.]+|lib/python[\d.]+/site-packages/numpy/\w+/include)'
)


def here(match: re.Match[str]) -> str:
    """The include folder that this Python uses for one of the build machine."""
    return sysconfig.get_path('include') if match[1].startswith('include') else np.get_include()


def main() -> None:
    """Rewrite every CMake file of the running Python's environment that names the build machine."""
    for path in Path(sys.prefix, 'share').glob('*/cmake/*.cmake'):
        text = path.read_text(encoding='utf-8')
        relocated = BUILD_MACHINE.sub(here, text)
        if relocated != text:
            path.write_text(relocated, encoding='utf-8')


if __name__ == '__main__':
    main()
