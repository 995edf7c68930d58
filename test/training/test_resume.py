"""A run that is killed goes on as if it had not been, whatever its objective."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from small_trainings import CONFIG, OWN, SHARED, small_training
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.training.trainer import Trainer


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_tiny_bop(tmp_path_factory.mktemp('data'), views=3)


@pytest.fixture
def recorded(monkeypatch):
    """Totals of all steps that are taken, and a step before which the process is killed."""
    record = {'totals': [], 'kill_at': None}
    step = Trainer.train_step

    def train_step(self, batches):
        if self.step == record['kill_at']:
            raise KeyboardInterrupt
        losses = step(self, batches)
        record['totals'].append(losses['total'])
        return losses

    monkeypatch.setattr(Trainer, 'train_step', train_step)
    return record


@pytest.mark.parametrize('objective', OWN)
def test_a_resumed_run_has_the_losses_of_an_unbroken_one(objective, data, tmp_path, recorded):
    config = small_training(objective, data, tmp_path / 'whole')
    Trainer(config).run()
    whole = recorded['totals'].copy()
    assert len(whole) == 4
    assert (config.folder / 'last.safetensors').is_file()
    broken = replace(config, out=tmp_path / 'broken')
    recorded.update(totals=[], kill_at=3)
    with pytest.raises(KeyboardInterrupt):
        Trainer(broken).run()
    assert recorded['totals'] == whole[:3]
    recorded.update(totals=[], kill_at=None)
    Trainer(replace(broken, resume=True)).run()
    assert recorded['totals'] == whole[2:]  # saved after two steps


def losses(folder: Path) -> dict[int, float]:
    """Total loss by step, as TensorBoard shows it."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.value for event in events.Scalars('loss/total')}


def test_a_run_goes_on_after_kill_9(data, tmp_path):
    settings = [
        *SHARED,
        'optimiser.steps=8',
        'every.save_steps=1',
        'every.val_steps=100',
        'objective=dense_contrastive',
    ]
    command = [
        sys.executable,
        str(CONFIG.parent / 'train.py'),
        f'data={data}',
        f'decoded={tmp_path}/decoded',
        *settings,
    ]
    subprocess.run(
        [*command, f'out={tmp_path}/whole', 'name=run'], check=True, capture_output=True, timeout=300
    )
    broken = [*command, f'out={tmp_path}/broken', 'name=run']
    state = tmp_path / 'broken' / 'run' / 'state.pt'
    process = subprocess.Popen(broken, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not state.exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert state.exists()
    subprocess.run([*broken, 'resume=true'], check=True, capture_output=True, timeout=300)
    assert losses(tmp_path / 'broken' / 'run') == losses(tmp_path / 'whole' / 'run')
