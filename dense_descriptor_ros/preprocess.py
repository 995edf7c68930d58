"""From RGB-D images to the network's input, the same in training and inference.

Directions and offsets at a pixel are expressed in its *ray frame*: the camera frame turned, by the
smallest rotation, so that z points along the pixel's viewing ray. In it an object looks the same
wherever it is in the image, which is what a convolution assumes.
"""

import torch
import torch.nn.functional as F

RGB_MEAN = (0.45, 0.45, 0.45)
RGB_STD = (0.25, 0.25, 0.25)
RELIEF_SCALE_M = 0.1
INPUT_CHANNELS = 9
PIXEL_SIZE_M = 0.0012
"""Usual width of a pixel at an object's distance."""
NORMAL_CHANNELS = slice(3, 6)
SMOOTHING_PX = 5
NORMAL_STEP_PX = 2
RELIEF_WINDOW_CELLS = 17


def network_input(rgb: torch.Tensor, depth_m: torch.Tensor, K: torch.Tensor) -> torch.Tensor:
    """Channels that the network sees: colour, surface normal in the ray frame, relief, validity, pixel size.

    The size that a pixel has on the surface, as a logarithm, tells a kettle from a mug.

    Args:
        rgb: (B, 3, H, W) float in 0 to 1.
        depth_m: (B, H, W) metres, 0 where unknown.
        K: (B, 3, 3) pixels.

    Returns:
        (B, 9, H, W) float32.
    """
    mean = rgb.new_tensor(RGB_MEAN)[:, None, None]
    std = rgb.new_tensor(RGB_STD)[:, None, None]
    depth = depth_m[:, None]
    valid = (depth > 0).float()
    rays = pixel_rays(K, *depth_m.shape[-2:])
    normals = camera_to_ray(rays, surface_normals(local_mean(depth, valid), rays)) * valid
    relief = (depth - neighbourhood_mean(depth, valid)) / RELIEF_SCALE_M
    size = (depth / (K[:, 0, 0].view(-1, 1, 1, 1) * PIXEL_SIZE_M)).clamp(min=1e-6).log()
    return torch.cat(
        [(rgb - mean) / std, normals, relief.clamp(-2, 2) * valid, valid, size.clamp(-2, 2) * valid], 1
    )


def pixel_rays(K: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Viewing rays (B, 3, H, W) with z = 1 of every pixel, camera frame."""
    v, u = torch.meshgrid(
        torch.arange(height, device=K.device, dtype=K.dtype),
        torch.arange(width, device=K.device, dtype=K.dtype),
        indexing='ij',
    )
    return rays_of(K, torch.stack([u, v]).expand(len(K), -1, -1, -1))


def rays_of(K: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
    """Viewing rays (B, 3, ...) with z = 1 of pixels `uv` (B, 2, ...)."""
    shape = (len(K),) + (1,) * (uv.dim() - 2)
    x = (uv[:, 0] - K[:, 0, 2].view(shape)) / K[:, 0, 0].view(shape)
    y = (uv[:, 1] - K[:, 1, 2].view(shape)) / K[:, 1, 1].view(shape)
    return torch.stack([x, y, torch.ones_like(x)], 1)


def camera_to_ray(rays: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (B, 3, ...) of the camera frame in the ray frames of `rays` (B, 3, ...).

    The rotation is the smallest that turns z onto the ray. Source: Rodrigues' formula between unit vectors
    z and r, R = I + [w] + [w]^2 / (1 + c), w = z x r, c = z . r. Written by components: tensors of 3x3
    matrices a pixel would cost more than the network's first layer.
    """
    rx, ry, c = unit(rays).unbind(1)
    x, y, z = vectors.unbind(1)
    along = (rx * x + ry * y) / (1 + c) + z
    return torch.stack([x - rx * along, y - ry * along, rx * x + ry * y + c * z], 1)


def ray_to_camera(rays: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Inverse of `camera_to_ray`."""
    rx, ry, c = unit(rays).unbind(1)
    x, y, z = vectors.unbind(1)
    along = (rx * x + ry * y) / (1 + c) - z
    return torch.stack([x - rx * along, y - ry * along, c * z - rx * x - ry * y], 1)


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (B, 3, ...) at length 1; zero stays zero. Faster than a norm over a strided dimension."""
    x, y, z = vectors.unbind(1)
    return vectors / (x * x + y * y + z * z).sqrt().clamp(min=1e-12)[:, None]


def local_mean(depth: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Mean of the valid depths in a small window, (B, 1, H, W): normals of raw sensor depth are noise."""
    pad = SMOOTHING_PX // 2
    both = F.avg_pool2d(torch.cat([depth * valid, valid], 1), SMOOTHING_PX, 1, pad)
    return both[:, :1] / both[:, 1:].clamp(min=1e-6)


def neighbourhood_mean(depth: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Mean of the valid depths in a wide window, (B, 1, H, W), taken at a quarter of the resolution."""
    both = F.avg_pool2d(torch.cat([depth * valid, valid], 1), 4)
    pad = RELIEF_WINDOW_CELLS // 2
    both = F.avg_pool2d(both, RELIEF_WINDOW_CELLS, 1, pad)
    mean = both[:, :1] / both[:, 1:].clamp(min=1e-6)
    return F.interpolate(mean, size=depth.shape[-2:], mode='bilinear', align_corners=False)


def surface_normals(depth: torch.Tensor, rays: torch.Tensor) -> torch.Tensor:
    """Unit normals (B, 3, H, W) towards the camera, camera frame, from depth (B, 1, H, W) in metres."""
    points = depth * rays
    s = NORMAL_STEP_PX
    padded = F.pad(points, (s, s, s, s), mode='replicate')
    ax, ay, az = (padded[..., s:-s, 2 * s :] - padded[..., s:-s, : -2 * s]).unbind(1)
    bx, by, bz = (padded[..., 2 * s :, s:-s] - padded[..., : -2 * s, s:-s]).unbind(1)
    return unit(torch.stack([by * az - bz * ay, bz * ax - bx * az, bx * ay - by * ax], 1))
