import json

import numpy as np
import pytest
from tiny_bop import BASELINE_MM, DEPTH_MM, F_PX, write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.files import write_image, write_json


@pytest.fixture
def root(tmp_path):
    return write_tiny_bop(tmp_path / 'data')


def test_millimetres_become_metres(root):
    dataset = open_bop(root, 'test')
    view = dataset.scenes[0][1]
    assert (view.scene_id, view.im_id, view.K[0, 0]) == (0, 1, F_PX)
    np.testing.assert_allclose(view.T_camera_world[:3, 3], [-BASELINE_MM / 1000, 0, 0])
    np.testing.assert_allclose(view.instances[0].T_camera_object[:3, 3], [-0.05, 0, DEPTH_MM / 1000])
    depth_m = view.depth_m()
    assert depth_m.dtype == np.float32
    assert depth_m[0, 0] == 0
    assert depth_m[view.visible_mask(view.instances[0])].max() == pytest.approx(1.0)
    model = dataset.models[2]
    assert (model.height_m, model.rim_radius_m, model.handle_x_min_m, model.diameter_m) == pytest.approx(
        (0.2, 0.08, 0.09, 0.3)
    )
    np.testing.assert_allclose(model.frames['handle'].origin_m, [0.12, 0, 0])


def test_views_come_by_scene_and_image(root):
    assert [(v.scene_id, v.im_id) for v in open_bop(root, 'test').views] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_colours_are_rgb(root):
    view = open_bop(root, 'test').views[0]
    assert view.rgb()[view.visible_mask(view.instances[0])][0].tolist() == [200, 120, 40]


def test_grey_images_are_read_where_there_is_no_colour(root):
    scene = root / 'test' / '000000'
    grey = np.full((120, 160), 77, np.uint8)
    (scene / 'rgb' / '000000.png').unlink()
    write_image(scene / 'gray' / '000000.png', grey)
    np.testing.assert_array_equal(open_bop(root, 'test').views[0].rgb(), np.repeat(grey[..., None], 3, 2))


def test_images_alone_need_no_truth(root):
    for path in (*root.glob('test/*/scene_gt*.json'), root / 'models' / 'models_acf.json'):
        path.unlink()
    dataset = open_bop(root, 'test', truth=False)
    assert [(v.scene_id, v.im_id, v.instances) for v in dataset.views] == [
        (0, 0, ()),
        (0, 1, ()),
        (1, 0, ()),
        (1, 1, ()),
    ]
    assert dataset.views[0].rgb().shape == (120, 160, 3)


def test_models_without_frames_are_left_out(root):
    path = root / 'models' / 'models_acf.json'
    write_json(path, {**json.loads(path.read_text()), '3': {'category': 'bowl', 'frames': {}}})
    assert set(open_bop(root, 'test').models) == {1, 2}


def test_a_missing_split_names_the_ones_there_are(root):
    with pytest.raises(DatasetError, match=r"no such split; .* holds \['test'\]"):
        open_bop(root, 'train')


def test_a_folder_without_scenes_is_no_data_set(tmp_path):
    (tmp_path / 'test').mkdir()
    with pytest.raises(DatasetError, match='no scene folders'):
        open_bop(tmp_path, 'test')


@pytest.mark.parametrize('name', ['scene_camera', 'scene_gt', 'scene_gt_info'])
@pytest.mark.parametrize(
    ('text', 'message'),
    [(None, 'missing'), ('{"0": [', 'not readable as JSON'), ('[]', 'expected an object')],
)
def test_a_damaged_index_is_named(root, name, text, message):
    path = root / 'test' / '000001' / f'{name}.json'
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        open_bop(root, 'test')
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    'value', [{'0': [{'obj_id': 1}]}, {'0': [{'obj_id': 1, 'cam_R_m2c': [1], 'cam_t_m2c': [0]}]}]
)
def test_a_truth_that_does_not_fit_is_named(root, value):
    write_json(root / 'test' / '000000' / 'scene_gt.json', value)
    with pytest.raises(DatasetError, match='000000: its scene_'):
        open_bop(root, 'test')


def test_a_model_that_does_not_fit_is_named(root):
    path = root / 'models' / 'models_acf.json'
    models = json.loads(path.read_text())
    del models['2']['height_mm']
    write_json(path, models)
    with pytest.raises(DatasetError, match='model 2 does not fit'):
        open_bop(root, 'test')


@pytest.mark.parametrize('value', [[], {'frames': [1]}])
def test_a_model_of_another_kind_is_named(root, value):
    write_json(root / 'models' / 'models_acf.json', {'7': value})
    with pytest.raises(DatasetError, match='model 7 does not fit'):
        open_bop(root, 'test')


def test_an_image_without_its_depth_is_named(root):
    view = open_bop(root, 'test').views[0]
    (view.folder / 'depth' / '000000.png').unlink()
    with pytest.raises(DatasetError, match=r'depth/000000.png: no such image'):
        view.depth_m()


def test_an_unreadable_png_is_named(root):
    view = open_bop(root, 'test').views[0]
    path = view.folder / 'rgb' / '000000.png'
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DatasetError, match=r'rgb/000000.png: cannot be decoded'):
        view.rgb()


def test_colour_in_the_depth_folder_is_refused(root):
    view = open_bop(root, 'test').views[0]
    write_image(view.folder / 'depth' / '000000.png', np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DatasetError, match=r'depth has shape \(4, 4, 3\)'):
        view.depth_m()
