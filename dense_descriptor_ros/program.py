"""How a command-line program ends when its user can mend what went wrong."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dense_descriptor_ros.errors import DenseDescriptorError


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """End the program with status 1 and one line on an error of the package or of the file system.

    Raises:
        SystemExit: such an error was raised inside; any other passes with its traceback.
    """
    try:
        yield
    except (DenseDescriptorError, OSError) as error:
        sys.exit(f'error: {error}')
