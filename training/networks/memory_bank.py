"""Keys of the last batches, for contrast with more images than one batch holds."""

import torch
from torch import nn

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.sources.image import IGNORE


class MemoryBank(nn.Module):
    """First in, first out: the detached keys of the last `batches` batches with their labels.

    Everything is a buffer of fixed shape, so a saved state has it and a resumed run goes on exactly.

    Args:
        batches: how many are remembered; 0 remembers nothing.
        samples: most keys a batch.
        dimension: of a key.

    Raises:
        ConfigError: a size is negative, or no key fits in.
    """

    keys: torch.Tensor
    """(batches, samples, D) float32"""
    labels: torch.Tensor
    """(batches, samples) int64; IGNORE where there is no key"""
    pointer: torch.Tensor
    """int64 scalar: the batch that is replaced next"""

    def __init__(self, batches: int, samples: int, dimension: int) -> None:
        super().__init__()
        if batches < 0 or samples < 1 or dimension < 1:
            raise ConfigError(
                f'a memory bank of {batches} batches of {samples} keys of {dimension} dimensions: expected '
                'at least 0 batches, 1 key and 1 dimension'
            )
        self.register_buffer('keys', torch.zeros(batches, samples, dimension))
        self.register_buffer('labels', torch.full((batches, samples), IGNORE))
        self.register_buffer('pointer', torch.tensor(0))

    def contents(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys (M, D) and labels (M,) that are remembered, as copies that a later `push` leaves alone."""
        known = self.labels != IGNORE
        return self.keys[known], self.labels[known]

    @torch.no_grad()
    def push(self, keys: torch.Tensor, labels: torch.Tensor) -> None:
        """Remember keys (N, D) with labels (N,) in place of the oldest batch.

        Keys that are not finite, as in a step that is skipped, are left out, and those beyond `samples`.
        """
        if len(self.keys) == 0:
            return
        finite = keys.isfinite().all(1)
        keys, labels = (values[finite][: self.keys.shape[1]] for values in (keys, labels))
        place = int(self.pointer)
        self.keys[place].zero_()
        self.labels[place].fill_(IGNORE)
        self.keys[place, : len(keys)] = keys
        self.labels[place, : len(labels)] = labels
        self.pointer.fill_((place + 1) % len(self.keys))
