"""Slot attention: a few slots that compete for the tokens of an image."""

import torch
import torch.nn.functional as F
from torch import nn

EPSILON = 1e-8
"""Keeps a slot finite that no token chose."""


class SlotAttention(nn.Module):
    """Slots that explain an image's tokens, refined a few times by attention, a GRU and a residual MLP.

    Whatever is done to one slot is done to each, so the output follows a permutation of the initial slots.
    Source: Locatello et al. 2020, algorithm 1 (https://arxiv.org/abs/2006.15055).
    """

    def __init__(
        self, token_width: int, slot_width: int, iterations: int = 3, hidden: int | None = None
    ) -> None:
        """Build the layers.

        Args:
            token_width: C of the tokens.
            slot_width: D of the slots.
            iterations: how often the slots are refined.
            hidden: width of the MLP's hidden layer; None takes twice that of the slots.
        """
        super().__init__()
        self.iterations = iterations
        hidden = hidden or 2 * slot_width
        self.norm_tokens, self.norm_slots = nn.LayerNorm(token_width), nn.LayerNorm(slot_width)
        self.query = nn.Linear(slot_width, slot_width, bias=False)
        self.key = nn.Linear(token_width, slot_width, bias=False)
        self.value = nn.Linear(token_width, slot_width, bias=False)
        self.gru = nn.GRUCell(slot_width, slot_width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(slot_width), nn.Linear(slot_width, hidden), nn.ReLU(), nn.Linear(hidden, slot_width)
        )

    def forward(self, tokens: torch.Tensor, slots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Refine initial slots (B, S, D) on tokens (B, N, C), in float32 whatever autocast does.

        Returns:
            The slots (B, S, D), and the attention (B, S, N) of the last iteration, which sums to 1 over the
            slots: the share of a token that each slot took.
        """
        with torch.autocast(tokens.device.type, enabled=False):
            tokens, slots = self.norm_tokens(tokens.float()), slots.float()
            keys, values = self.key(tokens), self.value(tokens)
            for _ in range(self.iterations):
                queries = self.query(self.norm_slots(slots)) * keys.shape[-1] ** -0.5
                attention = (queries @ keys.mT).softmax(1)
                weights = F.normalize(attention + EPSILON, p=1, dim=2)
                slots = self.update(slots, weights @ values)
        return slots, attention

    def update(self, slots: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Slots (B, S, D) after what each saw (B, S, D)."""
        refined = self.gru(seen.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)
        return refined + self.mlp(refined)
