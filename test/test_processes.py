"""Workers of a program that is killed end too; they went on writing where the next run wrote."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_bop import write_tiny_bop

REPOSITORY = Path(__file__).parents[1]


def generate(folder):
    settings = ['scenes=200', 'workers=2', 'views=1', 'renderer=tiny', 'height=60', 'width=80']
    return ['sim/generate.py', f'out={folder}', *settings], 'train/000000'


def train(folder):
    data = write_tiny_bop(folder / 'data')
    settings = [
        'split=test',
        'val_share=0.5',
        'every.save_steps=1',
        'workers=1',
        'device=cpu',
        'pairs.width=64',
        'pairs.height=64',
        'model.pyramid_channels=16',
        'optimiser.batch=2',
    ]
    return ['training/train.py', f'data={data}', f'out={folder}', 'name=run', *settings], 'run/state.pt'


@pytest.mark.parametrize('program', [generate, train])
def test_workers_end_with_a_parent_that_is_killed(program, tmp_path):
    command, first_result = program(tmp_path)
    process = subprocess.Popen(
        [sys.executable, *command], cwd=REPOSITORY, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        until(lambda: (tmp_path / first_result).exists() or process.poll() is not None)
        workers = descendants(process.pid)
        assert len(workers) >= 2
    finally:
        process.kill()
        process.wait()
    until(lambda: not any(runs(pid) for pid in workers))


def descendants(pid):
    children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return children + [inner for child in children for inner in descendants(child)]


def runs(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def until(done, timeout_s=60):
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)
