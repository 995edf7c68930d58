"""Two scenes, a few steps, a checkpoint, inference."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.checkpoint import load_checkpoint
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.errors import CheckpointError, ConfigError, TrainingError
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.surface_code import CODE_DIM
from dense_descriptor_ros.training import trainer as trainer_module
from dense_descriptor_ros.training.items.view_pairs import PairConfig
from dense_descriptor_ros.training.optimiser import OptimiserConfig, learning_rate
from dense_descriptor_ros.training.settings import EveryConfig, TrainConfig, read_settings
from dense_descriptor_ros.training.trainer import Trainer
from dense_descriptor_ros.training.trainer_state import load_state

TRAIN = Path(trainer_module.__file__).parent / 'train.py'


@pytest.fixture
def config(tmp_path):
    return TrainConfig(
        data=write_tiny_bop(tmp_path / 'data'),
        split='test',
        val_share=0.5,
        decoded=tmp_path / 'decoded',
        out=tmp_path / 'runs',
        name='run',
        device='cpu',
        workers=0,
        val_images=1,
        model=ModelConfig(descriptor_dim=4, pyramid_channels=16, head_channels=16, last_stage_channels=32),
        pairs=PairConfig(width=64, height=64, points=32),
        optimiser=OptimiserConfig(steps=4, batch=2, warmup_steps=1),
        every=EveryConfig(log_steps=1, save_steps=2, val_steps=4),
    )


def test_training_leaves_a_checkpoint_that_infers(config):
    Trainer(config).run()
    best, last = (load_checkpoint(config.folder / f'{name}.safetensors') for name in ('best', 'last'))
    assert last.provenance['step'] == 4
    assert last.provenance['objective'] == 'dense_contrastive'
    assert len(last.provenance['data_hash']) == 64
    assert best.metrics['validation']
    assert list(config.folder.glob('events.out.tfevents.*'))
    K = np.array([[100.0, 0, 48], [0, 100, 32], [0, 0, 1]])
    prediction = Engine(last, 'cpu').infer(np.zeros((64, 96, 3), np.uint8), np.ones((64, 96), np.float32), K)
    assert prediction.descriptors.shape == (4 + CODE_DIM, 32, 48)


def test_a_killed_run_ends_where_the_uninterrupted_one_does(config, monkeypatch):
    Trainer(config).run()
    broken = replace(config, name='killed')
    step = Trainer.train_step

    def killed(self, batch):
        if self.step == 3:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(Trainer, 'train_step', killed)
    with pytest.raises(KeyboardInterrupt):
        Trainer(broken).run()
    monkeypatch.setattr(Trainer, 'train_step', step)
    resumed = replace(broken, resume=True)
    Trainer(resumed).run()
    whole, parts = (
        load_state(c.folder / 'state.pt', Trainer(replace(c, resume=True)).identity)
        for c in (config, resumed)
    )
    assert whole['step'] == parts['step'] == 4
    for name, value in whole['model'].items():
        torch.testing.assert_close(parts['model'][name], value)


@pytest.fixture
def poisoned(monkeypatch):
    """Makes the losses of the steps that are added to it not a number."""
    steps = set()
    losses = Trainer.losses

    def maybe_poisoned(self, batch):
        result = losses(self, batch)
        factor = float('nan') if self.step in steps else 1.0
        return {name: value * factor for name, value in result.items()}

    monkeypatch.setattr(Trainer, 'losses', maybe_poisoned)
    return steps


def test_a_loss_that_is_not_finite_is_skipped_and_counted(config, poisoned):
    poisoned.add(3)
    trainer = Trainer(config)
    trainer.run()
    assert (trainer.step, trainer.skipped, trainer.skipped_in_a_row) == (4, 1, 1)
    assert all(torch.isfinite(p).all() for p in trainer.objective.parameters())
    assert load_state(config.folder / 'state.pt', trainer.identity)['skipped'] == 1


def test_a_skipped_step_leaves_the_weights_as_they_are(config, poisoned):
    poisoned.add(1)
    trainer = Trainer(config)
    steps = trainer.steps()
    trainer.train_step(next(steps))
    trainer.step = 1
    before = {name: value.clone() for name, value in trainer.objective.named_parameters()}
    trainer.train_step(next(steps))
    for name, value in trainer.objective.named_parameters():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_losses_that_stay_not_finite_stop_the_run_and_keep_the_last_checkpoint(config, poisoned):
    poisoned.update(range(2, 100))
    long = replace(config, optimiser=replace(config.optimiser, steps=100), every=EveryConfig(1, 2, 100))
    with pytest.raises(TrainingError, match='20 last steps were not finite'):
        Trainer(long).run()
    last = load_checkpoint(config.folder / 'last.safetensors')
    assert last.provenance['step'] >= 2
    assert all(torch.isfinite(p).all() for p in last.model.parameters())


def test_gradients_add_up_over_accumulated_batches(config):
    """A batch of two pairs twice over has the gradient of once."""
    once, twice = Trainer(config), Trainer(config)
    batch = next(once.steps())
    losses = once.train_step(batch)
    accumulated = twice.train_step(batch * 2)
    assert accumulated['total'] == pytest.approx(losses['total'], rel=1e-2)  # it draws other points
    assert accumulated['gradient_norm'] == pytest.approx(losses['gradient_norm'], rel=0.1)


def test_each_step_takes_as_many_batches_as_are_accumulated(config):
    settings = replace(config, optimiser=replace(config.optimiser, accumulate=3))
    steps = list(Trainer(settings).steps())
    assert [len(batches) for batches in steps] == [3, 3, 3, 3]


def test_a_collapse_is_told_once(config, caplog):
    trainer = Trainer(config)
    for spread in (0.2, 0.001, 0.001):
        trainer.warn_of_collapse({'spread': spread})
    assert [record.message.count('collapse') for record in caplog.records] == [1]


def test_an_existing_run_is_not_overwritten(config):
    Trainer(config).run()
    with pytest.raises(ConfigError, match='already holds a run'):
        Trainer(config)
    longer = replace(config, resume=True, optimiser=replace(config.optimiser, steps=9))
    with pytest.raises(ConfigError, match=r'optimiser.steps: 4 -> 9'):
        Trainer(longer).run()


def test_other_data_are_not_resumed_with(config):
    Trainer(config).run()
    shutil.rmtree(config.data / 'test' / '000001')
    shutil.copytree(config.data / 'test' / '000000', config.data / 'test' / '000002')
    with pytest.raises(ConfigError, match='data_hash'):
        Trainer(replace(config, resume=True)).run()


def test_fine_tuning_begins_with_the_weights_of_a_checkpoint(config):
    Trainer(config).run()
    first = config.folder / 'last.safetensors'
    tuner = Trainer(replace(config, name='tuned', init=first))
    for name, value in load_checkpoint(first).model.state_dict().items():
        torch.testing.assert_close(tuner.objective.network.state_dict()[name], value)
    assert tuner.provenance['begun_with']['step'] == 4
    with pytest.raises(ConfigError, match='descriptor_dim=4'):
        Trainer(replace(config, name='other', init=first, model=replace(config.model, descriptor_dim=8)))


def test_a_damaged_state_is_named(config):
    config.folder.mkdir(parents=True)
    (config.folder / 'state.pt').write_bytes(b'PK\x03\x04 no zip')
    with pytest.raises(CheckpointError, match='cannot be read'):
        Trainer(replace(config, resume=True)).run()


def test_learning_rate_warms_up_and_decays_to_nothing():
    config = OptimiserConfig(steps=100, warmup_steps=10, learning_rate=1.0)
    assert learning_rate(0, config) == pytest.approx(0.1)
    assert learning_rate(50, config) == pytest.approx(0.5)
    assert learning_rate(100, config) == pytest.approx(0)


def composed(*overrides):
    with initialize_config_dir(str(TRAIN.parent / 'config'), version_base='1.3'):
        return read_settings(compose('train', list(overrides)))


def test_the_shipped_configuration_is_the_code_s_defaults():
    assert composed() == TrainConfig()


@pytest.mark.parametrize(
    ('override', 'message'),
    [
        ('+nothing=1', 'nothing'),
        ('augmentation.grey=2', r'augmentation.grey is 2.0'),
        ('optimiser.steps=0', r'optimiser.steps is 0'),
        ('optimiser.steps=many', 'steps'),
        ('val_share=1', 'val_share is 1.0'),
    ],
)
def test_settings_that_do_not_fit_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        composed(override)


def test_a_folder_that_is_no_data_set_ends_the_program_with_one_line(tmp_path):
    command = [sys.executable, str(TRAIN), f'data={tmp_path}', f'out={tmp_path}/runs']
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    shutil.rmtree(tmp_path / 'runs', ignore_errors=True)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith('error: ')
    assert 'fits no kind of data set' in done.stderr
    assert 'Traceback' not in done.stderr
