"""Whole data sets, small: determinism, resume, refusals and the truth in the files."""

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.errors import ConfigError, DenseDescriptorError
from dense_descriptor_ros.geometry import apply, back_project, inverse, pixel_grid, project
from dense_descriptor_ros.sim import bop_writer
from dense_descriptor_ros.sim.generate import generate
from dense_descriptor_ros.sim.settings import SceneSettings

SETTINGS = SceneSettings(views=2, renderer='tiny', height=120, width=160, mugs=(1, 2), distractors=(1, 2))
REPOSITORY = Path(__file__).parents[2]


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in sorted(root.rglob('*')) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp('mugs')
    generate(out, scenes=2, workers=1, settings=SETTINGS)
    return out


@pytest.fixture
def copy(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / 'copy'))


@pytest.fixture(scope='module')
def dataset(made):
    return open_bop(made, 'train')


def test_it_is_a_bop_data_set_with_models(made, dataset):
    assert len(dataset.scenes) == 2
    assert len(dataset.views) == 4
    seen = {instance.obj_id for view in dataset.views for instance in view.instances}
    assert seen == set(dataset.models)
    info = json.loads((made / 'models' / 'models_info.json').read_text())
    for obj_id in seen:
        assert (made / 'models' / f'obj_{obj_id:06d}.ply').is_file()
        assert info[str(obj_id)]['size_z'] == pytest.approx(dataset.models[obj_id].height_m * 1000)


def test_visible_surface_points_lie_on_the_mug_of_the_truth(dataset):
    checked = 0
    for view in dataset.views:
        depth = view.depth_m()
        for instance in view.instances:
            mask, model = view.visible_mask(instance), dataset.models[instance.obj_id]
            points = back_project(view.K, pixel_grid(*depth.shape)[mask], depth[mask])
            points = apply(inverse(instance.T_camera_object), points)
            checked += len(points)
            assert np.all(np.abs(points[:, 2]) < model.height_m / 2 + 1e-3)
            assert np.all(np.linalg.norm(points, axis=1) < model.diameter_m)
    assert checked > 500


def test_poses_project_into_the_silhouettes(made, dataset):
    for view in dataset.views:
        info = json.loads((view.folder / 'scene_gt_info.json').read_text())[str(view.im_id)]
        for instance, entry in zip(view.instances, info, strict=True):
            x, y, width, height = entry['bbox_obj']
            if width < 0:
                continue
            u, v = project(view.K, instance.T_camera_object[:3, 3])
            clipped = x == 0 or y == 0 or x + width == 160 or y + height == 120
            assert clipped or (x <= u <= x + width and y <= v <= y + height)


def test_visibility_is_the_part_of_the_silhouette_that_is_seen(dataset):
    for view in dataset.views:
        info = json.loads((view.folder / 'scene_gt_info.json').read_text())[str(view.im_id)]
        for instance, entry in zip(view.instances, info, strict=True):
            assert entry['px_count_visib'] == view.visible_mask(instance).sum()
            assert entry['px_count_visib'] <= entry['px_count_all']
            if entry['px_count_all']:
                assert entry['visib_fract'] == entry['px_count_visib'] / entry['px_count_all']


def test_every_view_shows_a_mug(dataset):
    for view in dataset.views:
        assert max(instance.px_count_visib for instance in view.instances) > 5


def test_sensor_depth_is_near_the_exact_depth_and_has_holes(dataset):
    view = dataset.views[0]
    exact, noisy = view.depth_m(), view.depth_m('depth_noisy')
    known = noisy > 0
    assert 0.5 < known.mean() < 1
    assert np.median(np.abs(noisy - exact)[known]) < 0.02


def test_two_workers_write_the_same_bytes_as_one(made, tmp_path):
    generate(tmp_path, scenes=2, workers=2, settings=SETTINGS)
    assert contents(tmp_path) == contents(made)


def test_a_killed_run_makes_only_what_is_missing(made, copy):
    shutil.rmtree(copy / 'train' / '000001')
    (copy / 'train' / '.000001' / 'rgb').mkdir(parents=True)
    (copy / 'models' / 'models_acf.json').unlink()
    kept = (copy / 'train' / '000000' / 'scene_gt.json').stat().st_mtime_ns
    generate(copy, scenes=2, workers=1, settings=SETTINGS)
    assert contents(copy) == contents(made)
    assert (copy / 'train' / '000000' / 'scene_gt.json').stat().st_mtime_ns == kept


def test_other_settings_are_refused_by_name(copy):
    with pytest.raises(ConfigError, match='views was 2, now 3'):
        generate(copy, 2, 1, SceneSettings(**{**vars(SETTINGS), 'views': 3}))


def test_a_full_disk_is_named_and_loses_no_finished_scene(made, copy, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(bop_writer, 'write_image', full)
    with pytest.raises(DenseDescriptorError, match='full'):
        generate(copy, scenes=3, workers=1, settings=SETTINGS)
    assert contents(copy) == contents(made)


def test_a_stopped_run_leaves_no_scene_without_its_models(tmp_path, monkeypatch):
    write_models = bop_writer.write_models

    def stopped(out, folder, *rest):
        if folder.name.endswith('1'):
            raise KeyboardInterrupt
        write_models(out, folder, *rest)

    monkeypatch.setattr(bop_writer, 'write_models', stopped)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, scenes=2, workers=1, settings=SETTINGS)
    dataset = open_bop(tmp_path, 'train')
    assert list(dataset.scenes) == [0]
    assert {instance.obj_id for view in dataset.views for instance in view.instances} == set(dataset.models)


def test_splits_in_one_folder_share_the_model_index(copy, dataset):
    generate(copy, 1, 1, SceneSettings(**{**vars(SETTINGS), 'split': 'test', 'views': 1}))
    test = open_bop(copy, 'test')
    assert set(dataset.models) < set(test.models)
    own = {instance.obj_id for view in test.views for instance in view.instances}
    assert not own & set(dataset.models)


@pytest.mark.parametrize(
    ('override', 'message'),
    [
        ('mugs=[3,1]', 'mugs is [3, 1]'),
        ('scenes=abc', "scenes is 'abc'"),
        ('nonsense=1', 'nonsense'),
        ('out=5 scenes=0', 'scenes is 0'),
    ],
)
def test_a_bad_setting_on_the_command_line_is_named(tmp_path, override, message):
    command = [sys.executable, 'sim/generate.py', f'out={tmp_path}/x', *override.split()]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'x').exists()
