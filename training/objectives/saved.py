"""A trained objective in a file: its encoder and all that comes after it. Reading one runs no code of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from dense_descriptor_ros.errors import CheckpointError, ConfigError
from dense_descriptor_ros.files import write_atomically
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.encoder import Encoder

KIND = 'objective'
ENCODER = 'encoder.'
"""What the names of the encoder's weights begin with."""


@dataclass(frozen=True)
class SavedObjective:
    """What a file holds."""

    config: dict[str, Any]
    """The objective's settings as plain values, its `name` among them."""
    model: ModelConfig
    tensors: dict[str, torch.Tensor]
    """The objective's state by name."""
    provenance: dict[str, Any]
    metrics: dict[str, float]

    def encoder(self) -> Encoder:
        """The encoder alone, in evaluation mode.

        Raises:
            CheckpointError: there is none, or the tensors do not fit it.
        """
        own = {name.removeprefix(ENCODER): t for name, t in self.tensors.items() if name.startswith(ENCODER)}
        if not own:
            raise CheckpointError(
                f'objective {self.config.get("name")!r} was trained without the common encoder'
            )
        encoder = Encoder(self.model)
        restore(encoder, own)
        return encoder.eval()


def save_objective(
    path: Path,
    network: nn.Module,
    config: dict[str, Any],
    model: ModelConfig,
    provenance: dict[str, Any],
    metrics: dict[str, float],
) -> None:
    """Write an objective atomically as .safetensors."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    about = {'config': config, 'model': model.to_dict(), 'provenance': provenance, 'metrics': metrics}
    metadata = {'kind': KIND} | {name: json.dumps(value) for name, value in about.items()}
    write_atomically(path, lambda temporary: temporary.write_bytes(save(tensors, metadata)))


def load_saved(path: Path) -> SavedObjective:
    """Read what `save_objective` wrote.

    Raises:
        CheckpointError: the file is missing, damaged, or holds no objective.
    """
    if not holds_objective(path):
        raise CheckpointError(
            f'{path}: holds no objective; expected a file that training/train.py wrote for one'
        )
    try:
        with safe_open(path, framework='pt') as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        about = {name: json.loads(metadata[name]) for name in ('config', 'provenance', 'metrics')}
        return SavedObjective(model=ModelConfig(**json.loads(metadata['model'])), tensors=tensors, **about)
    except (KeyError, TypeError, ValueError, ConfigError, SafetensorError) as error:
        raise CheckpointError(f'{path}: its metadata cannot be read: {error}') from error


def holds_objective(path: Path) -> bool:
    """Whether a file holds an objective, other than the network that is deployed.

    Raises:
        CheckpointError: it is no readable .safetensors file.
    """
    try:
        with safe_open(path, framework='pt') as file:
            return bool((file.metadata() or {}).get('kind') == KIND)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f'{path}: not a readable .safetensors file: {error}') from error


def restore(network: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Give a network its saved state.

    Raises:
        CheckpointError: names or shapes differ.
    """
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f'the saved weights do not fit their own configuration: {error}') from error
