"""Co-attention: tokens and slots that attend each other in turns."""

import torch
from torch import nn

from dense_descriptor_ros.training.networks.attention import Reading, SlotTransformer, residual_mlp


class CoAttentionLayer(nn.Module):
    """One turn of the tokens, one of the slots."""

    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.from_slots, self.from_tokens = Reading(width, heads), Reading(width, heads)
        self.token_mlp, self.slot_mlp = residual_mlp(width, hidden), residual_mlp(width, hidden)

    def forward(
        self, tokens: torch.Tensor, slots: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tokens (B, N, D), slots (B, S, D), and the share (B, S, N) of a token that each slot has."""
        tokens, shares = self.from_slots(tokens, slots)
        tokens = tokens + self.token_mlp(tokens)
        slots, _ = self.from_tokens(slots, tokens)
        return tokens, slots + self.slot_mlp(slots), shares.mT


class CoAttention(SlotTransformer):
    """Layers in which each token asks which slots it belongs to, then each slot reads the tokens so informed.

    A token divides its attention among the slots, so that these compete as in slot attention; but the tokens
    change too: one that has found its slot says so to the slots that read it next. Slots read last, else the
    last turn of the tokens would go unused. Turns: Lu et al. 2016 (https://arxiv.org/abs/1606.00061), each a
    residual transformer layer: Lu et al. 2019 (https://arxiv.org/abs/1908.02265).
    """

    layer = CoAttentionLayer
