"""Makes an h5 file of small frames from videos or folders of frames, for training on sequences.

python training/video_to_h5.py data=films out=data/films.h5 [size=128] [test_share=0.2]
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import h5py
import hydra
import numpy as np
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.files import write_atomically
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.sources.plain import find_images, read_rgb

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg')


@dataclass(frozen=True)
class VideoConfig:
    """What becomes of which videos."""

    data: Path
    out: Path
    size: int = 128
    test_share: float = 0.2
    fps: float = 30.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f'size is {self.size}: expected 1 pixel or more')
        if not 0 < self.test_share < 1:
            raise ConfigError(f'test_share is {self.test_share}: expected a share between 0 and 1')
        if self.fps <= 0:
            raise ConfigError(f'fps is {self.fps}: expected more than 0')


@dataclass(frozen=True)
class Clip:
    """A video file, or a folder of frames."""

    path: Path
    count: int
    """Frames that can be read."""
    fps: float

    def frames(self) -> Iterator[np.ndarray]:
        """(H, W, 3) uint8, one at a time.

        Raises:
            DatasetError: a frame cannot be decoded.
        """
        if self.path.is_dir():
            yield from (read_rgb(path) for path in sorted(find_images(self.path.iterdir())))
            return
        video = cv2.VideoCapture(str(self.path))
        for number in range(self.count):
            read, bgr = video.read()
            if not read:
                raise DatasetError(f'{self.path}: frame {number} of {self.count} cannot be decoded')
            yield np.ascontiguousarray(bgr[..., ::-1])


def read_config(config: DictConfig) -> VideoConfig:
    """The settings, checked.

    Raises:
        ConfigError: a setting is missing or outside its range.
    """
    for name in ('data', 'out'):
        if OmegaConf.is_missing(config, name):
            raise ConfigError(f'{name} is not given: such as data=films out=data/films.h5')
    values: dict[str, Any] = {str(key): value for key, value in config.items()}
    return VideoConfig(**values | {name: Path(str(values[name])) for name in ('data', 'out')})


def find_clips(data: Path, fps: float) -> list[Clip]:
    """A video file alone; or of a folder every video file and every folder of images in it, and itself.

    Args:
        fps: of folders of frames.

    Raises:
        DatasetError: there is none, or one has fewer than two frames.
    """
    if not data.exists():
        raise DatasetError(f'{data}: no such file or folder')
    if data.is_file():
        return [open_clip(data, fps)]
    paths = [data, *sorted(data.rglob('*'))]
    films = [path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()]
    folders = [path for path in paths if path.is_dir() and next(find_images(path.iterdir()), None)]
    if not films and not folders:
        raise DatasetError(f'{data}: no video {VIDEO_SUFFIXES} in it and no .png or .jpg frames')
    return [open_clip(path, fps) for path in films + folders]


def open_clip(path: Path, fps: float) -> Clip:
    """A clip whose frames are counted: what a video says of their number is often wrong."""
    if path.is_dir():
        count = sum(1 for _ in find_images(path.iterdir()))
    else:
        video = cv2.VideoCapture(str(path))
        said, own_fps = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
        fps = own_fps if math.isfinite(own_fps) and own_fps > 0 else fps
        count = sum(1 for _ in iter(video.grab, False))
        if count < said:
            log.warning('%s: says %d frames, %d can be read; it may be damaged', path, said, count)
    if count < 2:
        raise DatasetError(f'{path}: {count} frames, expected two or more: for training and for testing')
    return Clip(path, count, fps)


def convert(config: VideoConfig) -> None:
    """Write the h5 file: groups `train` and `test`, in each the first and the last frames of every clip.

    Raises:
        DatasetError: there is no clip, or one is damaged.
    """
    clips = find_clips(config.data, config.fps)

    def write(temporary: Path) -> None:
        with (
            h5py.File(temporary, 'w') as file,
            tqdm(total=sum(clip.count for clip in clips), unit='frame', desc=str(config.out)) as bar,
        ):
            for number, clip in enumerate(clips):
                name = f'{number:04d} {clip.path.stem}'
                held_out = min(max(1, round(config.test_share * clip.count)), clip.count - 1)
                frames = clip.frames()
                for split, count in (('train', clip.count - held_out), ('test', held_out)):
                    target = add_clip(file, f'{split}/{name}', count, clip, config.size)
                    for k, frame in enumerate(islice(frames, count)):
                        target[k] = square(frame, config.size)
                        bar.update()

    write_atomically(config.out, write)


def add_clip(file: h5py.File, name: str, count: int, clip: Clip, size: int) -> h5py.Dataset:
    """An empty data set for `count` frames, each a chunk of its own."""
    shape = (count, size, size, 3)
    target = file.create_dataset(name, shape, np.uint8, chunks=(1, *shape[1:]), compression='lzf')
    target.attrs['fps'] = clip.fps
    target.attrs['source'] = str(clip.path)
    return target


def square(frame: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3): the middle of a frame, as large as fits, resized."""
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = frame[top : top + side, left : left + side]
    smaller = cv2.INTER_AREA if size < side else cv2.INTER_LINEAR
    return cv2.resize(middle, (size, size), interpolation=smaller)


@hydra.main(version_base=None, config_path='config', config_name='video_to_h5')
def main(config: DictConfig) -> None:
    """Command line."""
    logging.basicConfig(level=logging.WARNING)
    with errors_in_one_line():
        convert(read_config(config))


if __name__ == '__main__':
    main()
