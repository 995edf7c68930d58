"""Sweeps: several trainings of one command, one after the other or on a cluster."""

import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir
from small_trainings import CONFIG, SHARED
from tiny_bop import write_tiny_bop

TRAIN = CONFIG.parent / 'train.py'


@pytest.mark.parametrize('launcher', ['basic', 'submitit_local'])
def test_a_sweep_trains_every_combination(launcher, tmp_path):
    data = write_tiny_bop(tmp_path / 'data')
    own = [f'data={data}', f'decoded={tmp_path}/decoded', f'out={tmp_path}/runs', 'optimiser.steps=1']
    sweep = ['--multirun', f'hydra/launcher={launcher}', 'name=run_${seed}', 'seed=3,4']
    command = [sys.executable, str(TRAIN), *sweep, *SHARED, *own, 'optimiser.steps=1']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for seed in (3, 4):
        assert (tmp_path / 'runs' / f'run_{seed}' / 'last.safetensors').is_file()


def test_a_sweep_over_slurm_is_composed():
    with initialize_config_dir(str(CONFIG), version_base='1.3'):
        overrides = [
            'hydra/launcher=submitit_slurm',
            'hydra.launcher.gpus_per_node=1',
            'hydra.launcher.nodes=2',
        ]
        config = compose('train', overrides, return_hydra_config=True)
    assert config.hydra.launcher.gpus_per_node == 1
    assert config.hydra.launcher.nodes == 2
