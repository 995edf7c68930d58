"""A category of objects: its parts and the affordance frame of each. Data (YAML), not code."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from dense_descriptor_ros.errors import ConfigError

RELATIONS = ('on_axis', 'radial', 'free')
"""Keypoint and axis lie on the axis of revolution; the axis points from it through the keypoint; neither."""
FOLDER = Path(__file__).parent / 'categories'


@dataclass(frozen=True)
class Part:
    """A functional part; its axes are directions in the object frame."""

    name: str
    origin: str
    """Where the keypoint lies, in words."""
    axis: tuple[float, float, float]
    """+z of the part's frame."""
    second_axis: tuple[float, float, float]
    """+x of the part's frame."""
    second_axis_needs: str
    """Part that must be seen for the second axis to be known: its axis gives the direction."""
    revolution: str = 'free'
    """Relation to the object's axis of revolution, one of `RELATIONS`."""
    at_end: bool = False
    """Whether the keypoint lies where the axis of revolution leaves the object: no surface is beyond it."""

    def __post_init__(self) -> None:
        if self.at_end and self.revolution != 'on_axis':
            raise ConfigError(
                f'part {self.name!r} is at_end with revolution {self.revolution!r}: expected on_axis'
            )
        if self.revolution not in RELATIONS:
            raise ConfigError(
                f'part {self.name!r} has revolution {self.revolution!r}: expected one of {RELATIONS}'
            )


@dataclass(frozen=True)
class Category:
    """The parts of a category in the order in which the network's channels hold them."""

    name: str
    parts: tuple[Part, ...]
    hallmark: str | None = None
    """Part by which the category is told from others, such as a mug from a cup by its handle."""

    def __post_init__(self) -> None:
        names = self.part_names
        if not names or len(set(names)) != len(names):
            raise ConfigError(f'category {self.name!r} has parts {names}: give at least one, each name once')
        if self.hallmark is not None and self.hallmark not in names:
            raise ConfigError(
                f'category {self.name!r} has the hallmark {self.hallmark!r}, which is none of {names}'
            )
        for part in self.parts:
            if part.second_axis_needs not in names:
                raise ConfigError(
                    f'part {part.name!r} needs {part.second_axis_needs!r}, which is none of {names}'
                )

    @property
    def part_names(self) -> list[str]:
        """Names in the order of `parts`."""
        return [part.name for part in self.parts]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> 'Category':
        """Inverse of `to_dict`.

        Raises:
            ConfigError: a key is missing, unknown or of the wrong kind.
        """
        try:
            parts = tuple(
                Part(**{**part, 'axis': tuple(part['axis']), 'second_axis': tuple(part['second_axis'])})
                for part in values['parts']
            )
            return cls(name=values['name'], parts=parts, hallmark=values.get('hallmark'))
        except (KeyError, TypeError) as error:
            raise ConfigError(f'category definition {values!r} does not fit: {error}') from error


def load_category(name: str) -> Category:
    """The category defined in `categories/NAME.yaml`.

    Raises:
        ConfigError: there is no such category, or its file does not define one.
    """
    path = FOLDER / f'{name}.yaml'
    if not path.is_file():
        known = sorted(p.stem for p in FOLDER.glob('*.yaml'))
        raise ConfigError(f'unknown category {name!r}: expected one of {known}')
    return Category.from_dict(yaml.safe_load(path.read_text()))
