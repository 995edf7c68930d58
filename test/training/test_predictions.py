import json

import numpy as np
import pytest

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.metrics.predictions import read_predictions

FRAME = {
    'category': 'mug',
    'instance': 1,
    'part': 'body',
    'score': 0.5,
    'origin_mm': [1, 2, 3],
    'axis': [0, 0, 2],
}
IMAGE = {'scene_id': 4, 'im_id': 7, 'time_s': 0.25, 'frames': [FRAME]}


def test_reads_frames_with_unit_axes_and_times(tmp_path):
    (tmp_path / 'p.json').write_text(json.dumps({'images': [IMAGE]}))
    predictions, times_s = read_predictions(tmp_path / 'p.json')
    (frame,) = predictions[4, 7]
    np.testing.assert_array_equal(frame.axis, [0, 0, 1])
    np.testing.assert_array_equal(frame.origin_mm, [1, 2, 3])
    np.testing.assert_array_equal(times_s, [0.25])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"images": [', 'not readable'),
        ('{}', 'images'),
        (json.dumps({'images': [IMAGE, IMAGE]}), r'\(4, 7\) appears twice'),
        (json.dumps({'images': [{**IMAGE, 'frames': [{'part': 'body'}]}]}), 'axis'),
    ],
)
def test_damaged_files_are_named(tmp_path, text, message):
    (tmp_path / 'p.json').write_text(text)
    with pytest.raises(DatasetError, match=rf'p\.json.*{message}'):
        read_predictions(tmp_path / 'p.json')
