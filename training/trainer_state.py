"""The file from which a stopped run goes on; apart from checkpoints, which are for inference."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from dense_descriptor_ros.errors import CheckpointError, ConfigError
from dense_descriptor_ros.files import write_atomically


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state atomically.

    Raises:
        CheckpointError: it cannot be written, for example on a full disk; the old file stays.
    """
    try:
        write_atomically(path, lambda temporary: torch.save(state, temporary))
    except RuntimeError as error:  # so torch reports a failed write
        raise CheckpointError(f'{path}: cannot be written ({error}); make room, then resume=true') from error


def load_state(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Read a state; tensors and plain values only, so that no code from the file runs.

    Raises:
        CheckpointError: the file is damaged.
        ConfigError: it belongs to a run with other settings; the message names them.
    """
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError, OSError) as error:
        raise CheckpointError(f'{path}: cannot be read ({error}); start again under another name=') from error
    changed = differences(state['identity'], identity)
    if changed:
        raise ConfigError(
            f'{path} belongs to a run with other settings ({"; ".join(changed)}); resume with the same, '
            'or start under another name='
        )
    return dict(state)


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = '') -> list[str]:
    """Keys whose values differ, as `key: old -> new`."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f'{prefix}{key}.')
        elif before != after:
            found.append(f'{prefix}{key}: {before} -> {after}')
    return found
