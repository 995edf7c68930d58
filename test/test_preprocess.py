import pytest
import torch

from dense_descriptor_ros.preprocess import (
    INPUT_CHANNELS,
    camera_to_ray,
    network_input,
    pixel_rays,
    ray_to_camera,
    surface_normals,
)

K = torch.tensor([[[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]])


def random_rays(generator):
    rays = torch.randn(4, 3, 7, generator=generator, dtype=torch.float64)
    rays[:, 2] = 1
    return rays


def test_a_ray_is_straight_ahead_in_its_own_frame():
    rays = random_rays(torch.Generator().manual_seed(0))
    ahead = camera_to_ray(rays, rays)
    torch.testing.assert_close(ahead[:, :2], torch.zeros_like(ahead[:, :2]), atol=1e-12, rtol=0)
    torch.testing.assert_close(ahead[:, 2], rays.norm(dim=1))


def test_ray_frames_are_rotations():
    generator = torch.Generator().manual_seed(1)
    rays = random_rays(generator)
    a, b = torch.randn(2, 4, 3, 7, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(ray_to_camera(rays, camera_to_ray(rays, a)), a)
    torch.testing.assert_close((camera_to_ray(rays, a) * camera_to_ray(rays, b)).sum(1), (a * b).sum(1))


def test_the_rotation_leaves_what_is_normal_to_both_alone():
    # The smallest rotation that turns z onto the ray turns about z x ray.
    rays = torch.tensor([[1.0], [0.0], [1.0]], dtype=torch.float64)[None]
    about = torch.tensor([[0.0], [1.0], [0.0]], dtype=torch.float64)[None]
    torch.testing.assert_close(camera_to_ray(rays, about), about)


def tilted_plane(slope):
    """Depth of the plane z = 1 + slope * x."""
    rays = pixel_rays(K, 240, 320)
    return (1 / (1 - slope * rays[:, 0]))[:, None], rays


@pytest.mark.parametrize('slope', [0.0, 0.5, -1.0])
def test_normals_of_a_plane(slope):
    depth, rays = tilted_plane(slope)
    expected = torch.nn.functional.normalize(torch.tensor([slope, 0.0, -1.0]), dim=0)
    normals = surface_normals(depth, rays)[0, :, 5:-5, 5:-5]
    torch.testing.assert_close(normals, expected[:, None, None].expand_as(normals), atol=2e-4, rtol=0)


def test_a_sphere_about_the_camera_faces_it_everywhere():
    depth_m = 1 / pixel_rays(K, 240, 320).norm(dim=1)
    normals = network_input(torch.zeros(1, 3, 240, 320), depth_m, K)[0, 3:6, 8:-8, 8:-8]
    # Smoothing flattens the sphere a little: 0.02 is one degree.
    torch.testing.assert_close(
        normals, torch.tensor([0, 0, -1.0])[:, None, None].expand_as(normals), atol=0.02, rtol=0
    )


def test_missing_depth_is_zero_in_every_depth_channel():
    depth_m = torch.full((1, 64, 96), 0.8)
    depth_m[:, 20:30, 40:50] = 0
    channels = network_input(torch.rand(1, 3, 64, 96), depth_m, K)
    assert channels.shape == (1, INPUT_CHANNELS, 64, 96)
    assert channels[0, 3:, 20:30, 40:50].abs().max() == 0
    assert torch.isfinite(channels).all()


def test_relief_is_height_over_the_neighbourhood():
    depth_m = torch.full((1, 128, 128), 1.0)
    depth_m[:, 60:68, 60:68] = 0.95
    relief = network_input(torch.zeros(1, 3, 128, 128), depth_m, K)[0, 6]
    assert relief[64, 64] == pytest.approx(-0.5, abs=0.02)
    assert relief[0, 0] == pytest.approx(0, abs=1e-5)


def test_the_pixel_size_tells_large_and_far_from_small_and_near():
    K = torch.tensor([[600.0, 0, 32], [0, 600, 24], [0, 0, 1]])
    depth = torch.full((1, 48, 64), 0.72)
    depth[0, 0, 0] = 0
    rgb = torch.zeros(1, 3, 48, 64)
    size = network_input(rgb, depth, K[None])[0, 8]
    torch.testing.assert_close(size[1, 1], torch.tensor(0.0), atol=1e-6, rtol=0)  # 1.2 mm: the usual one
    assert size[0, 0] == 0
    twice = network_input(rgb, 2 * depth, K[None])[0, 8]
    zoomed = network_input(rgb, depth, torch.diag(torch.tensor([0.5, 0.5, 1])) @ K[None])[0, 8]
    torch.testing.assert_close(twice[1, 1], torch.tensor(2.0).log())
    torch.testing.assert_close(zoomed, twice)
