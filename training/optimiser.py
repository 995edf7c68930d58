"""The optimiser and how its learning rate goes."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from dense_descriptor_ros.errors import ConfigError

KINDS = ('adamw', 'adam', 'sgd')


@dataclass(frozen=True)
class OptimiserConfig:
    """Warm-up and cosine decay; the saved weights are an exponential moving average."""

    kind: str = 'adamw'
    steps: int = 8000
    batch: int = 6
    """Items a step, a process and an accumulation: view pairs, images, triples, as the objective has them."""
    accumulate: int = 1
    """Batches whose gradients are added up before a step, where a larger one does not fit the memory."""
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    momentum: float = 0.9
    """Of sgd."""
    warmup_steps: int = 200
    clip_norm: float = 10.0
    ema: float = 0.998

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f'optimiser.kind is {self.kind!r}: expected one of {KINDS}')
        for name in ('steps', 'batch', 'accumulate', 'learning_rate', 'clip_norm'):
            if getattr(self, name) <= 0:
                raise ConfigError(f'optimiser.{name} is {getattr(self, name)}: expected more than 0')


def build_optimiser(network: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """Optimiser of every parameter that takes a gradient."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    rate, decay = config.learning_rate, config.weight_decay
    if config.kind == 'sgd':
        return torch.optim.SGD(parameters, rate, momentum=config.momentum, weight_decay=decay)
    kind = {'adamw': torch.optim.AdamW, 'adam': torch.optim.Adam}[config.kind]
    return kind(parameters, rate, weight_decay=decay)


def learning_rate(step: int, config: OptimiserConfig) -> float:
    """Linear warm-up, then half a cosine to 0 at the last step."""
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    share = min(1.0, step / config.steps)
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * share))
