"""Fitting the confidence of a checkpoint."""

import numpy as np
import pytest
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dense_descriptor_ros.decode import FoundObject
from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.model import DescriptorNet, ModelConfig
from dense_descriptor_ros.training import calibrate
from dense_descriptor_ros.training.calibrate import calibrated, main
from dense_descriptor_ros.training.metrics.truth import load_truth

SMALL = ModelConfig(descriptor_dim=4, pyramid_channels=8, head_channels=8, last_stage_channels=16)


class KnowingEngine:
    """Finds each object, and beside it a false alarm; of its two features the first tells them apart."""

    def __init__(self, checkpoint, device):
        assert checkpoint.confidence is None
        self.rng = np.random.default_rng(0)

    def find_objects(self, rgb, depth_m, K):
        truth = self.truth[self.count % len(self.truth)]
        self.count += 1
        objects = []
        for instance, shift_m in enumerate((0.0, 0.3)):
            frames = [
                AffordanceFrame('mug', f.part, instance, 0.5, f.origin_mm / 1e3 + shift_m, f.axis)
                for f in truth
            ]
            features = np.array([shift_m + 0.05 * self.rng.normal(), self.rng.normal()])
            objects.append(FoundObject(np.zeros(0, int), [], frames, features))
        return objects


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    dataset = open_bop(write_tiny_bop(tmp_path / 'tiny'), 'test')
    truth = load_truth(dataset)
    engine = type('Engine', (KnowingEngine,), {'truth': list(truth.values()), 'count': 0})
    monkeypatch.setattr(calibrate, 'Engine', engine)
    return dataset


@pytest.fixture
def checkpoint():
    return Checkpoint(DescriptorNet(SMALL, 3), SMALL, load_category('mug'))


def test_the_confidence_tells_right_from_wrong(dataset, checkpoint):
    confidence = calibrated(checkpoint, dataset, dataset.views, 'cpu').confidence
    right, wrong = confidence(np.array([0.0, 0.0])), confidence(np.array([0.3, 0.0]))
    assert (right > 0.5).all()
    assert (wrong < 0.5).all()
    assert (np.abs(confidence.weights[:, 0]) > 3 * np.abs(confidence.weights[:, 1])).all()


def test_only_wrong_predictions_fit_nothing(dataset, checkpoint, monkeypatch):
    monkeypatch.setattr(calibrate, 'RIGHT_MM', 0.0)
    with pytest.raises(DatasetError, match=r"0 of 2 predictions of part 'body' are right"):
        calibrated(checkpoint, dataset, dataset.views[:1], 'cpu')


def test_the_command_rewrites_the_checkpoint(dataset, checkpoint, tmp_path):
    path = tmp_path / 'net.safetensors'
    save_checkpoint(path, checkpoint)
    main([str(path), str(dataset.root), '--split', 'test', '--device', 'cpu'])
    fitted = load_checkpoint(path)
    assert fitted.confidence.weights.shape == (3, 2)
    np.testing.assert_allclose(
        fitted.model.descriptor_head[0].weight.detach(),
        checkpoint.model.descriptor_head[0].weight.detach(),
        atol=1e-3,
    )
    with pytest.raises(SystemExit, match=r'none\.safetensors: no such checkpoint'):
        main([str(tmp_path / 'none.safetensors'), str(dataset.root), '--split', 'test'])
