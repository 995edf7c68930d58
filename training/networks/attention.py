"""Parts of transformer layers that also say where was looked."""

import torch
from torch import nn


class Reading(nn.Module):
    """Vectors that add to themselves what they read from others, by multi-head attention.

    Normalised before, not after: Xiong et al. 2020 (https://arxiv.org/abs/2002.04745).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_readers, self.norm_source = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, readers: torch.Tensor, source: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Readers (B, R, D) after reading from a source (B, N, D).

        Returns:
            The readers (B, R, D), and the mean weights (B, R, N) of the heads, sum 1 over the source.
        """
        source = self.norm_source(source)
        seen, weights = self.attention(self.norm_readers(readers), source, source)
        return readers + seen, weights


def residual_mlp(width: int, hidden: int) -> nn.Sequential:
    """What a transformer layer adds to each vector by itself."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class SlotTransformer(nn.Module):
    """Slots that are refined on an image's tokens by layers with weights of their own.

    Subclasses name their `layer`, built as `layer(width, hidden, heads)`: it takes tokens (B, N, D) and slots
    (B, S, D), and returns both anew with the attention (B, S, N) between them.
    """

    layer: type[nn.Module]

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
            iterations: number of layers.
            hidden: width of the MLPs' hidden layers; None takes twice that of the slots.
            heads: of every attention.
        """
        super().__init__()
        self.project = nn.Linear(token_width, slot_width)
        hidden = hidden or 2 * slot_width
        self.layers = nn.ModuleList(self.layer(slot_width, hidden, heads) for _ in range(iterations))

    def forward(self, tokens: torch.Tensor, slots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Refine initial slots (B, S, D) on tokens (B, N, C), in float32 whatever autocast does.

        Returns:
            The slots (B, S, D), and the last layer's attention (B, S, N).
        """
        with torch.autocast(tokens.device.type, enabled=False):
            tokens, slots = self.project(tokens.float()), slots.float()
            for layer in self.layers:
                tokens, slots, attention = layer(tokens, slots)
        return slots, attention
