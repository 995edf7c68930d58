"""Decoded images kept on disk."""

import numpy as np
import pytest
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.training import decoded
from dense_descriptor_ros.training.decoded import keep_decoded


@pytest.fixture
def original(tmp_path):
    return open_bop(write_tiny_bop(tmp_path / 'bop'), 'test')


def pixels(view):
    masks = [view.visible_mask(instance) for instance in view.instances]
    return [view.rgb(), view.depth_m(), *masks]


def test_kept_images_are_the_decoded_ones(original, tmp_path):
    copy = keep_decoded(original, tmp_path / 'kept')
    for view, kept in zip(original.views, copy.views, strict=True):
        for _ in range(2):  # decoded, then read
            for expected, found in zip(pixels(view), pixels(kept), strict=True):
                np.testing.assert_array_equal(found, expected)
                assert found.dtype == expected.dtype


def test_the_second_time_no_image_is_decoded(original, tmp_path):
    copy = keep_decoded(original, tmp_path / 'kept')
    first = [pixels(view) for view in copy.views]
    for path in original.root.rglob('*.png'):
        path.write_bytes(b'')
    for view, expected in zip(copy.views, first, strict=True):
        for a, b in zip(pixels(view), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_full_disk_is_told_before_the_work(original, tmp_path, monkeypatch):
    monkeypatch.setattr(decoded, 'BYTES_PER_PX', 1e15)
    with pytest.raises(ConfigError, match=r'kept needs .* GB, but .* are free'):
        keep_decoded(original, tmp_path / 'kept')


def test_a_damaged_image_is_named_and_nothing_of_it_kept(original, tmp_path):
    copy = keep_decoded(original, tmp_path / 'kept')
    bad = original.views[1].folder / 'rgb' / f'{original.views[1].im_id:06d}.png'
    bad.write_bytes(b'no image')
    with pytest.raises(DatasetError, match=bad.name):
        copy.views[1].rgb()
    assert not list((tmp_path / 'kept').rglob('*.npy'))
