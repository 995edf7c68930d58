"""Fits the small network of a probe; the representation that it reads stays as it is."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from tqdm import trange

from dense_descriptor_ros.errors import DatasetError, TrainingError

WEIGHT_DECAY = 0.01
CLIP_NORM = 10.0


def fit(
    network: nn.Module,
    loss_of: Callable[[list[int]], torch.Tensor],
    count: int,
    batch: int,
    steps: int,
    learning_rate: float,
    seed: int,
    name: str,
) -> None:
    """AdamW with one cycle of the learning rate on shuffled batches; leaves the network in evaluation mode.

    Args:
        network: what is fitted.
        loss_of: loss, a scalar, of the training views of these positions.
        count: of training views.
        batch: views a step.
        steps: optimiser steps.
        learning_rate: its highest.
        seed: of the order of the views.
        name: of the progress bar.

    Raises:
        DatasetError: there is nothing to train with.
        TrainingError: a loss is not finite.
    """
    if not count:
        raise DatasetError(f'{name}: no training views')
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps)
    rng = np.random.default_rng(seed)
    order: list[int] = []
    network.train()
    for step in trange(steps, desc=name, unit='step'):
        while len(order) < batch:
            order += rng.permutation(count).tolist()
        positions, order = order[:batch], order[batch:]
        loss = loss_of(positions)
        if not torch.isfinite(loss):
            raise TrainingError(f'{name}: the loss of step {step} is {loss.item()}: check the representation')
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        optimiser.step()
        schedule.step()
    network.eval()
