"""Images of a folder, masks beside them, and the layouts of ADE20K and YCOR."""

import pickle

import cv2
import numpy as np
import pytest

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.files import write_image
from dense_descriptor_ros.training.sources.folder import FolderImages, ImageFiles, Labels
from dense_descriptor_ros.training.sources.image import IGNORE
from dense_descriptor_ros.training.sources.masks import MaskCoding
from dense_descriptor_ros.training.sources.segmentation import YCOR, open_ade20k, open_ycor

SHAPE = (6, 8)


def picture(value):
    return np.full((*SHAPE, 3), (value, 2, 250), np.uint8)


@pytest.fixture
def ade20k(tmp_path):
    for name, value in (('b', 2), ('a', 1)):
        write_image(tmp_path / 'images' / 'training' / f'{name}.png', picture(value))
        mask = np.full(SHAPE, value, np.uint8)
        mask[0] = 0
        write_image(tmp_path / 'annotations' / 'training' / f'{name}.png', mask)
    return tmp_path


def test_images_are_found_in_every_folder_below_in_the_order_of_their_paths(tmp_path):
    for name, value in (('c/b/9.png', 3), ('a/2.PNG', 1), ('b.png', 2), ('.hidden.png', 4)):
        write_image(tmp_path / name, picture(value))
    (tmp_path / 'notes.txt').write_text('no image')
    source = FolderImages(tmp_path)
    assert [source[k].rgb[0, 0].tolist() for k in range(len(source))] == [[k, 2, 250] for k in (1, 2, 3)]
    assert source.sequences == [[0], [1], [2]]
    assert source.class_names == ()


def test_an_image_of_a_folder_has_a_guessed_camera_and_no_depth(tmp_path):
    write_image(tmp_path / 'a.png', picture(1))
    image = FolderImages(tmp_path)[0]
    assert not image.depth_m.any()
    assert image.depth_m.shape == SHAPE
    np.testing.assert_allclose(image.K[:2, 2], [3.5, 2.5])
    assert image.classes is None
    assert image.instances is None


def test_jpeg_and_grey_images_are_read_as_three_channels(tmp_path):
    grey = np.full((16, 16), 90, np.uint8)
    cv2.imwrite(str(tmp_path / 'a.jpg'), grey)
    np.testing.assert_allclose(FolderImages(tmp_path)[0].rgb, np.full((16, 16, 3), 90), atol=2)


def test_masks_are_those_of_the_same_stem_though_images_are_jpeg(tmp_path):
    coding = MaskCoding(('a', 'b', 'c'))
    for name, value in (('x/1', 1), ('y/1', 2)):
        (tmp_path / 'images' / name).parent.mkdir(parents=True)
        cv2.imwrite(str(tmp_path / 'images' / f'{name}.jpg'), picture(value))
        write_image(tmp_path / 'masks' / f'{name}.png', np.full(SHAPE, value, np.uint8))
    source = FolderImages(tmp_path / 'images', tmp_path / 'masks', coding)
    assert [np.unique(source[k].classes).tolist() for k in range(2)] == [[1], [2]]
    assert source.class_names == ('a', 'b', 'c')


def test_ade20k_counts_its_classes_from_one_and_zero_is_unlabelled(ade20k):
    source = open_ade20k(ade20k, 'train')
    assert len(source.class_names) == 150
    classes = source[1].classes
    assert (classes[0] == IGNORE).all()
    assert (classes[1:] == 1).all()
    assert source[1].rgb[0, 0, 0] == 2


def test_ade20k_takes_the_names_from_its_own_table(ade20k):
    rows = [
        'Idx\tRatio\tTrain\tVal\tStuff\tName',
        '1\t0.15\t9\t9\t1\twall',
        '2\t0.1\t9\t9\t1\tbuilding, edifice',
    ]
    (ade20k / 'objectInfo150.txt').write_text('\n'.join(rows) + '\n')
    assert open_ade20k(ade20k, 'train').class_names == ('wall', 'building, edifice')


def test_masks_of_colours_in_the_same_layout_are_told_by_classes_yaml(ade20k):
    (ade20k / 'classes.yaml').write_text(
        'classes: {road: [9, 0, 0], grass: [0, 9, 0]}\nignored: [[0, 0, 0]]\n'
    )
    for name in 'ab':
        mask = np.zeros((*SHAPE, 3), np.uint8)
        mask[1:, :4], mask[1:, 4:] = (0, 9, 0), (9, 0, 0)
        write_image(ade20k / 'annotations' / 'training' / f'{name}.png', mask)
    source = open_ade20k(ade20k, 'training')
    assert source.class_names == ('road', 'grass')
    classes = source[0].classes
    assert (classes[0] == IGNORE).all()
    assert (classes[1:, :4] == 1).all()
    assert (classes[1:, 4:] == 0).all()


def test_ycor_masks_lie_beside_their_images(tmp_path):
    for number, name in enumerate(YCOR.class_names):
        folder = tmp_path / 'valid' / f'iid{number:06d}'
        mask = np.broadcast_to(np.array(YCOR.colours[number], np.uint8), (*SHAPE, 3)).copy()
        mask[0, 0] = 255
        write_image(folder / 'labels.png', mask)
        write_image(folder / 'rgb.jpg', picture(number))
        assert name not in YCOR.class_names[:number]
    source = open_ycor(tmp_path, 'val')
    assert len(source) == 8
    for number in range(8):
        classes = source[number].classes
        assert classes[0, 0] == IGNORE
        assert (classes.ravel()[1:] == number).all()


def test_a_missing_mask_is_named(ade20k):
    (ade20k / 'annotations' / 'training' / 'b.png').unlink()
    with pytest.raises(DatasetError, match=r'annotations/training/b\.png: no such mask; 1 of 2'):
        open_ade20k(ade20k, 'train')
    write_image(ade20k / 'train' / 'x' / 'rgb.jpg', picture(0))
    with pytest.raises(DatasetError, match=r'train/x/labels\.png: no such mask'):
        open_ycor(ade20k, 'train')


def test_a_missing_split_is_named_with_what_it_may_be_called(ade20k):
    with pytest.raises(DatasetError, match=r"images: no folder of the split 'val'; .*validation"):
        open_ade20k(ade20k, 'val')
    with pytest.raises(DatasetError, match=r"no \*/rgb\.jpg in a folder of the split 'test'"):
        open_ycor(ade20k, 'test')


def test_a_mask_of_another_size_than_its_image_is_named(ade20k):
    write_image(ade20k / 'annotations' / 'training' / 'a.png', np.zeros((5, 5), np.uint8))
    with pytest.raises(DatasetError, match=r'a\.png: shape \(5, 5\), expected \(6, 8\)'):
        open_ade20k(ade20k, 'train')[0]


def test_a_damaged_image_is_named(ade20k):
    path = ade20k / 'images' / 'training' / 'a.png'
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DatasetError, match=r'training/a\.png: cannot be decoded'):
        open_ade20k(ade20k, 'train')[0]


def test_no_images_and_unequal_lists_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r'no \.png or \.jpg image'):
        FolderImages(tmp_path)
    with pytest.raises(DatasetError, match='one or more'):
        ImageFiles([])
    with pytest.raises(DatasetError, match='0 masks for 1 images'):
        ImageFiles([tmp_path / 'a.png'], Labels([], MaskCoding(('a',))))


def test_a_source_reads_the_same_after_pickling(ade20k):
    source = open_ade20k(ade20k, 'train')
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[0].rgb, source[0].rgb)
    np.testing.assert_array_equal(again[1].classes, source[1].classes)
