"""Distractors."""

import numpy as np
import pytest
import trimesh

from dense_descriptor_ros.sim.distractor import KINDS, sample_distractor


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_is_closed_and_covered_by_its_pieces(kind):
    rng = np.random.default_rng(0)
    for _ in range(4):
        solid = kind(rng)
        positions, faces = solid.mesh.welded_faces
        mesh = trimesh.Trimesh(positions, faces, process=False)
        assert mesh.is_watertight
        assert min(part.volume for part in mesh.split()) > 0
        assert sum(len(piece) for piece in solid.pieces) == len(solid.mesh.vertices)
        assert solid.mesh.vertices[:, 2].min() < 0 < solid.mesh.vertices[:, 2].max()


def test_the_sample_holds_every_kind():
    rng = np.random.default_rng(0)
    assert {sample_distractor(rng).kind for _ in range(200)} == {kind.__name__ for kind in KINDS}


def test_without_look_alikes_nothing_is_a_vessel():
    rng = np.random.default_rng(0)
    kinds = {sample_distractor(rng, look_alikes=False).kind for _ in range(100)}
    assert kinds == {'bottle', 'can', 'jar', 'box', 'carton', 'ball', 'roll', 'blob'}
