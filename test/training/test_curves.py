"""The picture of a run's curves."""

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from dense_descriptor_ros.training.curves import main, read_curves, smoothed


@pytest.fixture
def run(tmp_path):
    with SummaryWriter(str(tmp_path / 'run')) as writer:
        for step in range(0, 1000, 20):
            writer.add_scalar('loss/object', 1 / (1 + step), step)
        writer.add_scalar('val/ap_20mm_10deg/body', 0.5, 500)
    return tmp_path / 'run'


def test_curves_come_back_as_written(run):
    steps, values = read_curves(run)['loss/object']
    np.testing.assert_array_equal(steps, np.arange(0, 1000, 20))
    np.testing.assert_allclose(values, 1 / (1 + steps), rtol=1e-6)


def test_smoothing_takes_means():
    steps, values = smoothed((np.arange(0, 400, 100), np.array([1.0, 3.0, 5.0, 7.0])))
    np.testing.assert_array_equal(steps, [100, 300])
    np.testing.assert_array_equal(values, [2, 6])


def test_the_picture_is_written(run, tmp_path):
    main([str(run), str(tmp_path / 'curves.png')])
    assert (tmp_path / 'curves.png').read_bytes().startswith(b'\x89PNG')


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(SystemExit, match=f'{tmp_path}: no TensorBoard events'):
        main([str(tmp_path), str(tmp_path / 'curves.png')])
