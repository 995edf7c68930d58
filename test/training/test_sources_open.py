"""Which format a path is taken for."""

import gzip
import json

import h5py
import numpy as np
import pytest
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.files import write_image, write_json
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.sources.clevr import ClevrImages
from dense_descriptor_ros.training.sources.coco import CocoImages
from dense_descriptor_ros.training.sources.folder import FolderImages, ImageFiles
from dense_descriptor_ros.training.sources.open_source import KINDS, kind_of, open_source
from dense_descriptor_ros.training.sources.video import VideoFrames

PICTURE = np.zeros((6, 8, 3), np.uint8)
COCO = {'categories': [], 'images': [{'id': 1, 'file_name': 'a.png'}], 'annotations': []}


def opened(path, split='train', kind='auto'):
    return open_source(path, split, kind, load_category('mug'))


def make_bop(root):
    write_tiny_bop(root)
    return BopImages, 'test'


def make_coco(root):
    write_image(root / 'val2017' / 'a.png', PICTURE)
    for name in ('captions_val2017', 'instances_val2017', 'instances_train2017'):
        write_json(root / 'annotations' / f'{name}.json', COCO)
    return CocoImages, 'val'


def make_ade20k(root):
    write_image(root / 'images' / 'validation' / 'a.png', PICTURE)
    write_image(root / 'annotations' / 'validation' / 'a.png', PICTURE[..., 0])
    return FolderImages, 'val'


def make_ycor(root):
    write_image(root / 'train' / 'iid000000' / 'rgb.jpg', PICTURE)
    write_image(root / 'train' / 'iid000000' / 'labels.png', PICTURE + 255)
    return ImageFiles, 'train'


def make_clevr(root):
    (root / 'clevr_with_masks_train.tfrecords').write_bytes(gzip.compress(b''))
    with h5py.File(root / 'clevr_with_masks_train.clevr.h5', 'w') as file:
        file['rgb'] = np.zeros((10, 240, 320, 3), np.uint8)
        file['instances'] = np.zeros((10, 240, 320), np.uint8)
        file.attrs['source_bytes'] = (root / 'clevr_with_masks_train.tfrecords').stat().st_size
    return ClevrImages, 'train'


def make_video(root):
    with h5py.File(root / 'films.h5', 'w') as file:
        file['test/a'] = np.zeros((3, 8, 8, 3), np.uint8)
    return VideoFrames, 'test'


def make_images(root):
    write_image(root / 'train' / 'some' / 'a.png', PICTURE)
    return FolderImages, 'train'


MAKERS = {
    'bop': make_bop,
    'coco': make_coco,
    'ade20k': make_ade20k,
    'ycor': make_ycor,
    'clevr': make_clevr,
    'video': make_video,
    'images': make_images,
}


@pytest.mark.parametrize('kind', KINDS)
def test_each_kind_is_told_by_what_lies_there(tmp_path, kind):
    expected, split = MAKERS[kind](tmp_path)
    assert kind_of(tmp_path) == kind
    for asked in ('auto', kind):
        source = opened(tmp_path, split, asked)
        assert type(source) is expected
        assert source[0].rgb.dtype == np.uint8


def test_a_file_is_told_by_its_name(tmp_path):
    make_clevr(tmp_path)
    make_video(tmp_path)
    write_image(tmp_path / 'a.png', PICTURE)
    write_json(tmp_path / 'labels.json', COCO)
    assert isinstance(opened(tmp_path / 'films.h5', 'test'), VideoFrames)
    assert isinstance(opened(tmp_path / 'clevr_with_masks_train.tfrecords'), ClevrImages)
    assert isinstance(opened(tmp_path / 'labels.json'), CocoImages)


def test_coco_of_a_split_is_the_instances_of_that_split(tmp_path):
    make_coco(tmp_path)
    assert opened(tmp_path, 'val').path.name == 'instances_val2017.json'
    write_json(tmp_path / 'annotations' / 'instances_val2014.json', COCO)
    with pytest.raises(DatasetError, match=r"found \['instances_val2014.json', 'instances_val2017.json'\]"):
        opened(tmp_path, 'val')
    with pytest.raises(DatasetError, match=r'expected one file .*instances_test\*\.json.*found none'):
        opened(tmp_path, 'test')


def test_coco_beside_the_images_of_a_split(tmp_path):
    write_image(tmp_path / 'valid' / 'a.png', PICTURE)
    (tmp_path / 'valid' / '_annotations.coco.json').write_text(json.dumps(COCO))
    assert isinstance(opened(tmp_path, 'val'), CocoImages)


def test_a_folder_without_splits_is_used_whole(tmp_path):
    write_image(tmp_path / 'a.png', PICTURE)
    write_image(tmp_path / 'more' / 'b.png', PICTURE)
    assert len(opened(tmp_path, 'train')) == 2


def test_a_folder_with_splits_gives_no_other_for_one_that_is_missing(tmp_path):
    make_images(tmp_path)
    with pytest.raises(DatasetError, match=r"no folder of the split 'val'; it holds \['train'\]"):
        opened(tmp_path, 'val')


def test_an_unknown_kind_lists_those_there_are(tmp_path):
    with pytest.raises(
        ConfigError, match=r"source is 'voc'.*auto.*bop.*coco.*ade20k.*ycor.*clevr.*video.*images"
    ):
        opened(tmp_path, kind='voc')


def test_a_path_that_fits_none_says_what_was_looked_for(tmp_path):
    (tmp_path / 'notes.txt').write_text('nothing')
    for path in (tmp_path, tmp_path / 'notes.txt'):
        with pytest.raises(DatasetError) as error:
            opened(path)
        assert str(error.value).startswith(f'{path}: fits no kind of data set')
        for kind in KINDS.values():
            assert kind.marks in str(error.value)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(DatasetError, match='nowhere: no such file or folder'):
        opened(tmp_path / 'nowhere', kind='images')


def test_of_two_h5_files_none_is_chosen(tmp_path):
    make_video(tmp_path)
    (tmp_path / 'other.h5').write_bytes((tmp_path / 'films.h5').read_bytes())
    with pytest.raises(
        DatasetError, match=r"expected one file of the name \*\.h5, found \['films.h5', 'other"
    ):
        opened(tmp_path, 'test')
