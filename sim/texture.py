"""Procedural textures: (H, W, 3) uint8 RGB, periodic along u so that they close round an object."""

import colorsys

import cv2
import numpy as np

from dense_descriptor_ros.sim.vessel import HANDLE, INSIDE, OUTSIDE

SIZE = (256, 512)
LETTERS = 'ABCDEFGHKLMNOPRSTUVXYZ0123456789&!?'


def sample_colour(rng: np.random.Generator, white: float = 0.2, black: float = 0.08) -> np.ndarray:
    """(3,) float RGB, 0 to 255: white or black with these probabilities, else any hue."""
    draw = rng.random()
    if draw < white:
        return rng.uniform(215, 255) - rng.uniform(0, 14, 3)
    if draw < white + black:
        return rng.uniform(8, 45) + rng.uniform(0, 10, 3)
    hsv = rng.random(), rng.uniform(0.1, 1.0), rng.uniform(0.25, 1.0)
    return np.array(colorsys.hsv_to_rgb(*hsv)) * 255


def noise(rng: np.random.Generator, height: int, width: int, cells: int, octaves: int = 3) -> np.ndarray:
    """(height, width) float32, 0 to 1: smooth noise, periodic along u, `cells` blobs wide at its coarsest."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        columns = max(2, cells * 2**octave)
        rows = max(2, round(columns * height / width))
        grid = rng.random((rows, columns), dtype=np.float32)
        grid = np.concatenate([grid, grid[:, :2]], 1)
        period = width / columns
        wide = cv2.resize(grid, (round(width + 2 * period), height), interpolation=cv2.INTER_CUBIC)
        start = round(period / 2)
        total += wide[:, start : start + width] * 0.5 ** (octave + 1)
    return np.clip(total / (1 - 0.5**octaves), 0, 1)


def mix(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32: colour a where weight (H, W) is 0, b where it is 1."""
    return (a + (b - a) * weight[..., None]).astype(np.float32)


