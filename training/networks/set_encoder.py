"""One vector for a set of slots, whatever their order."""

import torch
from torch import nn


class SetEncoder(nn.Module):
    """MLP of the sum of an MLP of each slot.

    Source: Zaheer et al. 2017, theorem 2 (https://arxiv.org/abs/1703.06114).
    """

    def __init__(self, slot_width: int, hidden: int, width: int) -> None:
        super().__init__()
        self.each = nn.Sequential(
            nn.Linear(slot_width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.all = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, slots: torch.Tensor) -> torch.Tensor:
        """(B, width) of sets (B, S, D)."""
        return self.all(self.each(slots).sum(1))
