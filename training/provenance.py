"""Where a checkpoint comes from."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

from dense_descriptor_ros.checkpoint import load_checkpoint
from dense_descriptor_ros.training.settings import TrainConfig


def provenance(config: TrainConfig) -> dict[str, Any]:
    """Data set, settings and commit of a run, for the checkpoint's metadata."""
    begun_with = load_checkpoint(config.init).provenance if config.init else None
    return {
        'data': config.data.name,
        'split': config.split,
        'data_hash': data_hash(config.data / config.split),
        'objective': config.objective.name,
        'commit': commit(),
        'settings': config.identity(),
        'begun_with': begun_with,
    }


def data_hash(folder: Path) -> str:
    """SHA-256 over the truth of every scene: poses, cameras and visibility, not the pixels."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob('*/scene_*.json')):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def commit() -> str | None:
    """Commit of the source, with `-dirty` if it was changed; None outside a repository."""
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude', '*'],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
