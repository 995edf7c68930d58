import json

import cv2
import numpy as np
import pytest

from dense_descriptor_ros.errors import DenseDescriptorError
from dense_descriptor_ros.files import write_atomically, write_image, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'file.txt'
    write_text(path, 'old')

    def half(temporary):
        temporary.write_text('ne')
        raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'):
        write_atomically(path, half)
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path):
    write_text(tmp_path / 'a' / 'b' / 'file.txt', 'x')
    assert (tmp_path / 'a' / 'b' / 'file.txt').read_text() == 'x'


def test_json_comes_back_and_has_no_nan(tmp_path):
    write_json(tmp_path / 'a.json', {'x': [1.5, None]})
    assert json.loads((tmp_path / 'a.json').read_text()) == {'x': [1.5, None]}
    with pytest.raises(ValueError, match='JSON'):
        write_json(tmp_path / 'a.json', {'x': float('nan')})
    assert json.loads((tmp_path / 'a.json').read_text()) == {'x': [1.5, None]}


@pytest.mark.parametrize('shape', [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_images_come_back_with_their_channels_in_order(tmp_path, shape, dtype):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    write_image(tmp_path / 'a.png', image)
    read = cv2.imread(str(tmp_path / 'a.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read[..., ::-1] if image.ndim == 3 else read, image)


@pytest.mark.parametrize(('name', 'channels'), [('a.png', 7), ('a.xyz', 3), ('a', 3)])
def test_what_cannot_be_encoded_is_named(tmp_path, name, channels):
    with pytest.raises(DenseDescriptorError, match=f'{name}: OpenCV cannot encode a uint8 array'):
        write_image(tmp_path / name, np.zeros((2, 2, channels), np.uint8))
    assert not (tmp_path / name).exists()
