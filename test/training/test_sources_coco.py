"""COCO annotations: polygons, runs, crowds, and where images lie."""

import json
import pickle

import cv2
import numpy as np
import pytest

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.files import write_image, write_json
from dense_descriptor_ros.training.sources.coco import CocoImages
from dense_descriptor_ros.training.sources.coco_mask import (
    annotation_mask,
    polygon_mask,
    run_lengths,
    run_mask,
)
from dense_descriptor_ros.training.sources.image import IGNORE

HEIGHT, WIDTH = 12, 16


def rectangle(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def runs(mask):
    """Lengths by the definition: down the columns, zeros first."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(int))) + 1
    lengths = np.diff([0, *edges, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


def as_text(lengths):
    """The text of some lengths, the inverse of what is tested."""
    text = ''
    for k, length in enumerate(lengths):
        value = length - lengths[k - 2] if k > 2 else length
        while True:
            bits, value = value & 31, value >> 5
            done = value == (-1 if bits & 16 else 0)
            text += chr(ord('0') + bits + (0 if done else 32))
            if done:
                break
    return text


def annotation(number, image, category, segmentation, crowd=0):
    return {
        'id': number,
        'image_id': image,
        'category_id': category,
        'segmentation': segmentation,
        'iscrowd': crowd,
    }


def content(annotations):
    return {
        'categories': [{'id': 44, 'name': 'mug'}, {'id': 3, 'name': 'spoon'}],
        'images': [{'id': 9, 'file_name': 'b.png'}, {'id': 2, 'file_name': 'a.png'}],
        'annotations': annotations,
    }


def write_coco(root, annotations):
    for value, name in enumerate('ab'):
        write_image(root / 'train2017' / f'{name}.png', np.full((HEIGHT, WIDTH, 3), value, np.uint8))
    path = root / 'annotations' / 'instances_train2017.json'
    write_json(path, content(annotations))
    return path


def test_classes_are_background_and_the_categories_by_their_numbers(tmp_path):
    source = CocoImages(write_coco(tmp_path, []))
    assert source.class_names == ('background', 'spoon', 'mug')
    assert [source[k].rgb[0, 0, 0] for k in range(2)] == [1, 0]
    assert not source[0].classes.any()
    assert not source[0].instances.any()


def test_objects_are_numbered_by_their_position_and_a_small_one_lies_on_a_large_one(tmp_path):
    small, large = rectangle(4, 4, 7, 7), rectangle(2, 2, 12, 10)
    source = CocoImages(write_coco(tmp_path, [annotation(70, 9, 3, small), annotation(71, 9, 44, large)]))
    image = source[0]
    assert image.instances[5, 5] == 1
    assert image.classes[5, 5] == 1
    assert image.instances[9, 9] == 2
    assert image.classes[9, 9] == 2
    assert image.instances[0, 0] == image.classes[0, 0] == 0
    assert not source[1].instances.any()


def test_a_crowd_is_ignored_but_for_objects_in_it(tmp_path):
    crowd = np.zeros((HEIGHT, WIDTH), bool)
    crowd[:, 2:6] = True
    annotations = [
        annotation(1, 2, 44, rectangle(4, 0, 9, 5)),
        annotation(2, 2, 44, {'size': [HEIGHT, WIDTH], 'counts': runs(crowd)}, crowd=1),
    ]
    image = CocoImages(write_coco(tmp_path, annotations))[1]
    assert (image.classes[:, 2:4] == IGNORE).all()
    assert not image.instances[:, 2:4].any()
    assert (image.classes[0:4, 4:8] == 2).all()
    assert (image.instances[0:4, 4:8] == 1).all()


def test_runs_are_read_as_they_were_written_plain_and_as_text():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        mask = cv2.resize(rng.random((4, 5), np.float32), (70, 90)) > rng.uniform(0.2, 0.8)
        lengths = runs(mask)
        np.testing.assert_array_equal(run_mask(lengths, *mask.shape), mask)
        assert run_lengths(as_text(lengths)) == lengths
        segmentation = {'size': list(mask.shape), 'counts': as_text(lengths)}
        np.testing.assert_array_equal(annotation_mask(segmentation, *mask.shape), mask)


def test_text_of_known_runs_is_understood():
    """The upper right quarter of 100 x 100 is runs of 5000, 50 and 50, then 98 times no change."""
    quarter = np.zeros((100, 100), bool)
    quarter[:50, 50:] = True
    segmentation = {'size': [100, 100], 'counts': 'Xl4b1b1' + '0' * 98}
    np.testing.assert_array_equal(annotation_mask(segmentation, 100, 100), quarter)
    assert run_lengths('122O') == [1, 2, 2, 1]
    assert run_lengths('Z11') == [42, 1]


def test_a_polygon_covers_its_rectangle_and_at_most_a_pixel_more():
    mask = polygon_mask(rectangle(3, 2, 11, 9), HEIGHT, WIDTH)
    assert mask[2:9, 3:11].all()
    assert not mask[:1].any()
    assert not mask[11:].any()
    assert not mask[:, :2].any()
    assert not mask[:, 13:].any()


def test_parts_of_an_object_that_overlap_leave_no_hole():
    both = polygon_mask(rectangle(2, 2, 9, 9) + rectangle(5, 5, 12, 11), HEIGHT, WIDTH)
    assert both[5:9, 5:9].all()


@pytest.mark.parametrize(
    ('segmentation', 'message'),
    [
        ({'size': [HEIGHT, WIDTH], 'counts': [5, 4]}, 'runs of 9 pixels in all, expected 192'),
        ({'size': [HEIGHT, WIDTH], 'counts': [196, -4]}, 'none negative'),
        ({'size': [4, 4], 'counts': [16]}, r'size \[4, 4\], expected \[12, 16\]'),
        ({'size': [HEIGHT, WIDTH], 'counts': 'X'}, 'end within a number'),
        ({'size': [HEIGHT, WIDTH], 'counts': '~'}, "character '~'"),
        ({'size': [HEIGHT, WIDTH]}, 'counts'),
        ([[1, 2, 3]], 'reshape'),
    ],
)
def test_a_damaged_segmentation_is_named_with_file_annotation_and_image(tmp_path, segmentation, message):
    source = CocoImages(write_coco(tmp_path, [annotation(7, 9, 3, segmentation)]))
    with pytest.raises(DatasetError, match=rf'train2017\.json: annotation 7 of b\.png: .*{message}'):
        source[0]


def test_what_is_no_annotations_file_is_named(tmp_path):
    path = tmp_path / 'annotations.json'
    for text in ('{', '[]', '{"images": []}', '\xff'):
        path.write_text(text, encoding='latin-1')
        with pytest.raises(DatasetError, match=r'annotations\.json: '):
            CocoImages(path)
    with pytest.raises(DatasetError, match=r'nowhere\.json: not readable'):
        CocoImages(tmp_path / 'nowhere.json')
    write_json(path, content([]) | {'images': []})
    with pytest.raises(DatasetError, match='0 images'):
        CocoImages(path)
    write_json(path, content([annotation(1, 555, 3, [])]))
    with pytest.raises(DatasetError, match='555'):
        CocoImages(path)
    twice = [{'id': 1, 'file_name': 'a.png'}] * 2
    write_json(path, content([]) | {'images': twice})
    with pytest.raises(DatasetError, match='2 images with 1 different ids'):
        CocoImages(path)


def test_images_that_are_not_there_are_named_with_where_they_were_looked_for(tmp_path):
    path = write_coco(tmp_path, [])
    path.rename(path.with_name('instances_other.json'))
    with pytest.raises(DatasetError, match=r'first image b\.png is in none of .*other'):
        CocoImages(path.with_name('instances_other.json'))
    named = CocoImages(path.with_name('instances_other.json'), tmp_path / 'train2017')
    assert named[1].rgb[0, 0, 0] == 0


def test_images_beside_the_annotations_are_found(tmp_path):
    write_coco(tmp_path, [])
    (tmp_path / 'train2017' / '_annotations.coco.json').write_text(json.dumps(content([])))
    assert CocoImages(tmp_path / 'train2017' / '_annotations.coco.json')[0].rgb[0, 0, 0] == 1


def test_a_source_reads_the_same_after_pickling(tmp_path):
    source = CocoImages(write_coco(tmp_path, [annotation(1, 9, 3, rectangle(1, 1, 5, 5))]))
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[0].instances, source[0].instances)
    assert again[0].instances.any()
