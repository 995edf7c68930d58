"""An h5 file for reading that may go to other processes."""

from pathlib import Path
from typing import Any

import h5py

from dense_descriptor_ros.errors import DatasetError


class H5File:
    """An h5 file that each process opens for itself when it first reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: h5py.File | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {'path': self.path, 'file': None}

    def __getitem__(self, name: str) -> Any:
        """A group or data set by its name.

        Raises:
            DatasetError: the file is missing or damaged, or has none of that name.
        """
        try:
            if self.file is None:
                self.file = h5py.File(self.path, 'r')
            return self.file[name]
        except KeyError:
            raise DatasetError(
                f'{self.path}: no {name!r} in it; it holds {sorted(self.file or ())}'
            ) from None
        except OSError as error:
            raise DatasetError(f'{self.path}: not a readable h5 file ({error})') from error

    def read(self, name: str, index: int) -> Any:
        """One entry of a data set.

        Raises:
            DatasetError: the file is missing or damaged.
        """
        try:
            return self[name][index]
        except OSError as error:
            raise DatasetError(f'{self.path}: entry {index} of {name!r} is damaged ({error})') from error
