"""The mugs' geometry and frames."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from dense_descriptor_ros.sim.handle import KINDS, HandleShape
from dense_descriptor_ros.sim.mug import DIAMETER_M, HEIGHT_M, MugShape, build_mug, sample_mug
from dense_descriptor_ros.sim.vessel import PROFILES, VesselShape, outside_section, rounding

BODY = VesselShape(
    profile='cylinder',
    height_m=0.1,
    radius_m=0.04,
    amount=0.0,
    wall_m=0.004,
    bottom_m=0.006,
    corner_m=0.003,
    foot_m=0.0,
    lip_m=0.0,
    squareness=2.0,
)
HANDLE = HandleShape(
    kind='c',
    top_m=0.08,
    bottom_m=0.03,
    reach_m=0.03,
    thickness_m=0.008,
    width_m=0.01,
    section_exponent=2.0,
    root_flare=1.0,
    lean=0.0,
)


@pytest.fixture(scope='module')
def mugs():
    rng = np.random.default_rng(0)
    return [build_mug(sample_mug(rng)) for _ in range(50)]


def test_random_mugs_are_two_watertight_parts_with_outward_faces(mugs):
    for mug in mugs:
        positions, faces = mug.mesh.welded_faces
        mesh = trimesh.Trimesh(positions, faces, process=False)
        parts = mesh.split()
        assert mesh.is_watertight, mug.shape
        assert len(parts) == 2, mug.shape
        assert min(part.volume for part in parts) > 0, mug.shape


def test_random_mugs_have_the_documented_sizes(mugs):
    for mug in mugs:
        height = np.ptp(mug.mesh.vertices[:, 2])
        assert HEIGHT_M[0] - 1e-9 <= height <= HEIGHT_M[1] + 1e-9
        assert DIAMETER_M[0] <= 2 * mug.shape.body.radius_m <= DIAMETER_M[1]
        assert mug.shape.handle.kind in KINDS
        assert mug.shape.body.profile in PROFILES


def test_the_range_holds_every_profile_and_handle():
    rng = np.random.default_rng(1)
    shapes = [sample_mug(rng) for _ in range(300)]
    assert {shape.body.profile for shape in shapes} == set(PROFILES)
    assert {shape.handle.kind for shape in shapes} == set(KINDS)


def test_frames_of_a_known_mug():
    mug = build_mug(MugShape(BODY, HANDLE))
    np.testing.assert_allclose(mug.frames['body'].origin_m, [0, 0, 0])
    np.testing.assert_allclose(mug.frames['opening'].origin_m, [0, 0, 0.05])
    np.testing.assert_allclose(mug.frames['handle'].origin_m, [0.07, 0, 0.005], atol=2e-4)
    np.testing.assert_allclose(mug.frames['handle'].axis, [1, 0, 0])
    np.testing.assert_allclose(mug.frames['body'].axis, [0, 0, 1])
    assert mug.shape.body.rim_radius_m == pytest.approx(0.038)
    assert mug.mesh.vertices[:, 0].max() == pytest.approx(0.074, abs=3e-4)


def test_the_handle_origin_is_inside_the_bar(mugs):
    for mug in mugs:
        origin, handle = mug.frames['handle'].origin_m, mug.shape.handle
        assert origin[0] > mug.handle_x_min_m, mug.shape
        farthest = mug.mesh.vertices[:, 0].max()
        assert farthest - origin[0] == pytest.approx(handle.thickness_m / 2, rel=0.4), mug.shape


def test_the_handle_stays_between_base_and_rim(mugs):
    for mug in mugs:
        half = mug.shape.body.height_m / 2
        assert mug.mesh.vertices[:, 2].min() == pytest.approx(-half, abs=1e-9), mug.shape
        assert mug.mesh.vertices[:, 2].max() == pytest.approx(half, abs=1e-9), mug.shape


def test_the_handle_never_shows_inside_the_mug(mugs):
    for mug in mugs:
        body = mug.shape.body
        points = mug.handle_rings.reshape(-1, 3)
        n = body.squareness
        radius = (np.abs(points[:, 0]) ** n + np.abs(points[:, 1]) ** n) ** (1 / n)
        inner = body.base_radius(points[:, 2] + body.height_m / 2) - 0.6 * body.wall_m
        assert (radius > inner).all(), mug.shape


def test_no_handle_surface_lies_beyond_the_body_limit_on_a_bare_body():
    mug = build_mug(MugShape(BODY, replace(HANDLE, reach_m=0.02)))
    body_vertices = len(mug.mesh.vertices) - (mug.handle_rings.shape[0] * (mug.handle_rings.shape[1] + 1) + 2)
    assert mug.mesh.vertices[:body_vertices, 0].max() < mug.handle_x_min_m


def test_grooves_cut_into_the_outside_and_no_deeper_than_they_say():
    plain = outside_section(replace(BODY, ribs=0))
    grooved = outside_section(replace(BODY, ribs=6, rib_m=0.001))
    depth = np.interp(grooved[4:, 1], plain[:, 1], plain[:, 0]) - grooved[4:, 0]
    assert 0.0008 < depth.max() < 0.0012
    assert depth.min() > -2e-4


def test_the_rounded_edge_is_a_number_for_every_radius():
    # Rounding gave NaN for one radius in some two thousand, and PyBullet crashed on the mesh.
    for radius in np.random.default_rng(0).uniform(0.001, 0.016, 5000):
        back = rounding(np.array([-1e-4, 0, radius / 2, radius, 1]), radius)
        np.testing.assert_allclose(back, radius * np.array([1, 1, 1 - np.sqrt(0.75), 0, 0]), atol=1e-12)
