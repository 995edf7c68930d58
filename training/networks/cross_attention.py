"""Cross-attention: slots that read an image's tokens as the queries of a transformer decoder do."""

import torch
from torch import nn

from dense_descriptor_ros.training.networks.attention import Reading, SlotTransformer, residual_mlp


class DecoderLayer(nn.Module):
    """Slots look at each other, then at the tokens, then each thinks by itself."""

    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.among_slots, self.from_tokens = Reading(width, heads), Reading(width, heads)
        self.mlp = residual_mlp(width, hidden)

    def forward(
        self, tokens: torch.Tensor, slots: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tokens (B, N, D) as they are, slots (B, S, D), and where on the tokens they looked (B, S, N)."""
        slots, _ = self.among_slots(slots, slots)
        slots, attention = self.from_tokens(slots, tokens)
        return tokens, slots + self.mlp(slots), attention


class CrossAttention(SlotTransformer):
    """Decoder layers; slots do not compete for tokens: the attention of each sums to 1 over the tokens.

    Source: Carion et al. 2020 (https://arxiv.org/abs/2005.12872).
    """

    layer = DecoderLayer
