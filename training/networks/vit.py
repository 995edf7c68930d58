"""A small vision transformer over colour and depth."""

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from dense_descriptor_ros.model import STRIDE
from dense_descriptor_ros.preprocess import INPUT_CHANNELS
from dense_descriptor_ros.training.networks.tokens import Tokens

COLOUR_CHANNELS = 3
"""The first of the input."""


class TokenTransformer(nn.Module):
    """Tokens and a CLS token of an image, by timm's vision transformer; places are learned and interpolated.

    Source: Dosovitskiy et al. 2020 (https://arxiv.org/abs/2010.11929).
    """

    def __init__(
        self,
        width: int = 128,
        depth: int = 4,
        heads: int = 4,
        patch_px: int = 8,
        channels: int = INPUT_CHANNELS,
        image_px: int = 128,
    ) -> None:
        """Build the transformer.

        Args:
            width: C of the tokens, a multiple of `heads`.
            depth: number of layers.
            heads: of every attention.
            patch_px: side of the square that a token stands for.
            channels: of the input, the first so many: 3 for colour alone, 9 for depth too.
            image_px: side of the images whose places are learned; others' are interpolated.
        """
        super().__init__()
        self.channels = channels
        self.transformer = VisionTransformer(
            img_size=image_px,
            patch_size=patch_px,
            in_chans=channels,
            num_classes=0,
            embed_dim=width,
            depth=depth,
            num_heads=heads,
            dynamic_img_size=True,
        )

    def forward(self, channels: torch.Tensor) -> Tokens:
        """Tokens of input channels (B, 3 or 9, H, W), H and W multiples of the patch."""
        patch = self.transformer.patch_embed.patch_size
        size = (channels.shape[-2] // patch[0], channels.shape[-1] // patch[1])
        found = self.transformer.forward_features(channels[:, : self.channels])
        return Tokens(found[:, 1:], size, found[:, 0])

    def descriptors(self, channels: torch.Tensor) -> torch.Tensor:
        """Unit descriptors (B, C, h, w) at stride 4 of input channels (B, 3 or 9, H, W)."""
        tokens = self(channels)
        image = tokens.cells.float().mT.unflatten(2, tokens.size)
        size = (channels.shape[-2] // STRIDE, channels.shape[-1] // STRIDE)
        large = F.interpolate(image, size=size, mode='bilinear', align_corners=False)
        return F.normalize(large, dim=1, eps=1e-6)
