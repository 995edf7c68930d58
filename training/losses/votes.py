"""Losses of the affordance head: every cell of an object votes for its parts' keypoints and axes."""

import torch
import torch.nn.functional as F

from dense_descriptor_ros.model import STRIDE, ModelOutput
from dense_descriptor_ros.preprocess import camera_to_ray, rays_of
from dense_descriptor_ros.votes import cell_pixels


def vote_losses(
    output: ModelOutput,
    depth_m: torch.Tensor,
    K: torch.Tensor,
    instance_map: torch.Tensor,
    origins_m: torch.Tensor,
    axes: torch.Tensor,
    visible: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """Losses `object`, `visible`, `keypoint` and `axis`, scalars.

    Args:
        output: of the network, for B images.
        depth_m: (B, H, W) as the network saw it; a cell without depth has no vote.
        K: (B, 3, 3) pixels.
        instance_map: (B, h, w) int, 0 for background, else 1 + instance.
        origins_m: (B, I, P, 3) camera frame.
        axes: (B, I, P, 3) unit, camera frame.
        visible: (B, I, P) bool, whether the part is seen; hidden parts have no keypoint or axis loss.

    Keypoints follow a Laplace distribution per cell and part whose scale the network predicts (Kendall and
    Gal 2017, https://arxiv.org/abs/1703.04977); axes 1 - cos. Each instance weighs as the square root of its
    cells, so that near objects do not drown far ones.
    """
    losses = {'object': F.binary_cross_entropy_with_logits(output.object_logit, (instance_map > 0).float())}
    b, i, j = torch.nonzero(instance_map > 0, as_tuple=True)
    if len(b) == 0:
        zero = output.axis.sum() * 0
        return losses | {'visible': zero, 'keypoint': zero, 'axis': zero}
    owner = instance_map[b, i, j] - 1
    weight = instance_weights(instance_map, b, i, j)
    seen = visible[b, owner].float()  # (N, P)
    visible_loss = F.binary_cross_entropy_with_logits(
        output.visible_logit[b, :, i, j], seen, reduction='none'
    )
    losses['visible'] = (visible_loss.mean(1) * weight).sum() / weight.sum()

    uv = cell_pixels(depth_m.shape[-2], depth_m.shape[-1], depth_m.device)[:, i, j].T  # (N, 2)
    rays = rays_of(K[b], uv.to(K.dtype))[:, :, None]  # (N, 3, 1)
    z = depth_m[b, uv[:, 1], uv[:, 0]]
    part_weight = seen * weight[:, None]
    truth = camera_to_ray(rays, axes[b, owner].transpose(1, 2))  # (N, 3, P)
    cosine = (output.axis[b, :, :, i, j].transpose(1, 2) * truth).sum(1)
    losses['axis'] = ((1 - cosine) * part_weight).sum() / part_weight.sum().clamp(min=1e-6)

    part_weight = part_weight * (z > 0)[:, None]
    cells_per_m = (K[b, 0, 0] / STRIDE / z.clamp(min=1e-3))[:, None, None]
    offset_m = origins_m[b, owner].transpose(1, 2) - rays * z[:, None, None]
    target = camera_to_ray(rays, offset_m) * cells_per_m
    error = (output.offset_cells[b, :, :, i, j].transpose(1, 2) - target).square().sum(1).add(1e-6).sqrt()
    log_spread = output.log_spread[b, :, i, j]
    likelihood = error * (-log_spread).exp() + 3 * log_spread
    losses['keypoint'] = (likelihood * part_weight).sum() / part_weight.sum().clamp(min=1e-6)
    return losses


def instance_weights(
    instance_map: torch.Tensor, b: torch.Tensor, i: torch.Tensor, j: torch.Tensor
) -> torch.Tensor:
    """1 / sqrt(cells of the instance) for each cell (b, i, j), (N,)."""
    key = b * (int(instance_map.max()) + 1) + instance_map[b, i, j]
    return torch.bincount(key)[key].float().rsqrt()
