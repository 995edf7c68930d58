"""The rasteriser against closed forms."""

import numpy as np

from dense_descriptor_ros.geometry import pixel_grid
from dense_descriptor_ros.sim.mesh import box_mesh
from dense_descriptor_ros.sim.mug import build_mug, sample_mug
from dense_descriptor_ros.sim.raster import rasterise
from dense_descriptor_ros.sim.solid import solid_of_revolution

K = np.array([[200.0, 0, 79.5], [0, 210.0, 60.2], [0, 0, 1]])
SIZE = (120, 160)


def test_a_box_face_fills_exactly_the_pixels_whose_centres_it_covers():
    half = np.array([0.1, 0.07, 0.05])
    _, faces = (mesh := box_mesh(-half, half)).welded_faces
    depth = rasterise(mesh.welded_faces[0] + [0, 0, 1.05], faces, K, *SIZE)
    uv = pixel_grid(*SIZE)
    x, y = (uv[..., 0] - K[0, 2]) / K[0, 0], (uv[..., 1] - K[1, 2]) / K[1, 1]
    expected = (np.abs(x) <= 0.1) & (np.abs(y) <= 0.07)
    np.testing.assert_array_equal(np.isfinite(depth), expected)
    np.testing.assert_allclose(depth[expected], 1.0, atol=1e-9)


def test_a_sphere_has_the_depth_of_its_equation():
    a = np.linspace(-np.pi / 2, np.pi / 2, 121)
    section = np.stack([0.2 * np.cos(a), 0.2 * np.sin(a)], 1)
    section[[0, -1], 0] = 0
    positions, faces = solid_of_revolution(section.tolist(), segments=200).welded_faces
    centre = np.array([0.05, -0.03, 1.0])
    depth = rasterise(positions + centre, faces, K, *SIZE)
    uv = pixel_grid(*SIZE)
    rays = np.stack([(uv[..., 0] - K[0, 2]) / K[0, 0], (uv[..., 1] - K[1, 2]) / K[1, 1], np.ones(SIZE)], -1)
    a, b, c = (rays**2).sum(-1), rays @ centre, centre @ centre - 0.2**2
    inside = b**2 - a * c > 1e-3
    expected = (b - np.sqrt(np.where(inside, b**2 - a * c, 0))) / a
    assert np.isfinite(depth[inside]).all()
    np.testing.assert_allclose(depth[inside], expected[inside], atol=1e-3)


def test_what_leaves_the_image_is_cut_off():
    half = np.array([0.5, 0.5, 0.1])
    positions, faces = box_mesh(-half, half).welded_faces
    depth = rasterise(positions + np.array([0.6, 0, 1.1]), faces, K, *SIZE)
    assert np.isfinite(depth[:, -1]).all()
    assert not np.isfinite(depth[:, 0]).any()


def test_a_mug_has_the_depth_that_open3d_casts():
    import open3d

    mesh = build_mug(sample_mug(np.random.default_rng(4))).mesh
    angle = 0.9
    R = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    vertices = mesh.vertices @ R.T + [0.01, -0.02, 0.5]
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(vertices.astype(np.float32), mesh.faces.astype(np.uint32))
    u, v = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(SIZE)], -1)
    rays = np.concatenate([np.zeros((*SIZE, 3)), rays], -1).astype(np.float32)
    cast = scene.cast_rays(rays)['t_hit'].numpy()  # rays have z = 1, so the parameter is the depth
    depth = rasterise(vertices, mesh.faces, K, *SIZE)
    hit = np.isfinite(cast)
    assert hit.sum() > 500
    assert (hit != np.isfinite(depth)).sum() <= 3  # pixels whose centre lies on an edge to float precision
    both = hit & np.isfinite(depth)
    assert np.quantile(np.abs(cast[both] - depth[both]), 0.99) < 1e-4
