"""Meshes against closed forms."""

import numpy as np
import pytest
import trimesh

from dense_descriptor_ros.sim.mesh import (
    Mesh,
    box_mesh,
    length_along,
    merge,
    polyhedron,
    revolve,
    sweep,
    write_ply,
)
from dense_descriptor_ros.sim.solid import ellipsoid


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    positions, faces = mesh.welded_faces
    return trimesh.Trimesh(positions, faces, process=False)


def cylinder(segments: int = 200) -> Mesh:
    section = np.array([[0, 0], [0.04, 0], [0.04, 0.1], [0, 0.1]])
    return revolve(section, np.linspace(0, 1, 4), segments)


def test_revolved_rectangle_is_a_closed_cylinder():
    mesh = as_trimesh(cylinder())
    assert mesh.is_watertight
    polygon = 0.5 * 200 * np.sin(2 * np.pi / 200) * 0.04**2
    assert mesh.volume == pytest.approx(polygon * 0.1, rel=1e-9)


def test_large_exponent_revolves_to_a_square_prism():
    section = np.array([[0, 0], [0.03, 0], [0.03, 0.1], [0, 0.1]])
    mesh = as_trimesh(revolve(section, np.linspace(0, 1, 4), 400, squareness=60))
    assert mesh.volume == pytest.approx(0.06**2 * 0.1, rel=0.01)


def test_swept_rings_close_to_a_tube_with_outward_faces():
    angle = -np.arange(60) * 2 * np.pi / 60
    x = np.linspace(0, 0.2, 9)
    rings = np.stack(np.broadcast_arrays(x[:, None], 0.01 * np.sin(angle), 0.01 * np.cos(angle)), -1)
    mesh = as_trimesh(sweep(rings, (0, 0, 1, 1)))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(np.pi * 0.01**2 * 0.2, rel=0.005)


def test_box_has_its_volume_and_flat_normals():
    mesh = box_mesh(np.array([-0.1, -0.2, -0.3]), np.array([0.1, 0.2, 0.3]))
    assert as_trimesh(mesh).is_watertight
    assert as_trimesh(mesh).volume == pytest.approx(0.2 * 0.4 * 0.6)
    np.testing.assert_allclose(np.abs(mesh.normals).max(1), 1, atol=1e-9)


def test_a_polyhedron_of_flat_sides_has_its_volume():
    # A wedge: a box of 2 x 3 x 4 with half of it cut off along the diagonal.
    a, b, c, d, e, f = np.array([[0, 0, 0], [2, 0, 0], [2, 3, 0], [0, 3, 0], [0, 0, 4], [0, 3, 4]], float)
    sides = [[a, d, c, b], [a, b, e], [d, f, c], [a, e, f, d], [b, c, f, e]]
    mesh = as_trimesh(polyhedron([np.stack(side) for side in sides]))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(12)


def test_a_linear_map_turns_a_sphere_into_an_ellipsoid():
    mesh = as_trimesh(ellipsoid(np.array([1.0, 0, 0]), np.diag([0.02, 0.03, 0.05])))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.02 * 0.03 * 0.05, rel=0.02)
    np.testing.assert_allclose(mesh.bounds.mean(0), [1, 0, 0], atol=1e-6)


def test_cylinder_wall_normals_are_smooth_across_the_texture_seam():
    section = np.array([[0, 0], [0.04, 0], [0.04, 0.03], [0.04, 0.07], [0.04, 0.1], [0, 0.1]])
    mesh = revolve(section, np.linspace(0, 1, 6), 100)
    wall = mesh.normals.reshape(6, 101, 3)[2:4]
    np.testing.assert_allclose(wall[:, [0, -1]], np.broadcast_to([1, 0, 0], (2, 2, 3)), atol=1e-9)


def test_merged_meshes_keep_their_surfaces_apart():
    parts = as_trimesh(merge(cylinder(), cylinder().moved(np.array([0.2, 0, 0])))).split()
    assert len(parts) == 2


def test_ply_is_welded_and_in_millimetres(tmp_path):
    write_ply(cylinder(), tmp_path / 'a.ply')
    loaded = trimesh.load(tmp_path / 'a.ply', process=False)
    assert loaded.is_watertight
    np.testing.assert_allclose(loaded.bounds, [[-40, -40, 0], [40, 40, 100]], atol=1e-3)


def test_length_along_a_right_angle():
    np.testing.assert_allclose(length_along(np.array([[0, 0], [3, 0], [3, 4]])), [0, 3, 7])
