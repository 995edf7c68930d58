"""Triangle meshes with texture coordinates, in metres, and the two sweeps that every shape is made of."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

CREASE_COSINE = 0.8


@dataclass(frozen=True)
class Mesh:
    """Closed surface. Vertices on a texture seam are doubled, with bit-equal positions."""

    vertices: np.ndarray
    """(N, 3) metres."""
    faces: np.ndarray
    """(F, 3) int, counter-clockwise seen from outside."""
    uv: np.ndarray
    """(N, 2) texture coordinates; v = 1 is the texture's first row."""

    @cached_property
    def welded_faces(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions (M, 3) without the doubled ones, and faces (F', 3) on them without empty triangles."""
        positions, inverse = np.unique(self.vertices, axis=0, return_inverse=True)
        faces = inverse.reshape(-1)[self.faces]
        a, b, c = faces.T
        return positions, faces[(a != b) & (b != c) & (c != a)]

    @cached_property
    def normals(self) -> np.ndarray:
        """(N, 3) unit: the average of the vertices at a position, or a vertex's own normal at a crease.

        There is a crease where the normals of doubled vertices lie far apart, as on a box.
        """
        p = self.vertices[self.faces]
        areas = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
        count = len(self.vertices)
        own = unit(sum_by(self.faces.ravel(), np.repeat(areas, 3, axis=0), count))
        _, inverse = np.unique(self.vertices, axis=0, return_inverse=True)
        inverse = inverse.reshape(-1)
        shared = unit(sum_by(inverse, own, count)[inverse])
        return np.where((own * shared).sum(1, keepdims=True) > CREASE_COSINE, shared, own)

    def moved(self, offset_m: np.ndarray) -> 'Mesh':
        """The mesh shifted by (3,) metres."""
        return Mesh(self.vertices + offset_m, self.faces, self.uv)

    def scaled(self, factor: float) -> 'Mesh':
        """The mesh made larger about the origin."""
        return Mesh(self.vertices * factor, self.faces, self.uv)

    def transformed(self, linear: np.ndarray) -> 'Mesh':
        """The mesh under a linear map (3, 3) that keeps orientation (determinant above 0)."""
        return Mesh(self.vertices @ linear.T + 0.0, self.faces, self.uv)


def sum_by(index: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """(count, 3) sums of the rows (n, 3) that share an index."""
    return np.stack([np.bincount(index, rows[:, k], minlength=count) for k in range(3)], 1)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows (n, 3) at length 1; zero rows stay."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-15)


def length_along(points: np.ndarray) -> np.ndarray:
    """(n,) distance from the first point along a polyline (n, d)."""
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])


def superellipse(theta: np.ndarray, exponent: float) -> np.ndarray:
    """Radius at angles theta (radians) of the curve |x|^n + |y|^n = 1; 2 is a circle, more is squarer."""
    return (np.abs(np.cos(theta)) ** exponent + np.abs(np.sin(theta)) ** exponent) ** (-1 / exponent)


def merge(*meshes: Mesh) -> Mesh:
    """Several meshes as one; their surfaces stay apart."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets[:-1], strict=True)]),
        np.concatenate([mesh.uv for mesh in meshes]),
    )


def grid_faces(rows: int, columns: int) -> np.ndarray:
    """(F, 3) triangles of a grid of `rows` x `columns` vertices."""
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    below = first + columns
    upper, lower = np.stack([first, first + 1, below + 1], 1), np.stack([first, below + 1, below], 1)
    return np.concatenate([upper, lower])


def revolve(section: np.ndarray, v: np.ndarray, segments: int = 48, squareness: float = 2.0) -> Mesh:
    """Surface of revolution about z.

    Args:
        section: (n, 2) radius and height in metres, from the bottom's centre round the outside to the end on
            the axis; the material lies to its left.
        v: (n,) texture coordinate of each point; where it jumps, give the point twice.
        segments: facets round the axis.
        squareness: exponent of the superellipse that replaces the circle, 2 for a circle.
    """
    theta = np.arange(segments + 1) % segments * (2 * np.pi / segments)
    around = superellipse(theta, squareness)
    radius, height = section[:, :1], section[:, 1:]
    x, y = radius * (around * np.cos(theta)), radius * (around * np.sin(theta))
    vertices = np.stack([x, y, np.broadcast_to(height, x.shape)], -1).reshape(-1, 3) + 0.0  # no -0.0
    u = np.broadcast_to(np.linspace(0, 1, segments + 1), x.shape)
    uv = np.stack([u, np.broadcast_to(v[:, None], x.shape)], -1).reshape(-1, 2)
    return Mesh(vertices, grid_faces(len(section), segments + 1), uv)


def sweep(rings: np.ndarray, uv_box: tuple[float, float, float, float]) -> Mesh:
    """Closed tube through rings of points.

    Args:
        rings: (n, k, 3) metres, each ring counter-clockwise seen against the direction of travel.
        uv_box: (u0, v0, u1, v1): u runs round the ring, v along the tube.
    """
    n, k, _ = rings.shape
    u0, v0, u1, v1 = uv_box
    rings = np.concatenate([rings, rings[:, :1]], 1)
    u, v = np.meshgrid(np.linspace(u0, u1, k + 1), np.linspace(v0, v1, n))
    caps = rings[[0, -1], :k].mean(1)
    fan = np.stack([np.arange(k), np.arange(1, k + 1)], 1)
    first, last = n * (k + 1), n * (k + 1) + 1
    faces = np.concatenate(
        [
            grid_faces(n, k + 1),
            np.stack([np.full(k, first), fan[:, 1], fan[:, 0]], 1),
            np.stack([np.full(k, last), fan[:, 0] + first - k - 1, fan[:, 1] + first - k - 1], 1),
        ]
    )
    uv = np.concatenate([np.stack([u, v], -1).reshape(-1, 2), [[(u0 + u1) / 2, v0], [(u0 + u1) / 2, v1]]])
    return Mesh(np.concatenate([rings.reshape(-1, 3), caps]), faces, uv)


def box_mesh(low: np.ndarray, high: np.ndarray, repeat_m: float | None = None) -> Mesh:
    """Box between two corners (3,). Each side shows the texture once, or repeated every `repeat_m` metres."""
    vertices: list[np.ndarray] = []
    uv, faces = [], []
    whole = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    for axis in range(3):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        for side in (0, 1):
            corner = np.empty((4, 3))
            corner[:, axis] = (low, high)[side][axis]
            corner[:, b] = np.array([low[b], high[b], high[b], low[b]])
            corner[:, c] = np.array([low[c], low[c], high[c], high[c]])
            faces.append(np.array([[0, 1, 2], [0, 2, 3]])[:, :: 2 * side - 1] + 4 * len(vertices))
            vertices.append(corner)
            uv.append(corner[:, [b, c]] / repeat_m if repeat_m else whole)
    return Mesh(np.concatenate(vertices), np.concatenate(faces), np.concatenate(uv))


def polyhedron(sides: list[np.ndarray]) -> Mesh:
    """Flat convex sides (3 or 4 corners, 3), counter-clockwise from outside; each shows the texture once."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    offsets = np.cumsum([0] + [len(side) for side in sides])
    fans = [
        offset + np.array([[0, k, k + 1] for k in range(1, len(side) - 1)])
        for side, offset in zip(sides, offsets[:-1], strict=True)
    ]
    uv = np.concatenate([corners[: len(side)] for side in sides])
    return Mesh(np.concatenate(sides) + 0.0, np.concatenate(fans), uv)


def write_obj(path: Path, mesh: Mesh, header: str = '') -> None:
    """Wavefront OBJ in metres with texture coordinates and normals; the header names its material."""
    corners = np.repeat(mesh.faces.ravel() + 1, 3)
    path.write_text(
        ''.join(
            [
                header,
                'v %.7f %.7f %.7f\n' * len(mesh.vertices) % tuple(mesh.vertices.ravel()),
                'vt %.5f %.5f\n' * len(mesh.uv) % tuple(mesh.uv.ravel()),
                'vn %.4f %.4f %.4f\n' * len(mesh.vertices) % tuple(mesh.normals.ravel()),
                'f %d/%d/%d %d/%d/%d %d/%d/%d\n' * len(mesh.faces) % tuple(corners),
            ]
        )
    )


def write_collision_obj(path: Path, pieces: list[np.ndarray]) -> None:
    """OBJ with one group for each convex piece (n, 3) in metres: PyBullet makes a hull of each group."""
    lines, offset = [], 1
    for index, points in enumerate(pieces):
        lines.append(f'o piece{index}\n')
        lines.append('v %.6f %.6f %.6f\n' * len(points) % tuple(points.ravel()))
        count = len(points)
        corners = (np.arange(count)[:, None] + np.arange(3)) % count + offset
        lines.append('f %d %d %d\n' * count % tuple(corners.ravel()))
        offset += count
    path.write_text(''.join(lines))


def write_ply(mesh: Mesh, path: Path) -> None:
    """Binary PLY in millimetres, welded, as BOP keeps its models."""
    positions, faces = mesh.welded_faces
    header = (
        'ply\nformat binary_little_endian 1.0\n'
        f'element vertex {len(positions)}\nproperty float x\nproperty float y\nproperty float z\n'
        f'element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n'
    )
    records = np.empty(len(faces), [('count', 'u1'), ('indices', '<i4', 3)])
    records['count'], records['indices'] = 3, faces
    path.write_bytes(header.encode() + (positions * 1000).astype('<f4').tobytes() + records.tobytes())
