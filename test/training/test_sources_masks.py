"""What values of a mask mean."""

import time

import numpy as np
import pytest
from PIL import Image

from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.files import write_image
from dense_descriptor_ros.training.sources.image import IGNORE
from dense_descriptor_ros.training.sources.masks import MaskCoding, colour_table, numbers, read_coding

COLOURS = ((178, 176, 153), (128, 255, 0), (1, 88, 255))
CODING = MaskCoding(('trail', 'grass', 'sky'), COLOURS, ignored=((255, 255, 255),))


@pytest.fixture
def classes():
    drawn = np.random.default_rng(0).integers(0, 4, (20, 30))
    return np.where(drawn == 3, IGNORE, drawn).astype(np.uint8)


def coloured(classes):
    """The picture by the definition: a colour for each pixel, white where nobody labelled."""
    palette = dict(enumerate(COLOURS)) | {IGNORE: (255, 255, 255)}
    return np.array([[palette[k] for k in row] for row in classes.tolist()], np.uint8)


def test_indices_are_the_classes_and_255_is_ignored(tmp_path, classes):
    write_image(tmp_path / 'm.png', classes)
    read = MaskCoding(('a', 'b', 'c')).read(tmp_path / 'm.png')
    np.testing.assert_array_equal(read, classes)
    assert read.dtype == np.uint8


def test_with_zero_unlabelled_the_first_class_is_one(tmp_path, classes):
    values = np.where(classes == IGNORE, 0, classes + 1).astype(np.uint8)
    values[0, 0] = IGNORE
    write_image(tmp_path / 'm.png', values)
    classes[0, 0] = IGNORE
    read = MaskCoding(('a', 'b', 'c'), zero_is_unlabelled=True).read(tmp_path / 'm.png')
    np.testing.assert_array_equal(read, classes)


def test_16_bit_indices_are_read(tmp_path, classes):
    write_image(tmp_path / 'm.png', classes.astype(np.uint16))
    np.testing.assert_array_equal(MaskCoding(('a', 'b', 'c')).read(tmp_path / 'm.png'), classes)


def test_colours_are_their_classes(tmp_path, classes):
    write_image(tmp_path / 'm.png', coloured(classes))
    np.testing.assert_array_equal(CODING.read(tmp_path / 'm.png'), classes)


def test_of_a_png_with_a_palette_index_masks_take_the_numbers_and_colour_masks_the_colours(tmp_path, classes):
    image = Image.fromarray(np.where(classes == IGNORE, 0, classes + 1).astype(np.uint8), mode='P')
    image.putpalette([255, 255, 255, *np.ravel(COLOURS).tolist()])
    image.save(tmp_path / 'm.png')
    by_number = MaskCoding(('a', 'b', 'c'), zero_is_unlabelled=True).read(tmp_path / 'm.png')
    np.testing.assert_array_equal(by_number, classes)
    np.testing.assert_array_equal(CODING.read(tmp_path / 'm.png'), classes)


def test_every_colour_has_a_number_of_its_own():
    rgb = np.random.default_rng(1).integers(0, 256, (5000, 3), dtype=np.uint8)
    assert len(np.unique(numbers(rgb))) == len(np.unique(rgb, axis=0))


def test_a_large_image_is_read_by_one_look_up_a_pixel():
    rgb = np.broadcast_to(np.array(COLOURS[2], np.uint8), (4000, 3000, 3))
    table = colour_table(COLOURS, ())
    start = time.perf_counter()
    classes = table[numbers(rgb)]
    assert time.perf_counter() - start < 5
    assert (classes == 2).all()


def test_an_unknown_colour_is_named_with_its_file(tmp_path, classes):
    rgb = coloured(classes)
    rgb[3, 4] = (1, 2, 3)
    write_image(tmp_path / 'm.png', rgb)
    with pytest.raises(DatasetError, match=r'm\.png: colour \[1, 2, 3\] in 1 pixels'):
        CODING.read(tmp_path / 'm.png')


def test_an_index_beyond_the_classes_is_named(tmp_path):
    write_image(tmp_path / 'm.png', np.full((4, 4), 3, np.uint8))
    with pytest.raises(DatasetError, match=r'm\.png: value 3, expected one of 3 classes'):
        MaskCoding(('a', 'b', 'c')).read(tmp_path / 'm.png')
    coding = MaskCoding(('a', 'b', 'c'), zero_is_unlabelled=True)
    assert (coding.read(tmp_path / 'm.png') == 2).all()


def test_a_colour_mask_read_as_indices_says_what_to_do(tmp_path, classes):
    write_image(tmp_path / 'm.png', coloured(classes))
    with pytest.raises(DatasetError, match=r'mode RGB.*classes\.yaml'):
        MaskCoding(('a',)).read(tmp_path / 'm.png')


def test_a_missing_or_damaged_mask_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r'm\.png: not a readable mask'):
        CODING.read(tmp_path / 'm.png')
    write_image(tmp_path / 'm.png', np.random.default_rng(0).integers(0, 3, (99, 99)).astype(np.uint8))
    whole = (tmp_path / 'm.png').read_bytes()
    for length in (9, len(whole) // 2):
        (tmp_path / 'm.png').write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=r'm\.png: not a readable mask'):
            CODING.read(tmp_path / 'm.png')


@pytest.mark.parametrize(
    ('text', 'coding'),
    [
        ('classes: [road, grass]', MaskCoding(('road', 'grass'))),
        ('classes: [road]\nzero_is_unlabelled: true', MaskCoding(('road',), zero_is_unlabelled=True)),
        (
            'classes: {road: [1, 2, 3], sky: [4, 5, 6]}\nignored: [[0, 0, 0]]',
            MaskCoding(('road', 'sky'), ((1, 2, 3), (4, 5, 6)), ((0, 0, 0),)),
        ),
    ],
)
def test_classes_yaml_gives_the_coding(tmp_path, text, coding):
    (tmp_path / 'classes.yaml').write_text(text)
    assert read_coding(tmp_path / 'classes.yaml') == coding


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'not the classes'),
        ('classes: []', '0 classes'),
        ('class: [road]', "unknown keys .*'class'"),
        ('classes: {road: [1, 2]}', 'not enough values'),
        ('classes: {road: [1, 2, 300]}', '300'),
        ('classes: {road: [1, 2, 3], sky: [1, 2, 3]}', 'another one for each'),
        ('classes: [road', 'not the classes'),
    ],
)
def test_a_bad_classes_yaml_is_named(tmp_path, text, message):
    (tmp_path / 'classes.yaml').write_text(text)
    with pytest.raises(DatasetError, match=rf'(?s)classes\.yaml.*{message}'):
        read_coding(tmp_path / 'classes.yaml')


def test_more_classes_than_a_mask_can_hold_are_refused():
    with pytest.raises(ConfigError, match='255 classes: expected 1 to 254'):
        MaskCoding(tuple(map(str, range(255))))
