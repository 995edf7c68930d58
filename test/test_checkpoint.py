import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dense_descriptor_ros.confidence import Confidence
from dense_descriptor_ros.errors import CheckpointError
from dense_descriptor_ros.model import DescriptorNet, ModelConfig

CONFIG = ModelConfig(descriptor_dim=4, pyramid_channels=16, head_channels=16, last_stage_channels=32)


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    torch.manual_seed(0)
    category = load_category('mug')
    confidence = Confidence(np.zeros(2), np.ones(2), np.arange(6.0).reshape(3, 2), np.ones(3))
    model = DescriptorNet(CONFIG, 3).eval()
    checkpoint = Checkpoint(model, CONFIG, category, {'step': 7}, {'ap': 0.5}, confidence)
    path = tmp_path_factory.mktemp('checkpoint') / 'net.safetensors'
    save_checkpoint(path, checkpoint)
    return path, checkpoint


def rewritten(path, folder, **metadata):
    """A copy with other metadata."""
    from safetensors import safe_open

    with safe_open(path, framework='pt') as file:
        old = file.metadata()
    out = folder / 'other.safetensors'
    save_file(load_file(path), out, {**old, **metadata})
    return out


def test_a_checkpoint_comes_back_as_it_was_saved(written):
    path, checkpoint = written
    loaded = load_checkpoint(path)
    assert (loaded.config, loaded.category) == (checkpoint.config, checkpoint.category)
    assert (loaded.provenance, loaded.metrics) == ({'step': 7}, {'ap': 0.5})
    np.testing.assert_array_equal(loaded.confidence.weights, checkpoint.confidence.weights)
    assert not loaded.model.training
    image = torch.randn(1, 9, 64, 64)
    with torch.inference_mode():
        expected, found = checkpoint.model(image), loaded.model(image)
    torch.testing.assert_close(found.descriptors, expected.descriptors, atol=5e-3, rtol=0)
    torch.testing.assert_close(found.axis, expected.axis, atol=2e-2, rtol=0)


def test_weights_are_stored_in_half_precision(written):
    tensors = load_file(written[0])
    assert {t.dtype for t in tensors.values() if t.dim() > 1} == {torch.float16}
    assert tensors['backbone.bn1.running_var'].dtype == torch.float32


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(CheckpointError, match='no such checkpoint; train one'):
        load_checkpoint(tmp_path / 'none.safetensors')


@pytest.mark.parametrize('keep', [0, 5, 200, -100])
def test_a_truncated_file_is_named(written, tmp_path, keep):
    path = tmp_path / 'cut.safetensors'
    path.write_bytes(written[0].read_bytes()[:keep])
    with pytest.raises(CheckpointError, match='cut'):
        load_checkpoint(path)


def test_another_schema_version_is_refused(written, tmp_path):
    with pytest.raises(CheckpointError, match="schema version '99', this package reads '2'"):
        load_checkpoint(rewritten(written[0], tmp_path, schema_version='99'))


@pytest.mark.parametrize(
    'model',
    [
        json.dumps({**CONFIG.to_dict(), 'descriptor_dim': 5}),
        json.dumps({'width': 3}),
        '{',
        '[]',
        json.dumps({**CONFIG.to_dict(), 'backbone': 'vgg'}),
    ],
)
def test_weights_that_do_not_fit_their_configuration_are_refused(written, tmp_path, model):
    with pytest.raises(CheckpointError, match='do not fit its own configuration'):
        load_checkpoint(rewritten(written[0], tmp_path, model=model))


def test_a_pickle_is_not_read(tmp_path):
    path = tmp_path / 'evil.safetensors'
    torch.save({'weights': torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match='not a readable'):
        load_checkpoint(path)


@pytest.mark.parametrize('key', ['provenance', 'metrics', 'category'])
def test_damaged_metadata_is_refused(written, tmp_path, key):
    with pytest.raises(CheckpointError, match='do not fit'):
        load_checkpoint(rewritten(written[0], tmp_path, **{key: '{"step": '}))