def plain(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """One colour."""
    return np.broadcast_to(base, (*shape, 3)).astype(np.float32).copy()


def rings(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Bands round the object."""
    rows = np.linspace(0, rng.integers(1, 9), shape[0]) % 1 < rng.uniform(0.1, 0.7)
    return mix(base, sample_colour(rng), np.broadcast_to(rows[:, None], shape))


def stripes(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Upright or slanted stripes."""
    v, u = np.mgrid[: 1 : shape[0] * 1j, : 1 : shape[1] * 1j]
    phase = u * rng.integers(3, 24) + v * rng.choice([0, 0, rng.uniform(-4, 4)])
    return mix(base, sample_colour(rng), phase % 1 < rng.uniform(0.15, 0.7))


def dots(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Rows of dots."""
    count = int(rng.integers(6, 26))
    v, u = np.mgrid[: shape[0], : shape[1]] * (count / shape[1])
    u = u + 0.5 * (np.floor(v) % 2) * rng.integers(0, 2)
    inside = (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < rng.uniform(0.15, 0.42) ** 2
    return mix(base, sample_colour(rng), inside)


def checks(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Checkerboard."""
    count = 2 * int(rng.integers(3, 14))
    v, u = np.mgrid[: shape[0], : shape[1]] * (count / shape[1])
    return mix(base, sample_colour(rng), (np.floor(u) + np.floor(v)) % 2)


def marble(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Blobs of two colours, soft or sharp."""
    field = noise(rng, *shape, cells=int(rng.integers(2, 12)), octaves=4)
    steep = rng.choice([1.5, 8.0])
    return mix(base, sample_colour(rng), np.clip((field - 0.5) * steep + 0.5, 0, 1))


def glaze(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Two colours that meet at a wavy height."""
    edge = np.linspace(0, 1, shape[0])[:, None] + 0.25 * (noise(rng, *shape, cells=8) - 0.5)
    weight = np.clip((edge - rng.uniform(0.2, 0.8)) * rng.choice([2.0, 5.0, 60.0]) + 0.5, 0, 1)
    return mix(base, sample_colour(rng), weight)


def speckle(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Fine spots."""
    spots = rng.random((shape[0] // 2, shape[1] // 2), dtype=np.float32) < rng.uniform(0.01, 0.12)
    soft = cv2.resize(spots.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return mix(base, sample_colour(rng, black=0.4), soft)


def shapes(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """A few polygons."""
    image = plain(rng, shape, base)
    for _ in range(rng.integers(1, 9)):
        size = rng.uniform(0.08, 0.4) * shape[0]
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
        outline = np.stack([np.cos(angle), np.sin(angle)], 1) * size * rng.uniform(0.5, 1.0, (len(angle), 1))
        outline += [rng.uniform(0.1, 0.9) * shape[1], rng.uniform(0.1, 0.9) * shape[0]]
        cv2.fillPoly(image, [outline.round().astype(np.int32)], sample_colour(rng).tolist(), cv2.LINE_AA)
    return image


def text(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """A few words."""
    image = plain(rng, shape, base).astype(np.uint8)
    for _ in range(rng.integers(1, 4)):
        word = ''.join(rng.choice(list(LETTERS), rng.integers(2, 8)))
        scale, thick = rng.uniform(1.0, 4.0) * shape[0] / 160, int(rng.integers(2, 10))
        at = int(rng.uniform(0, 0.7) * shape[1]), int(rng.uniform(0.3, 0.9) * shape[0])
        font, colour = int(rng.integers(0, 8)), sample_colour(rng).tolist()
        cv2.putText(image, word, at, font, scale, colour, thick, cv2.LINE_AA)
    return image.astype(np.float32)


PATTERNS = {
    plain: 0.36,
    rings: 0.08,
    stripes: 0.07,
    dots: 0.06,
    checks: 0.05,
    marble: 0.09,
    glaze: 0.09,
    speckle: 0.06,
    shapes: 0.08,
    text: 0.06,
}


def sample_pattern(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 of one of the patterns on this base colour."""
    names = list(PATTERNS)
    return names[rng.choice(len(names), p=list(PATTERNS.values()))](rng, shape, base)


def chip(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A few small spots where the colour has come off."""
    for _ in range(rng.integers(1, 7)):
        centre = rng.integers(0, image.shape[1::-1]).tolist()
        axes, turn = rng.integers(2, 9, 2).tolist(), rng.uniform(0, 180)
        cv2.ellipse(image, centre, axes, turn, 0, 360, sample_colour(rng, 0.5, 0.3).tolist(), -1)
    return image


def vessel_texture(rng: np.random.Generator) -> np.ndarray:
    """SIZE texture in the bands of `vessel`: outside, inside and handle."""
    base = sample_colour(rng, white=0.3, black=0.1)
    image = np.zeros((*SIZE, 3), np.float32)
    bands = [OUTSIDE, INSIDE, HANDLE]
    same = rng.random(3) < [1.0, 0.6, 0.65]
    for (low, high), keep in zip(bands, same, strict=True):
        rows = slice(round((1 - high) * SIZE[0]), round((1 - low) * SIZE[0]) + 1)
        colour = base if keep else sample_colour(rng)
        shape = image[rows].shape[:2]
        patterned = low == OUTSIDE[0] or rng.random() < 0.15
        image[rows] = sample_pattern(rng, shape, colour) if patterned else colour
    if rng.random() < 0.15:
        image = chip(rng, image)
    return finish(rng, image)


def object_texture(rng: np.random.Generator) -> np.ndarray:
    """SIZE texture for any other object."""
    return finish(rng, sample_pattern(rng, SIZE, sample_colour(rng)))


def plain_texture(rng: np.random.Generator) -> np.ndarray:
    """SIZE texture of one colour."""
    return finish(rng, np.full((*SIZE, 3), sample_colour(rng), np.float32))


def wood(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Grain along u."""
    planks = np.linspace(0, rng.uniform(3, 14), shape[0])[:, None]
    grain = noise(rng, *shape, cells=2, octaves=2) * rng.uniform(4, 16) + planks
    field = np.abs(grain % 2 - 1) * 0.6 + 0.4 * cv2.blur(rng.random(shape, dtype=np.float32), (25, 1))
    return mix(base, base * rng.uniform(0.4, 0.85), field)


def tiles(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Tiles or bricks with joints."""
    count, gap = int(rng.integers(2, 9)), rng.uniform(0.02, 0.08)
    v, u = np.mgrid[: shape[0], : shape[1]] * (count / shape[1])
    u = u + rng.choice([0, 0.5]) * (np.floor(v) % 2)
    shade = rng.uniform(1 - rng.uniform(0, 0.25), 1, (count + 1, count + 1))
    face = shade[np.floor(v).astype(int) % count, np.floor(u).astype(int) % count]
    return mix(base, base * rng.uniform(0.3, 0.8), (u % 1 < gap) | (v % 1 < gap)) * face[..., None]


def cloth(rng: np.random.Generator, shape: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Woven squares."""
    v, u = np.mgrid[: shape[0], : shape[1]] * (rng.integers(4, 20) / shape[1])
    weave = 0.5 * (u % 1 < 0.5) + 0.5 * (v % 1 < 0.5)
    return mix(base, sample_colour(rng), weave + 0.15 * (rng.random(shape, dtype=np.float32) - 0.5))


def surface_texture(rng: np.random.Generator) -> np.ndarray:
    """(512, 512, 3) texture for a table, floor or wall."""
    shape = (512, 512)
    base = sample_colour(rng, white=0.15, black=0.1)
    if rng.random() < 0.35:
        base = np.array([rng.uniform(120, 210), rng.uniform(80, 150), rng.uniform(40, 110)])
    patterns = [wood, wood, tiles, cloth, marble, marble, plain, plain, checks, speckle, shapes]
    return finish(rng, patterns[rng.integers(len(patterns))](rng, shape, base))


def finish(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Slight unevenness, as uint8."""
    height, width = image.shape[:2]
    shade = 1 + rng.uniform(0, 0.25) * (noise(rng, height, width, cells=5) - 0.5)
    return np.clip(image * shade[..., None], 0, 255).astype(np.uint8)
