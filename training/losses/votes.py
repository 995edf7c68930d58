"""Losses of the affordance head: every cell of an object votes for its parts' keypoints and axes."""

import torch
import torch.nn.functional as F

from dense_descriptor_ros.model import STRIDE, ModelOutput
from dense_descriptor_ros.preprocess import camera_to_ray, rays_of
from dense_descriptor_ros.votes import cell_pixels

OFF_PART_WEIGHT = 0.1


def vote_losses(
    output: ModelOutput,
    depth_m: torch.Tensor,
    true_depth_m: torch.Tensor,
    K: torch.Tensor,
    instance_map: torch.Tensor,
    origins_m: torch.Tensor,
    axes: torch.Tensor,
    visible: torch.Tensor,
    on_part: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """Losses `object`, `part`, `keypoint` and `axis`, scalars.

    Args:
        output: of the network, for B images.
        depth_m: (B, H, W) as the network saw it.
        true_depth_m: (B, h, w) of the cells, by which a cell without depth votes; 0 where unknown.
        K: (B, 3, 3) pixels.
        instance_map: (B, h, w) int, 0 for background, else 1 + instance.
        origins_m: (B, I, P, 3) camera frame.
        axes: (B, I, P, 3) unit, camera frame.
        visible: (B, I, P) bool, whether the part is seen; hidden parts have no keypoint or axis loss.
        on_part: (B, P, h, w) bool, whether a cell lies on a part. Such cells know the part's frame best and
            teach it most; for all others of the object it is a guess.

    Keypoints follow a Laplace distribution per cell and part whose scale the network predicts (Kendall and
    Gal 2017, https://arxiv.org/abs/1703.04977); axes 1 - cos. Each instance weighs as the square root of its
    cells, so that near objects do not drown far ones.
    """
    losses = {'object': F.binary_cross_entropy_with_logits(output.object_logit, (instance_map > 0).float())}
    b, i, j = torch.nonzero(instance_map > 0, as_tuple=True)
    if len(b) == 0:
        zero = output.axis.sum() * 0
        return losses | {'part': zero, 'keypoint': zero, 'axis': zero}
    owner = instance_map[b, i, j] - 1
    weight = instance_weights(instance_map, b, i, j)
    seen = visible[b, owner].float()  # (N, P)
    on = on_part[b, :, i, j].float()  # (N, P)
    part_loss = F.binary_cross_entropy_with_logits(output.on_part_logit[b, :, i, j], on, reduction='none')
    losses['part'] = (part_loss.mean(1) * weight).sum() / weight.sum()

    uv = cell_pixels(depth_m.shape[-2], depth_m.shape[-1], depth_m.device)[:, i, j].T  # (N, 2)
    rays = rays_of(K[b], uv.to(K.dtype))[:, :, None]  # (N, 3, 1)
    measured = depth_m[b, uv[:, 1], uv[:, 0]]
    z = torch.where(measured > 0, measured, true_depth_m[b, i, j])
    part_weight = seen * weight[:, None] * (OFF_PART_WEIGHT + (1 - OFF_PART_WEIGHT) * on)
    truth = camera_to_ray(rays, axes[b, owner].transpose(1, 2))  # (N, 3, P)
    cosine = (output.axis[b, :, :, i, j].transpose(1, 2) * truth).sum(1)
    losses['axis'] = mean_over_parts(1 - cosine, part_weight)

    part_weight = part_weight * (z > 0)[:, None]
    cells_per_m = (K[b, 0, 0] / STRIDE / z.clamp(min=1e-3))[:, None, None]
    offset_m = origins_m[b, owner].transpose(1, 2) - rays * z[:, None, None]
    target = camera_to_ray(rays, offset_m) * cells_per_m
    error = (output.offset_cells[b, :, :, i, j].transpose(1, 2) - target).square().sum(1).add(1e-6).sqrt()
    log_spread = output.log_spread[b, :, i, j]
    likelihood = error * (-log_spread).exp() + 3 * log_spread
    losses['keypoint'] = mean_over_parts(likelihood, part_weight)
    return losses


def mean_over_parts(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean over the parts that are there of the weighted means over cells, of values (N, P)."""
    total = weight.sum(0)
    means = (values * weight).sum(0) / total.clamp(min=1e-6)
    return means.sum() / (total > 0).sum().clamp(min=1)


def instance_weights(
    instance_map: torch.Tensor, b: torch.Tensor, i: torch.Tensor, j: torch.Tensor
) -> torch.Tensor:
    """1 / sqrt(cells of the instance) for each cell (b, i, j), (N,)."""
    key = b * (int(instance_map.max()) + 1) + instance_map[b, i, j]
    return torch.bincount(key)[key].float().rsqrt()
