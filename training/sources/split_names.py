"""Which folder or file of a data set holds a split, whatever it is called there."""

from pathlib import Path

NAMES = {
    'train': ('train', 'training'),
    'val': ('val', 'valid', 'validation'),
    'test': ('test', 'testing'),
}


def names_of(split: str) -> tuple[str, ...]:
    """What others call a split."""
    return NAMES.get(split, (split,))


def split_folder(root: Path, split: str) -> Path | None:
    """The folder of a split below `root`, None where there is none."""
    return next((root / name for name in names_of(split) if (root / name).is_dir()), None)


def split_folders(root: Path) -> list[str]:
    """Names of the folders below `root` that are splits by their name."""
    return [name for split in NAMES for name in names_of(split) if (root / name).is_dir()]
