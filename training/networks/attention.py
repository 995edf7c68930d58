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
