"""The node with a real, if small and untrained, network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Rig
from std_srvs.srv import Trigger

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import Checkpoint, save_checkpoint
from dense_descriptor_ros.model import DescriptorNet, ModelConfig
from dense_descriptor_ros.ros.model_loading import load_engine


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    category = load_category('mug')
    config = ModelConfig(descriptor_dim=8, pyramid_channels=16, head_channels=16, last_stage_channels=32)
    model = DescriptorNet(config, len(category.parts))
    with torch.no_grad():
        model.frame_head[-1].bias[0] = -20  # sees objects nowhere
    path = tmp_path / 'tiny.safetensors'
    save_checkpoint(path, Checkpoint(model, config, category))
    return path


def test_descriptors_of_a_checkpoint_arrive(checkpoint: Path) -> None:
    rig = Rig(load_engine, model_path=str(checkpoint), device='cpu')
    try:
        rig.start('descriptors', 'acf_poses')
        message = rig.result('descriptors')
        assert message.encoding == '32FC16'  # 8 learned dimensions and the surface code's 8
        cells = np.frombuffer(message.data, np.float32).reshape(message.height, message.width, 16)
        np.testing.assert_allclose(np.linalg.norm(cells, axis=-1), 1, atol=1e-4)
        rig.until(lambda: rig.received['acf_poses'])
        assert rig.received['acf_poses'][0].frames == []
    finally:
        rig.close()


def test_damaged_checkpoint_is_refused(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    rig = Rig(load_engine, model_path=str(checkpoint))
    try:
        rig.node.trigger_configure()
        assert rig.node.state == 'unconfigured'
        assert str(checkpoint) in rig.node.statistics.snapshot().last_error
    finally:
        rig.close()


def test_a_model_that_becomes_rubbish_is_not_taken(checkpoint: Path) -> None:
    good = checkpoint.read_bytes()
    rig = Rig(load_engine, model_path=str(checkpoint), device='cpu')
    client = rig.peer.create_client(Trigger, 'perception/reload_model')

    def reload() -> Trigger.Response:
        rig.until(client.service_is_ready)
        future = client.call_async(Trigger.Request())
        rig.until(future.done)
        return future.result()

    try:
        rig.start('acf_poses')
        for rubbish in (good[:1000], b'', bytes(1000), good[::-1]):
            checkpoint.write_bytes(rubbish)
            response = reload()
            assert not response.success
            assert str(checkpoint) in response.message and 'the former model stays' in response.message
            rig.result()
        checkpoint.write_bytes(good)
        assert reload().success
        rig.result()
    finally:
        rig.close()
