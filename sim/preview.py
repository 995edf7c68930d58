"""Draws a contact sheet of a data set: images with masks and affordance frames, and depth.

python sim/preview.py data/mugs --split train --out preview.jpg
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from dense_descriptor_ros.bop import BopDataset, View, open_bop
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.files import write_image
from dense_descriptor_ros.geometry import apply, project
from dense_descriptor_ros.program import errors_in_one_line

PART_COLOURS = {'body': (60, 120, 255), 'handle': (255, 70, 40), 'opening': (40, 220, 90)}
MASK_COLOURS = ((255, 200, 0), (0, 200, 255), (255, 0, 200), (120, 255, 0))
AXIS_M = 0.04
SHADOW = (0, 0, 0)


def draw_view(dataset: BopDataset, view: View) -> np.ndarray:
    """(H, W, 3) image with the visible outline of every instance and its parts' origins and axes."""
    image = view.rgb()
    for instance in view.instances:
        mask = view.visible_mask(instance).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, outlines, -1, MASK_COLOURS[instance.index % len(MASK_COLOURS)], 1)
        model = dataset.models.get(instance.obj_id)
        for part, frame in (model.frames if model else {}).items():
            ends = np.stack([frame.origin_m, frame.origin_m + AXIS_M * frame.axis])
            p_camera = apply(instance.T_camera_object, ends)
            if p_camera[:, 2].min() > 0:
                draw_arrow(image, project(view.K, p_camera), PART_COLOURS.get(part, (255, 255, 255)))
    return image


def draw_arrow(image: np.ndarray, uv: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Arrow from uv[0] to uv[1], with a dark edge so that it shows on any ground."""
    start, end = uv.round().astype(int).tolist()
    for thickness, shade in ((4, SHADOW), (2, colour)):
        cv2.arrowedLine(image, start, end, shade, thickness, cv2.LINE_AA, tipLength=0.25)
    cv2.circle(image, start, 4, SHADOW, -1, cv2.LINE_AA)
    cv2.circle(image, start, 3, colour, -1, cv2.LINE_AA)


def draw_depth(depth_m: np.ndarray) -> np.ndarray:
    """(H, W, 3) colours of the depth between its extremes; black where unknown."""
    known = depth_m > 0
    if not known.any():
        return np.zeros((*depth_m.shape, 3), np.uint8)
    low, high = np.percentile(depth_m[known], [1, 99])
    level = np.clip((depth_m - low) / max(high - low, 1e-6), 0, 1)
    colours = cv2.applyColorMap((255 * (1 - level)).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1].copy()
    colours[~known] = 0
    return colours


def contact_sheet(dataset: BopDataset, images: int, columns: int, tile_width: int) -> np.ndarray:
    """(H, W, 3) sheet of `images` views spread evenly over the data set, each beside its depth."""
    views = dataset.views
    chosen = [views[k] for k in np.linspace(0, len(views) - 1, min(images, len(views))).round().astype(int)]
    tiles = []
    for view in chosen:
        picture = draw_view(dataset, view)
        height = round(tile_width * picture.shape[0] / picture.shape[1])
        label = f'{view.scene_id:06d}/{view.im_id:06d}'
        cv2.putText(picture, label, (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
        pair = np.hstack([picture, draw_depth(view.depth_m())])
        tiles.append(cv2.resize(pair, (2 * tile_width, height), interpolation=cv2.INTER_AREA))
    blank = np.zeros_like(tiles[0])
    rows = [tiles[k : k + columns] for k in range(0, len(tiles), columns)]
    return np.vstack([np.hstack(row + [blank] * (columns - len(row))) for row in rows])


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Command line options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('dataset', type=Path, help='BOP data set')
    parser.add_argument('--split', default='train')
    parser.add_argument('--out', type=Path, default=Path('preview.jpg'), help='picture (default %(default)s)')
    parser.add_argument('--images', type=int, default=24, help='views to show (default %(default)s)')
    parser.add_argument('--columns', type=int, default=3)
    parser.add_argument('--tile-width', type=int, default=320, help='pixels (default %(default)s)')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Entry point; see the module's docstring."""
    options = parse(arguments)
    with errors_in_one_line():
        if min(options.images, options.columns, options.tile_width) < 1:
            raise ConfigError('--images, --columns and --tile-width must be 1 or more')
        dataset = open_bop(options.dataset, options.split)
        write_image(options.out, contact_sheet(dataset, options.images, options.columns, options.tile_width))
    print(f'{options.out}: {min(options.images, len(dataset.views))} of {len(dataset.views)} images')


if __name__ == '__main__':
    main()
