"""Open vessels that are no mugs: without a handle, or of other proportions."""

import numpy as np

from dense_descriptor_ros.sim.mesh import Mesh
from dense_descriptor_ros.sim.mug import attached_handle, handle_mesh, sample_body, sample_handle
from dense_descriptor_ros.sim.solid import Range, Solid, centred, in_plane, tube
from dense_descriptor_ros.sim.vessel import HANDLE_BOX, VesselShape, build_vessel


def cup(rng: np.random.Generator) -> Solid:
    """A mug's body without the handle."""
    return centred('cup', build_vessel(sample_body(rng)))


def vessel_shape(
    rng: np.random.Generator, radius_m: Range, height_m: Range, profiles: list[str]
) -> VesselShape:
    """A plain vessel in these ranges."""
    return VesselShape(
        profile=str(rng.choice(profiles)),
        height_m=rng.uniform(*height_m),
        radius_m=rng.uniform(*radius_m),
        amount=rng.uniform(0.08, 0.3),
        wall_m=rng.uniform(0.002, 0.005),
        bottom_m=rng.uniform(0.003, 0.006),
        corner_m=rng.uniform(0.002, 0.01),
    )


def tumbler(rng: np.random.Generator) -> Solid:
    """Tall and slim."""
    shape = vessel_shape(rng, (0.028, 0.042), (0.11, 0.17), ['taper', 'cylinder', 'bell'])
    return centred('tumbler', build_vessel(shape))


def bowl(rng: np.random.Generator) -> Solid:
    """Wide and low."""
    return centred('bowl', build_vessel(vessel_shape(rng, (0.06, 0.10), (0.04, 0.08), ['round', 'taper'])))


def plate(rng: np.random.Generator) -> Solid:
    """Wide and flat."""
    shape = vessel_shape(rng, (0.08, 0.13), (0.016, 0.026), ['round', 'taper'])
    return centred('plate', build_vessel(shape))


def jug(rng: np.random.Generator) -> Solid:
    """Has a mug's handle, but is larger than any mug and has a lip to pour from."""
    shape = vessel_shape(rng, (0.045, 0.075), (0.165, 0.25), ['taper', 'barrel', 'bell', 'round', 'waist'])
    grip = handle_mesh(attached_handle(shape, sample_handle(rng, shape.height_m))[1])
    return centred('jug', build_vessel(shape), grip, pouring_lip(rng, shape))


def pouring_lip(rng: np.random.Generator, shape: VesselShape) -> Mesh:
    """Widening beak at the rim on the side away from the handle."""
    s = np.linspace(0, 1, 5)
    rim = float(shape.outer_radius(np.array(shape.height_m)))
    x = -(rim - 0.004 + rng.uniform(0.012, 0.03) * s)
    points = in_plane(x, (0.86 + 0.13 * s) * shape.height_m)
    return tube(points[::-1], (0.5 + 0.5 * s[::-1]) * rng.uniform(0.008, 0.014), 1.3, uv_box=HANDLE_BOX)
