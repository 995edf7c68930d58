"""What a training begins with, other than random weights."""

from pathlib import Path
from typing import Any

from dense_descriptor_ros.checkpoint import load_checkpoint
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.objectives.dense_contrastive import DenseContrastive
from dense_descriptor_ros.training.objectives.objective import Objective
from dense_descriptor_ros.training.objectives.saved import holds_objective, load_saved


def begin_with(objective: Objective, path: Path) -> None:
    """Give an objective the weights of its network, or its encoder those of another objective's.

    Raises:
        CheckpointError: the file cannot be used.
        ConfigError: its network is another one.
    """
    if holds_objective(path):
        begin_with_encoder(objective, path)
        return
    if not isinstance(objective, DenseContrastive):
        raise ConfigError(
            f'init={path} holds the deployed network, which only dense_contrastive trains: name the file of '
            'another objective'
        )
    checkpoint = load_checkpoint(path)
    if checkpoint.config != objective.model:
        raise ConfigError(f'init={path} holds {checkpoint.config}, but the run is to train {objective.model}')
    objective.network.load_state_dict(checkpoint.model.state_dict())


def begin_with_encoder(objective: Objective, path: Path) -> None:
    """Give an objective's backbone the weights of another's; what comes after it stays random."""
    encoder = load_saved(path).encoder()
    if not hasattr(objective, 'encoder'):
        raise ConfigError(
            f'init={path} holds the common encoder, which the objective that is to be trained lacks'
        )
    theirs, ours = encoder.config, objective.encoder.config
    if any(getattr(theirs, name) != getattr(ours, name) for name in ('backbone', 'last_stage_channels')):
        raise ConfigError(f'init={path} holds the backbone of {theirs}, but the run is to train {ours}')
    objective.encoder.load_state_dict(encoder.state_dict())


def provenance_of(path: Path) -> dict[str, Any]:
    """Where the weights in a file come from."""
    return load_saved(path).provenance if holds_objective(path) else load_checkpoint(path).provenance
