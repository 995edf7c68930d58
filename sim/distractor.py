"""Objects that are no mugs, so that a detector has something to reject."""

import numpy as np

from dense_descriptor_ros.sim.containers import bottle, box, can, carton, jar
from dense_descriptor_ros.sim.cookware import casserole, kettle, moka_pot, pan, teapot
from dense_descriptor_ros.sim.figure import animal, ball, blob, roll
from dense_descriptor_ros.sim.solid import Solid
from dense_descriptor_ros.sim.tableware import bowl, cup, jug, plate, tumbler

KINDS = {
    cup: 16,
    tumbler: 6,
    bowl: 7,
    plate: 4,
    jug: 6,
    pan: 6,
    casserole: 8,
    teapot: 10,
    kettle: 8,
    moka_pot: 5,
    bottle: 6,
    can: 5,
    jar: 4,
    box: 5,
    carton: 3,
    ball: 2,
    roll: 3,
    blob: 5,
    animal: 6,
}
"""Relative frequencies."""
UNLIKE = (bottle, can, jar, box, carton, ball, roll, blob)
"""Those that nobody takes for a mug."""


def sample_distractor(rng: np.random.Generator, look_alikes: bool = True) -> Solid:
    """One of the kinds, with sizes of its own."""
    kinds = list(KINDS) if look_alikes else list(UNLIKE)
    weights = np.array([KINDS[kind] for kind in kinds])
    return kinds[rng.choice(len(kinds), p=weights / weights.sum())](rng)
