"""Videos and folders of frames to h5, and the frames read from it."""

import pickle
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.files import write_image
from dense_descriptor_ros.training.sources.video import VideoFrames
from dense_descriptor_ros.training.video_to_h5 import VideoConfig, convert, find_clips, square

REPOSITORY = Path(__file__).parents[2]
SIZE = 16


def grey(value, height=24, width=32):
    return np.full((height, width, 3), value, np.uint8)


def write_frames(folder, count, step=10):
    for k in range(count):
        write_image(folder / f'{k:04d}.png', grey(k * step))


def write_video(path, frames, fps=25.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), fps, (32, 24))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()


@pytest.fixture
def made(tmp_path):
    """A film of 20 frames and a folder of 10."""
    write_video(tmp_path / 'films' / 'one.avi', [grey(k * 10) for k in range(20)])
    write_frames(tmp_path / 'films' / 'two', 10)
    convert(VideoConfig(tmp_path / 'films', tmp_path / 'out' / 'films.h5', size=SIZE))
    return tmp_path / 'out' / 'films.h5'


def first_pixels(source):
    return [int(source[k].rgb[0, 0, 0]) for k in range(len(source))]


def test_the_last_fifth_of_each_video_is_for_testing(made):
    train, test = VideoFrames(made, 'train'), VideoFrames(made, 'test')
    np.testing.assert_allclose(first_pixels(train), [*range(0, 160, 10), *range(0, 80, 10)], atol=3)
    np.testing.assert_allclose(first_pixels(test), [*range(160, 200, 10), *range(80, 100, 10)], atol=3)


def test_each_video_is_a_sequence_in_the_order_of_its_frames(made):
    assert VideoFrames(made, 'train').sequences == [list(range(16)), list(range(16, 24))]
    assert VideoFrames(made, 'test').sequences == [list(range(4)), [4, 5]]


def test_the_file_holds_small_frames_one_a_chunk_and_tells_their_rate(made):
    with h5py.File(made) as file:
        assert sorted(file) == ['test', 'train']
        assert list(file['train']) == ['0000 one', '0001 two']
        film, folder = file['train/0000 one'], file['train/0001 two']
        assert film.shape == (16, SIZE, SIZE, 3)
        assert film.dtype == np.uint8
        assert film.chunks == (1, SIZE, SIZE, 3)
        assert film.attrs['fps'] == pytest.approx(25)
        assert folder.attrs['fps'] == 30
    assert sorted(path.name for path in made.parent.iterdir()) == ['films.h5']


def test_frames_are_in_rgb(tmp_path):
    colour = np.broadcast_to(np.array([200, 100, 20], np.uint8), (24, 32, 3))
    for k in range(3):
        write_image(tmp_path / 'films' / f'{k}.png', colour)
    convert(VideoConfig(tmp_path / 'films', tmp_path / 'films.h5', size=SIZE))
    np.testing.assert_array_equal(VideoFrames(tmp_path / 'films.h5', 'test')[0].rgb[3, 3], [200, 100, 20])


def test_the_middle_square_of_a_frame_is_kept_whole_and_undistorted():
    frame = np.zeros((20, 60, 3), np.uint8)
    frame[:, 20:40] = 100
    frame[5:15, 25:35] = 200
    small = square(frame, 10)
    assert small.min() == 100
    assert (small[3:7, 3:7] == 200).all()
    np.testing.assert_array_equal(small, small.transpose(1, 0, 2))


def test_a_large_image_is_averaged_not_sampled():
    stripes = np.tile(np.array([0, 200], np.uint8), 64)[None, :, None].repeat(128, 0).repeat(3, 2)
    np.testing.assert_array_equal(square(stripes, 16), np.full((16, 16, 3), 100))


def frame_of(source, index):
    return source[index].rgb[0, 0, 0]


def test_another_process_opens_the_file_for_itself(made):
    source = VideoFrames(made, 'train')
    here = first_pixels(source)
    again = pickle.loads(pickle.dumps(source))
    assert first_pixels(again) == here
    with get_context('spawn').Pool(1) as pool:
        assert pool.starmap(frame_of, [(source, 3), (source, 20)]) == [here[3], here[20]]


