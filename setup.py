"""Package layout; everything else is in pyproject.toml.

`sim/` and `training/` lie at the top of the repository and install as `dense_descriptor_ros.sim` and
`dense_descriptor_ros.training`.
"""

from setuptools import find_packages, setup

FOLDERS = {
    'dense_descriptor_ros': 'dense_descriptor_ros',
    'dense_descriptor_ros.sim': 'sim',
    'dense_descriptor_ros.training': 'training',
}

setup(
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f'{package}.{inner}' for inner in find_packages(folder)))
    ],
    package_dir=FOLDERS,
)
