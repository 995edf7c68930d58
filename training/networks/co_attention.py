"""Co-attention: tokens and slots that attend each other in turns."""

import torch
from torch import nn

from dense_descriptor_ros.training.networks.attention import Reading, residual_mlp


class CoAttention(nn.Module):
    """Layers in which each token asks which slots it belongs to, then each slot reads the tokens so informed.

    A token divides its attention among the slots, so that these compete as in slot attention; but the tokens
    change too: one that has found its slot says so to the slots that read it next. Slots read last, else the
    last turn of the tokens would go unused. Turns: Lu et al. 2016 (https://arxiv.org/abs/1606.00061), each a
    residual transformer layer: Lu et al. 2019 (https://arxiv.org/abs/1908.02265).
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
        self.layers = nn.ModuleList(CoAttentionLayer(slot_width, hidden, heads) for _ in range(iterations))

    def forward(self, tokens: torch.Tensor, slots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Refine initial slots (B, S, D) on tokens (B, N, C), in float32 whatever autocast does.

        Returns:
            The slots (B, S, D), and the attention (B, S, N) of the last layer's tokens, which sums to 1 over
            the slots: the share of a token that each slot has.
        """
        with torch.autocast(tokens.device.type, enabled=False):
            tokens, slots = self.project(tokens.float()), slots.float()
            for layer in self.layers:
                tokens, slots, attention = layer(tokens, slots)
        return slots, attention


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