def test_a_split_that_is_not_there_is_named(made):
    with pytest.raises(DatasetError, match=r"films\.h5: no 'val' in it; it holds \['test', 'train'\]"):
        VideoFrames(made, 'val')


def test_a_file_that_is_missing_damaged_or_holds_something_else_is_named(tmp_path):
    path = tmp_path / 'x.h5'
    with pytest.raises(DatasetError, match=r'x\.h5: not a readable h5 file'):
        VideoFrames(path, 'train')
    path.write_bytes(b'no h5')
    with pytest.raises(DatasetError, match=r'x\.h5: not a readable h5 file'):
        VideoFrames(path, 'train')
    with h5py.File(path, 'w') as file:
        file.create_group('empty')
        file['train/a'] = np.zeros((5, 4, 4), np.uint8)
    with pytest.raises(DatasetError, match=r'train/a is uint8 \(5, 4, 4\)'):
        VideoFrames(path, 'train')
    with pytest.raises(DatasetError, match="no frames in 'empty'"):
        VideoFrames(path, 'empty')


def test_a_damaged_frame_is_named(made):
    with h5py.File(made) as file:
        chunk = file['train/0000 one'].id.get_chunk_info(3)
    content = bytearray(made.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b'\xff' * chunk.size
    made.write_bytes(content)
    source = VideoFrames(made, 'train')
    assert source[2].rgb.shape == (SIZE, SIZE, 3)
    with pytest.raises(DatasetError, match=r"films\.h5: entry 3 of 'train/0000 one' is damaged"):
        source[3]


def test_what_holds_no_video_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r'films: no such file'):
        find_clips(tmp_path / 'films', 30)
    with pytest.raises(DatasetError, match='no video'):
        find_clips(tmp_path, 30)
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    with pytest.raises(DatasetError, match=r'a\.mp4: 0 frames, expected two'):
        find_clips(tmp_path, 30)


def test_a_video_cut_short_is_told_and_its_whole_frames_are_kept(tmp_path, caplog):
    path = tmp_path / 'a.avi'
    noise = np.random.default_rng(0).integers(0, 256, (20, 24, 32, 3), dtype=np.uint8)
    write_video(path, noise)
    whole = path.read_bytes()
    (clip,) = find_clips(path, 30)
    assert clip.count == 20
    assert not caplog.records
    path.write_bytes(whole[: len(whole) * 3 // 4])
    (clip,) = find_clips(path, 30)
    assert 2 <= clip.count < 20
    assert len(list(clip.frames())) == clip.count
    assert f'says 20 frames, {clip.count} can be read; it may be damaged' in caplog.text


def test_nothing_is_left_of_a_run_that_failed(tmp_path):
    write_frames(tmp_path / 'films', 6)
    (tmp_path / 'films' / '0005.png').write_bytes(b'no image')
    with pytest.raises(DatasetError, match=r'0005\.png: cannot be decoded'):
        convert(VideoConfig(tmp_path / 'films', tmp_path / 'out' / 'films.h5', size=SIZE))
    assert not list((tmp_path / 'out').iterdir())


@pytest.mark.parametrize('setting', [{'size': 0}, {'test_share': 1.0}, {'test_share': 0.0}, {'fps': -1.0}])
def test_a_setting_outside_its_range_is_named(tmp_path, setting):
    with pytest.raises(ConfigError, match=f'^{next(iter(setting))} is'):
        VideoConfig(tmp_path, tmp_path / 'x.h5', **setting)


def program(*arguments):
    command = [sys.executable, 'training/video_to_h5.py', *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


def test_the_program_converts_and_names_what_is_wrong(tmp_path):
    write_frames(tmp_path / 'films', 5)
    done = program(f'data={tmp_path}/films', f'out={tmp_path}/films.h5', 'size=8')
    assert done.returncode == 0, done.stderr
    assert VideoFrames(tmp_path / 'films.h5', 'train')[0].rgb.shape == (8, 8, 3)
    failed = program(f'data={tmp_path}/films')
    assert failed.returncode == 1
    assert 'error: out is not given' in failed.stderr
    assert 'Traceback' not in failed.stderr
