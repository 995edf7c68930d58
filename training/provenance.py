"""Where a checkpoint comes from."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

from dense_descriptor_ros.training.initial import provenance_of
from dense_descriptor_ros.training.settings import TrainConfig


def provenance(config: TrainConfig) -> dict[str, Any]:
    """Data set, settings and commit of a run, for the checkpoint's metadata."""
    split = config.data / config.split
    begun_with = provenance_of(config.init) if config.init else None
    return {
        'data': config.data.name,
        'split': config.split,
        'data_hash': data_hash(split if split.is_dir() else config.data),
        'objective': config.objective.name,
        'commit': commit(),
        'settings': config.identity(),
        'begun_with': begun_with,
    }


def data_hash(folder: Path) -> str:
    """SHA-256 that tells one data set from another, without reading its pixels.

    Of a BOP split, its truth: poses, cameras and visibility of every scene. Of anything else, the names and
    sizes of its files.
    """
    digest = hashlib.sha256()
    truth = sorted(folder.glob('*/scene_*.json'))
    for path in truth:
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    if not truth:
        files = [folder] if folder.is_file() else sorted(path for path in folder.rglob('*') if path.is_file())
        for path in files:
            digest.update(f'{path.relative_to(folder).as_posix()} {path.stat().st_size}\n'.encode())
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
