"""Which slot took which part of an image, to look at."""

import colorsys

import numpy as np
import torch
import torch.nn.functional as F


def slot_colours(count: int) -> torch.Tensor:
    """(S, 3) colours, 0 to 1, evenly spaced around the colour circle."""
    return torch.tensor([colorsys.hsv_to_rgb(k / count, 0.9, 1.0) for k in range(count)])


def coloured_masks(rgb: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Images (B, 3, H, W), 0 to 1, half covered by their slots' colours, for masks (B, S, h, w)."""
    large = F.interpolate(masks.float(), size=rgb.shape[-2:], mode='bilinear', align_corners=False)
    colours = torch.einsum('bshw,sc->bchw', large, slot_colours(masks.shape[1]).to(large))
    return 0.5 * rgb + 0.5 * colours


def picture(rows: list[torch.Tensor]) -> np.ndarray:
    """(H, W, 3) uint8 with one row for each (B, 3, h, w), 0 to 1; the columns are its images."""
    strips = [torch.cat(list(row), 2) for row in rows]
    large = torch.cat(strips, 1).float().clamp(0, 1) * 255
    return large.round().byte().permute(1, 2, 0).cpu().numpy()
