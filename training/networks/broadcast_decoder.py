"""An image from slots: each paints a picture of its own and says where it counts."""

from dataclasses import dataclass

import torch
from torch import nn

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.networks.position import PositionEmbedding

START_CELLS = 8
"""Side of the grid that a slot is repeated over."""


@dataclass(frozen=True)
class Decoded:
    """What S slots paint."""

    image: torch.Tensor
    """(B, 3, H, W): the slots' colours, weighted by their masks."""
    masks: torch.Tensor
    """(B, S, H, W), sum 1 over the slots."""
    colours: torch.Tensor
    """(B, S, 3, H, W)"""


class BroadcastDecoder(nn.Module):
    """Repeats a slot over a coarse grid, adds the position, and doubles the resolution until it fits.

    Source: Watters et al. 2019 (https://arxiv.org/abs/1901.07017), in the form of Locatello et al. 2020,
    appendix E.3 (https://arxiv.org/abs/2006.15055).
    """

    def __init__(self, slot_width: int, size_px: int = 128, channels: int = 64) -> None:
        """Build the layers.

        Raises:
            ConfigError: `size_px` cannot be reached by doubling.
        """
        super().__init__()
        doublings = (size_px // START_CELLS).bit_length() - 1
        if size_px != START_CELLS << max(doublings, 0):
            raise ConfigError(f'size_px is {size_px}: expected {START_CELLS}, doubled any number of times')
        self.position = PositionEmbedding(slot_width)
        layers: list[nn.Module] = []
        for k in range(doublings):
            width = slot_width if k == 0 else channels
            layers += [
                nn.ConvTranspose2d(width, channels, 5, stride=2, padding=2, output_padding=1),
                nn.ReLU(inplace=True),
            ]
        last = channels if doublings else slot_width
        self.layers = nn.Sequential(*layers, nn.Conv2d(last, 4, 3, padding=1))

    def forward(self, slots: torch.Tensor) -> Decoded:
        """Images of slots (B, S, D)."""
        cells = slots.flatten(0, 1)[:, :, None, None].expand(-1, -1, START_CELLS, START_CELLS)
        painted = self.layers(self.position(cells)).unflatten(0, slots.shape[:2]).float()
        colours, masks = painted[:, :, :3], painted[:, :, 3].softmax(1)
        return Decoded((masks[:, :, None] * colours).sum(1), masks, colours)
