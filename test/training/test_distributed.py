"""Two processes with half the batch each train as one with the whole."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing
from small_trainings import small_training
from tiny_bop import write_tiny_bop
from torch import nn

from dense_descriptor_ros.training import trainer as trainer_module
from dense_descriptor_ros.training.distributed import any_of, gathered, process_group, rank, world_size
from dense_descriptor_ros.training.sampling import EndlessSampler
from dense_descriptor_ros.training.trainer import Trainer

STEPS = ('optimiser.steps=3', 'optimiser.learning_rate=5e-3')


def by_images(network: nn.Module) -> nn.Module:
    """The network with each image normalised by itself: batches are synchronised on GPUs alone."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, nn.GroupNorm(1, child.num_features))
        else:
            by_images(child)
    return network


def totals(config, folder: Path) -> list[tuple[float, float]]:
    """Loss and norm of the gradient of each step of a training; also written by process number."""
    found = []
    build, step = trainer_module.build_objective, Trainer.train_step

    def train_step(self, batches):
        losses = step(self, batches)
        found.append((losses['total'], losses['gradient_norm']))
        return losses

    def built(*args):
        objective = by_images(build(*args))
        objective.finish = lambda *_: None  # loads a checkpoint, which such a network is not
        return objective

    trainer_module.build_objective = built
    Trainer.train_step = train_step
    try:
        with process_group(torch.device('cpu')):
            number = rank()
            Trainer(config).run()
    finally:
        trainer_module.build_objective, Trainer.train_step = build, step
    torch.save(found, folder / f'{number}.pt')
    return found


def one_of_two(number: int, port: int, objective: str, data: Path, out: Path) -> None:
    """A process as torchrun starts it."""
    os.environ |= {
        'RANK': str(number),
        'WORLD_SIZE': '2',
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(port),
    }
    torch.set_num_threads(1)
    totals(small_training(objective, data, out, 'optimiser.batch=2', *STEPS), out)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]


@pytest.mark.parametrize('objective', ['dense_contrastive', 'setcon', 'object_centric'])
def test_two_processes_have_the_losses_of_one_with_the_double_batch(objective, tmp_path):
    data = write_tiny_bop(tmp_path / 'data', views=3)
    whole, halves = tmp_path / 'whole', tmp_path / 'halves'
    whole.mkdir()
    halves.mkdir()
    expected = totals(small_training(objective, data, whole, 'optimiser.batch=4', *STEPS), whole)
    arguments = (free_port(), objective, data, halves)
    torch.multiprocessing.spawn(one_of_two, arguments, nprocs=2)
    for number in (0, 1):
        found = torch.load(halves / f'{number}.pt')
        np.testing.assert_allclose(found, expected, rtol=0.02)
    assert (halves / objective / 'last.safetensors').is_file()


def test_processes_share_the_positions_of_one():
    whole = iter(EndlessSampler(10, seed=3, start=4))
    parts = [iter(EndlessSampler(10, 3, 4, batch=2, process=p, processes=2)) for p in (0, 1)]
    for _ in range(5):
        expected = [next(whole) for _ in range(4)]
        assert [next(parts[0]), next(parts[0]), next(parts[1]), next(parts[1])] == expected


def test_alone_nothing_is_exchanged():
    values = {'a': torch.ones(2, requires_grad=True)}
    with process_group(torch.device('cpu')):
        assert (rank(), world_size()) == (0, 1)
        assert gathered(values)['a'] is values['a']
        assert any_of(True, torch.device('cpu'))
        assert not any_of(False, torch.device('cpu'))
