"""From the network's output to votes in space: one per cell that shows an object of the category."""

from dataclasses import dataclass, fields

import numpy as np
import torch

from dense_descriptor_ros.model import STRIDE, ModelOutput
from dense_descriptor_ros.preprocess import NORMAL_CHANNELS, ray_to_camera, rays_of

NEAREST_Z = 0.1
"""Of a vote's depth and its cell's; a nearer one is not projected."""


@dataclass(frozen=True)
class Votes:
    """Votes of N cells for the P parts of their objects, camera frame, metres."""

    point_m: np.ndarray
    """(N, 3) surface point of the cell."""
    normal: np.ndarray
    """(N, 3) unit, of the surface; 0 where unknown."""
    weight: np.ndarray
    """(N,) probability that the cell shows an object of the category."""
    keypoint_m: np.ndarray
    """(N, P, 3)"""
    spread_m: np.ndarray
    """(N, P) expected error of the keypoint."""
    axis: np.ndarray
    """(N, P, 3) unit"""
    on_part: np.ndarray
    """(N, P) probability that the cell lies on the part."""
    cell: np.ndarray
    """(N, 2) int, row and column."""

    def __len__(self) -> int:
        return len(self.weight)

    def __getitem__(self, pick: np.ndarray) -> 'Votes':
        return Votes(*(getattr(self, field.name)[pick] for field in fields(self)))


def cell_pixels(height: int, width: int, device: torch.device | None = None) -> torch.Tensor:
    """Pixel `uv` (2, h, w) at which each cell of an H x W image reads depth, next to the cell's centre."""
    v, u = torch.meshgrid(
        torch.arange(STRIDE // 2, height, STRIDE, device=device),
        torch.arange(STRIDE // 2, width, STRIDE, device=device),
        indexing='ij',
    )
    return torch.stack([u, v])


def cast_votes(
    output: ModelOutput,
    channels: torch.Tensor,
    depth_m: torch.Tensor | None,
    K: torch.Tensor,
    min_object_score: float,
) -> Votes:
    """Votes of one image.

    Args:
        output: of batch size 1.
        channels: (1, 9, H, W) that the network saw.
        depth_m: (1, H, W), 0 where unknown; a cell without depth has no vote. None without any depth: then
            keypoints are on the plane z = 1, where their projections alone mean something.
        K: (1, 3, 3) pixels.
        min_object_score: a cell votes from this probability on.
    """
    uv = cell_pixels(channels.shape[-2], channels.shape[-1], channels.device)
    depth = K.new_ones(uv.shape[1:]) if depth_m is None else depth_m[0, uv[1], uv[0]]
    object_score = output.object_logit[0].sigmoid()
    i, j = torch.nonzero((object_score >= min_object_score) & (depth > 0), as_tuple=True)
    u, v = uv[:, i, j]
    z = depth[i, j]
    rays = rays_of(K, uv[None, :, i, j].to(K.dtype))  # (1, 3, N)
    m_per_cell = (z * STRIDE / K[0, 0, 0])[:, None, None]
    offset_m = output.offset_cells[0][..., i, j].permute(2, 0, 1) * m_per_cell  # (N, P, 3)
    by_part = rays[0].T[:, :, None]  # (N, 3, 1): one ray for all parts of a cell
    points = rays[0].T * z[:, None]
    keypoints = points[:, None] + ray_to_camera(by_part, offset_m.transpose(1, 2)).transpose(1, 2)
    if depth_m is None:
        keypoints = keypoints / keypoints[..., 2:].clamp(min=NEAREST_Z)
    axes = ray_to_camera(by_part, output.axis[0][..., i, j].permute(2, 1, 0)).transpose(1, 2)
    normals = ray_to_camera(rays, channels[:, NORMAL_CHANNELS, v, u].float())[0].T
    return Votes(
        point_m=points.cpu().numpy(),
        normal=normals.cpu().numpy(),
        weight=object_score[i, j].cpu().numpy(),
        keypoint_m=keypoints.cpu().numpy(),
        spread_m=(output.log_spread[0][:, i, j].T.exp() * m_per_cell[..., 0]).cpu().numpy(),
        axis=axes.cpu().numpy(),
        on_part=output.on_part_logit[0][:, i, j].T.sigmoid().cpu().numpy(),
        cell=torch.stack([i, j], 1).cpu().numpy(),
    )
