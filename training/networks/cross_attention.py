"""Cross-attention: slots that read an image's tokens as the queries of a transformer decoder do."""

import torch
from torch import nn

from dense_descriptor_ros.training.networks.attention import Reading, residual_mlp


class CrossAttention(nn.Module):
    """Decoder layers in which slots look at each other, then at the tokens; they do not compete for tokens.

    Source: Carion et al. 2020 (https://arxiv.org/abs/2005.12872).
    """

    def __init__(
        self,
        token_width: int,
        slot_width: int,
        iterations: int = 3,
        hidden: int | None = None,
        heads: int = 4,
    ) -> None:
        """Build the layers.

        Args:
            token_width: C of the tokens.
            slot_width: D of the slots, a multiple of `heads`.
            iterations: number of layers, each with weights of its own.
            hidden: width of the MLPs' hidden layers; None takes twice that of the slots.
            heads: of every attention.
        """
        super().__init__()
        self.project = nn.Linear(token_width, slot_width)
        hidden = hidden or 2 * slot_width
        self.layers = nn.ModuleList(DecoderLayer(slot_width, hidden, heads) for _ in range(iterations))

    def forward(self, tokens: torch.Tensor, slots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Refine initial slots (B, S, D) on tokens (B, N, C), in float32 whatever autocast does.

        Returns:
            The slots (B, S, D), and the last layer's attention (B, S, N), which sums to 1 over the tokens.
        """
        with torch.autocast(tokens.device.type, enabled=False):
            tokens, slots = self.project(tokens.float()), slots.float()
            for layer in self.layers:
                slots, attention = layer(tokens, slots)
        return slots, attention


class DecoderLayer(nn.Module):
    """Slots look at each other, then at the tokens, then each thinks by itself."""

    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.among_slots, self.from_tokens = Reading(width, heads), Reading(width, heads)
        self.mlp = residual_mlp(width, hidden)

    def forward(self, tokens: torch.Tensor, slots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Slots (B, S, D) and where on the tokens (B, N, D) they looked (B, S, N)."""
        slots, _ = self.among_slots(slots, slots)
        slots, attention = self.from_tokens(slots, tokens)
        return slots + self.mlp(slots), attention
