"""Classes, instances and sequences of a BOP data set whose geometry is known."""

import pickle

import numpy as np
import pytest
from tiny_bop import (
    CX,
    CY,
    DEPTH_MM,
    F_PX,
    HALF_HEIGHT_PX,
    HALF_WIDTH_PX,
    HEIGHT,
    SCALE,
    WIDTH,
    centre_px,
    model,
    write_tiny_bop,
)

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.training.sources.bop import CLASS_NAMES, BopImages
from dense_descriptor_ros.training.sources.image import IGNORE, LabelledImage, guessed_intrinsics

BACKGROUND, OTHER, BODY, HANDLE = range(4)


@pytest.fixture
def root(tmp_path):
    return write_tiny_bop(tmp_path)


def images(root):
    return BopImages(open_bop(root, 'test'), load_category('mug'))


def test_the_views_of_a_scene_are_a_sequence(root):
    source = images(root)
    assert len(source) == 4
    assert source.sequences == [[0, 1], [2, 3]]
    scenes = [[source.views[k].scene_id for k in sequence] for sequence in source.sequences]
    assert scenes == [[0, 0], [1, 1]]


def test_an_image_has_its_camera_and_its_depth_in_metres(root):
    image = images(root)[0]
    np.testing.assert_array_equal(image.K, [[F_PX, 0, CX], [0, F_PX, CY], [0, 0, 1]])
    assert image.depth_m.dtype == np.float32
    assert image.depth_m[int(CY), centre_px(0)] == pytest.approx(DEPTH_MM / 1000)
    assert image.depth_m[0, 0] == 0


def test_an_object_is_numbered_by_its_position_in_the_truth(root):
    for index, im_id, half_u in ((0, 0, HALF_WIDTH_PX), (3, 1, int(HALF_WIDTH_PX * SCALE))):
        instances = images(root)[index].instances
        half_v = half_u * HALF_HEIGHT_PX // HALF_WIDTH_PX
        expected = np.zeros((HEIGHT, WIDTH), int)
        u, v = centre_px(im_id), int(CY)
        expected[v - half_v : v + half_v + 1, u - half_u : u + half_u + 1] = 1
        np.testing.assert_array_equal(instances, expected)


def test_pixels_beyond_the_handles_plane_are_the_handle(root):
    """At 1 m a pixel is 5 mm: the plane at 45 mm (90 mm of the larger mug) is at 9 (18) pixels."""
    assert CLASS_NAMES[BODY:] == ('body', 'handle')
    for index, im_id, plane_px in ((0, 0, 9), (1, 1, 9), (2, 0, 18)):
        image = images(root)[index]
        u = np.arange(WIDTH) - centre_px(im_id)
        row, mask = image.classes[int(CY)], image.instances[int(CY)] > 0
        clear = np.abs(u - plane_px) > 0  # a pixel on the plane itself may be either
        np.testing.assert_array_equal(row[clear & mask & (u > plane_px)], HANDLE)
        np.testing.assert_array_equal(row[clear & mask & (u < plane_px)], BODY)
        assert (image.classes[image.instances == 0] == BACKGROUND).all()
        assert {BODY, HANDLE} <= set(image.classes[image.instances > 0])


def test_objects_of_another_category_or_without_a_model_are_other_objects(root):
    models = {'1': model(1.0) | {'category': 'bowl'}}
    write_json(root / 'models' / 'models_acf.json', models)
    for index in (0, 2):
        image = images(root)[index]
        assert (image.classes[image.instances > 0] == OTHER).all()
        assert (image.instances > 0).any()


def test_the_part_of_a_pixel_without_depth_is_not_told(root):
    source = images(root)
    view = source.views[0]
    depth, mask = view.depth_m(), view.visible_mask(view.instances[0])
    v, u = np.argwhere(mask)[0]
    depth[v, u] = 0
    parts = source.parts(view, view.instances[0], depth, mask)
    assert parts[0] == IGNORE
    assert set(parts[1:]) == {BODY, HANDLE}


def test_a_source_reads_the_same_after_pickling(root):
    source = images(root)
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[2].classes, source[2].classes)
    assert again.sequences == source.sequences


def test_arrays_that_do_not_belong_together_are_refused():
    rgb, K = np.zeros((4, 6, 3), np.uint8), guessed_intrinsics(4, 6)
    with pytest.raises(InputError, match=r'depth_m has shape \(6, 4\): expected \(4, 6\)'):
        LabelledImage(rgb, np.zeros((6, 4), np.float32), K)
    with pytest.raises(InputError, match='classes has shape'):
        LabelledImage(rgb, np.zeros((4, 6), np.float32), K, classes=np.zeros((4, 5), np.uint8))
    with pytest.raises(InputError, match='rgb is float64'):
        LabelledImage(rgb / 255, np.zeros((4, 6), np.float32), K)


def test_the_guessed_camera_sees_60_degrees_along_the_longer_side():
    for shape in ((480, 640), (640, 480)):
        K = guessed_intrinsics(*shape)
        assert np.degrees(2 * np.arctan(320 / K[0, 0])) == pytest.approx(60)
        np.testing.assert_allclose(K[:2, 2], [(shape[1] - 1) / 2, (shape[0] - 1) / 2])
