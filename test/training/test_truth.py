import json

import cv2
import numpy as np
import pytest
from tiny_bop import HALF_HEIGHT_PX, write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.training.metrics.truth import load_truth, view_frames


def test_frames_are_in_the_camera_frame(tmp_path):
    truth = load_truth(open_bop(write_tiny_bop(tmp_path), 'test'))
    assert list(truth) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    body, handle, opening = truth[0, 1]
    assert [frame.part for frame in (body, handle, opening)] == ['body', 'handle', 'opening']
    np.testing.assert_allclose(body.origin_mm, [-50, 0, 1000])
    np.testing.assert_allclose(handle.origin_mm, [10, 0, 1000])
    np.testing.assert_allclose(opening.origin_mm, [-50, 0, 1050])
    np.testing.assert_allclose(handle.axis, [1, 0, 0])
    assert body.required
    assert handle.required
    assert body.tilt_deg == pytest.approx(0)
    assert body.distance_mm == pytest.approx(np.hypot(50, 1000))


def edit(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_hidden_objects_are_not_required(tmp_path):
    write_tiny_bop(tmp_path)
    edit(tmp_path / 'test/000000/scene_gt_info.json', lambda info: info['0'][0].update(visib_fract=0.09))
    truth = load_truth(open_bop(tmp_path, 'test'))
    assert not any(frame.required for frame in truth[0, 0])


@pytest.mark.parametrize(('columns', 'required'), [(1, False), (2, True)])
def test_a_handle_needs_25_pixels(tmp_path, columns, required):
    # A column of the rectangle shows 2 * 12 + 1 = 25 pixels; the last one is at x = 75 mm.
    write_tiny_bop(tmp_path)
    limit_mm = 5 * (15 - columns) + 2.5 if columns > 1 else 72.5
    edit(tmp_path / 'models/models_acf.json', lambda models: models['1'].update(handle_x_min_mm=limit_mm))
    dataset = open_bop(tmp_path, 'test')
    if not required:
        mask = dataset.views[0].folder / 'mask_visib' / '000000_000000.png'
        drop_one_row(mask)
    handle = view_frames(dataset.views[0], dataset.models)[1]
    assert handle.required == required
    assert 2 * HALF_HEIGHT_PX + 1 == 25


def drop_one_row(path):
    """Take one row off a mask."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    mask[np.nonzero(mask.any(1))[0][0]] = 0
    cv2.imwrite(str(path), mask)
