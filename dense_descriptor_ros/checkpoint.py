"""One file that holds a trained network: weights, configuration, category, provenance and figures.

Format: safetensors (https://github.com/huggingface/safetensors), whose reader runs no code from the file.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.confidence import Confidence
from dense_descriptor_ros.errors import CheckpointError, ConfigError
from dense_descriptor_ros.files import write_atomically
from dense_descriptor_ros.model import DescriptorNet, ModelConfig

SCHEMA_VERSION = '2'
SHIPPED = Path(__file__).parent / 'checkpoints' / 'mug.safetensors'


@dataclass(frozen=True)
class Checkpoint:
    """A network with all that is needed to run it and to know where it comes from."""

    model: DescriptorNet
    config: ModelConfig
    category: Category
    provenance: dict[str, Any] = field(default_factory=dict)
    """How it was trained: data, objective, commit, steps."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """What it reached."""
    confidence: Confidence | None = None
    """What makes probabilities of its scores; None before it is fitted."""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically; matrices in half precision, vectors in single."""
    tensors = {
        name: tensor.detach().cpu().contiguous().to(storage_type(tensor))
        for name, tensor in checkpoint.model.state_dict().items()
    }
    metadata = {
        'schema_version': SCHEMA_VERSION,
        'model': json.dumps(checkpoint.config.to_dict()),
        'category': json.dumps(checkpoint.category.to_dict()),
        'provenance': json.dumps(checkpoint.provenance),
        'metrics': json.dumps(checkpoint.metrics),
        'confidence': json.dumps(checkpoint.confidence.to_dict() if checkpoint.confidence else None),
    }
    write_atomically(path, lambda temporary: temporary.write_bytes(save(tensors, metadata)))


def storage_type(tensor: torch.Tensor) -> torch.dtype:
    """Half precision for what fills the file; normalisation statistics can exceed its range."""
    return torch.float16 if tensor.is_floating_point() and tensor.dim() > 1 else tensor.dtype


def load_checkpoint(path: Path = SHIPPED, device: str | torch.device = 'cpu') -> Checkpoint:
    """Read a checkpoint; the network comes in evaluation mode.

    Raises:
        CheckpointError: the file is missing, truncated, of another schema, or does not fit its own
            configuration.
    """
    metadata, tensors = read_file(path)
    try:
        config = ModelConfig(**json.loads(metadata['model']))
        category = Category.from_dict(json.loads(metadata['category']))
        model = DescriptorNet(config, len(category.parts))
        model.load_state_dict(tensors)
        provenance, metrics = (json.loads(metadata.get(key, '{}')) for key in ('provenance', 'metrics'))
        fitted = json.loads(metadata.get('confidence', 'null'))
        confidence = Confidence.from_dict(fitted) if fitted else None
    except (KeyError, TypeError, ValueError, ConfigError, RuntimeError) as error:
        raise CheckpointError(
            f'{path}: its weights or metadata do not fit its own configuration: {error}'
        ) from error
    return Checkpoint(model.to(device).eval(), config, category, provenance, metrics, confidence)


def read_file(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Metadata and float32 tensors of a checkpoint of this schema."""
    if not path.is_file():
        raise CheckpointError(
            f'{path}: no such checkpoint; train one with training/train.py or leave the path '
            'out to use the shipped one'
        )
    try:
        with safe_open(path, framework='pt') as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f'{path}: not a readable .safetensors file, perhaps truncated '
            f'({path.stat().st_size} bytes): {error}'
        ) from error
    version = metadata.get('schema_version')
    if version != SCHEMA_VERSION:
        raise CheckpointError(
            f'{path}: schema version {version!r}, this package reads {SCHEMA_VERSION!r}; train '
            'it again, or install the version of the package that wrote it'
        )
    return metadata, {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}
