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
        """(N, 3) unit, averaged by area over the triangles at a position, except across a crease of doubled vertices."""
        p = self.vertices[self.faces]
        areas = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
        count = len(self.vertices)
        own = np.stack([np.bincount(self.faces.ravel(), np.repeat(areas[:, k], 3), minlength=count) for k in range(3)], 1)
        positions, inverse = np.unique(self.vertices, axis=0, return_inverse=True)
        inverse = inverse.reshape(-1)
        shared = np.stack([np.bincount(inverse, own[:, k], minlength=len(positions)) for k in range(3)], 1)[inverse]
        own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-15)
        shared /= np.maximum(np.linalg.norm(shared, axis=1, keepdims=True), 1e-15)
        return np.where((own * shared).sum(1, keepdims=True) > CREASE_COSINE, shared, own)

    def moved(self, offset_m: np.ndarray) -> 'Mesh':
        """The mesh shifted by (3,) metres."""
        return Mesh(self.vertices + offset_m, self.faces, self.uv)


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
    return np.concatenate([np.stack([first, first + 1, below + 1], 1), np.stack([first, below + 1, below], 1)])


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
    cosine, sine = np.cos(theta), np.sin(theta)
    shape = (np.abs(cosine) ** squareness + np.abs(sine) ** squareness) ** (-1 / squareness)
    radius, height = section[:, :1], section[:, 1:]
    x, y = radius * (shape * cosine), radius * (shape * sine)
    vertices = np.stack([x, y, np.broadcast_to(height, x.shape)], -1).reshape(-1, 3) + 0.0
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
    faces = np.concatenate([
        grid_faces(n, k + 1),
        np.stack([np.full(k, first), fan[:, 1], fan[:, 0]], 1),
        np.stack([np.full(k, last), fan[:, 0] + first - k - 1, fan[:, 1] + first - k - 1], 1),
    ])
    uv = np.concatenate([np.stack([u, v], -1).reshape(-1, 2), [[(u0 + u1) / 2, v0], [(u0 + u1) / 2, v1]]])
    return Mesh(np.concatenate([rings.reshape(-1, 3), caps]), faces, uv)


def write_obj(path: Path, mesh: Mesh, header: str = '') -> None:
    """Wavefront OBJ in metres with texture coordinates and normals; the header names its material."""
    corners = np.repeat(mesh.faces.ravel() + 1, 3)
    path.write_text(''.join([
        header,
        'v %.7f %.7f %.7f\n' * len(mesh.vertices) % tuple(mesh.vertices.ravel()),
        'vt %.5f %.5f\n' * len(mesh.uv) % tuple(mesh.uv.ravel()),
        'vn %.4f %.4f %.4f\n' * len(mesh.vertices) % tuple(mesh.normals.ravel()),
        'f %d/%d/%d %d/%d/%d %d/%d/%d\n' * len(mesh.faces) % tuple(corners),
    ]))


def write_collision_obj(path: Path, pieces: list[np.ndarray]) -> None:
    """OBJ with one group for each convex piece (n, 3) in metres: PyBullet makes a hull of each group."""
    lines, offset = [], 1
    for index, points in enumerate(pieces):
        lines.append(f'o piece{index}\n')
        lines.append('v %.6f %.6f %.6f\n' * len(points) % tuple(points.ravel()))
        count = len(points)
        corners = np.stack([np.arange(count), (np.arange(count) + 1) % count, (np.arange(count) + 2) % count], 1)
        lines.append('f %d %d %d\n' * count % tuple((corners + offset).ravel()))
        offset += count
    path.write_text(''.join(lines))


def ply_bytes(mesh: Mesh) -> bytes:
    """Binary PLY in millimetres, welded, as BOP keeps its models."""
    positions, faces = mesh.welded_faces
    header = (
        'ply\nformat binary_little_endian 1.0\n'
        f'element vertex {len(positions)}\nproperty float x\nproperty float y\nproperty float z\n'
        f'element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n'
    )
    records = np.empty(len(faces), [('count', 'u1'), ('indices', '<i4', 3)])
    records['count'], records['indices'] = 3, faces
    return header.encode() + (positions * 1000).astype('<f4').tobytes() + records.tobytes()
