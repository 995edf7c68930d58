"""Settings of the generator."""

from dataclasses import asdict, dataclass
from typing import Any

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.sim.bullet import RENDERERS

SPLITS = ('train', 'val', 'test')
MOST_SCENES = 30_000
MOST_MUGS = 9
MOST_DISTRACTORS = 30
CAMERAS = ('scattered', 'path')
"""Each view from anywhere; or all along an arc about the table's middle, as of a film."""
VARIETY = ('look_alikes', 'patterns', 'poses', 'shapes')
"""What `without` may leave out."""
TUPLES = ('mugs', 'distractors', 'without')
"""Settings that are lists in files."""


@dataclass(frozen=True)
class SceneSettings:
    """Everything that the data depend on, except how many scenes there are."""

    split: str = 'train'
    seed: int = 0
    views: int = 6
    renderer: str = 'auto'
    height: int = 480
    width: int = 640
    mugs: tuple[int, int] = (1, 4)
    distractors: tuple[int, int] = (2, 8)
    depth_noisy: bool = True
    rgb_noise: float = 3.0
    without: tuple[str, ...] = ()
    cameras: str = 'scattered'

    def __post_init__(self) -> None:
        check(self.split in SPLITS, 'split', self.split, f'one of {list(SPLITS)}')
        check(self.seed >= 0, 'seed', self.seed, '0 or more')
        check(self.views >= 1, 'views', self.views, '1 or more')
        check(self.renderer in RENDERERS, 'renderer', self.renderer, f'one of {list(RENDERERS)}')
        check(self.height >= 32, 'height', self.height, '32 or more')
        check(self.width >= 32, 'width', self.width, '32 or more')
        check_range('mugs', self.mugs, 1, MOST_MUGS)
        check_range('distractors', self.distractors, 0, MOST_DISTRACTORS)
        check(set(self.without) <= set(VARIETY), 'without', list(self.without), f'some of {list(VARIETY)}')
        check(self.cameras in CAMERAS, 'cameras', self.cameras, f'one of {list(CAMERAS)}')
        check(0 <= self.rgb_noise <= 50, 'rgb_noise', self.rgb_noise, '0 to 50')

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> 'SceneSettings':
        """From plain values.

        Raises:
            ConfigError: a value is of the wrong kind or outside its range.
        """
        for name in ('height', 'width', 'views', 'seed'):
            check(type(values.get(name)) is int, name, values.get(name), 'a whole number')
        try:
            tuples = {name: tuple(values[name]) for name in TUPLES}
            return cls(**{**values, **tuples})
        except (KeyError, TypeError) as error:
            raise ConfigError(f'settings {values} do not fit: {error}') from error

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), **{name: list(getattr(self, name)) for name in TUPLES}}

    def object_id(self, scene_id: int, mug: int) -> int:
        """BOP number of a mug, unique over the splits of one data set."""
        return (MOST_MUGS + 1) * (MOST_SCENES * SPLITS.index(self.split) + scene_id) + mug + 1


def check(good: bool, name: str, value: object, expected: str) -> None:
    """Raise ConfigError with the setting's name, value and what was expected, unless it is good."""
    if not good:
        raise ConfigError(f'{name} is {value!r}: expected {expected}')


def check_range(name: str, value: tuple[int, int], least: int, most: int) -> None:
    """Raise ConfigError unless the value is two rising numbers within the limits."""
    good = len(value) == 2 and least <= value[0] <= value[1] <= most
    check(good, name, list(value), f'[least, most] within {least} to {most}')
