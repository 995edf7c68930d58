"""A BOP data set whose geometry can be worked out by hand, for tests.

A "mug" is a rectangle parallel to the image, 1 m away and centred on its object's origin; its part beyond
`handle_x_min_mm` counts as the handle. Mug 2 is mug 1 enlarged by `SCALE`. Cameras look along the world's z
and move along x by `BASELINE_MM` from view to view. The depth of the first pixel is unknown.
"""

from pathlib import Path

import numpy as np

from dense_descriptor_ros.files import write_image, write_json

F_PX, CX, CY, WIDTH, HEIGHT = 200.0, 80.0, 60.0, 160, 120
DEPTH_MM, BACKGROUND_MM = 1000.0, 1200.0
BASELINE_MM = 100.0
HALF_WIDTH_PX, HALF_HEIGHT_PX = 15, 12
SCALE = 2.0
IDENTITY = [1.0, 0, 0, 0, 1, 0, 0, 0, 1]


def write_tiny_bop(root: Path, views: int = 2) -> Path:
    """Two scenes of two views, or more: mug 1 in scene 0, mug 2 in scene 1."""
    for scene_id, scale in ((0, 1.0), (1, SCALE)):
        write_scene(root / 'test' / f'{scene_id:06d}', scene_id + 1, scale, views)
    write_json(root / 'models' / 'models_acf.json', {'1': model(1.0), '2': model(SCALE)})
    return root


def model(scale: float) -> dict:
    """Entry of models_acf.json."""
    return {
        'category': 'mug',
        'height_mm': 100 * scale,
        'rim_radius_mm': 40 * scale,
        'diameter_mm': 150 * scale,
        'handle_x_min_mm': 45 * scale,
        'frames': {
            'body': {'origin_mm': [0, 0, 0], 'axis': [0, 0, 1]},
            'handle': {'origin_mm': [60 * scale, 0, 0], 'axis': [1, 0, 0]},
            'opening': {'origin_mm': [0, 0, 50 * scale], 'axis': [0, 0, 1]},
        },
    }


def centre_px(im_id: int) -> int:
    """Column of the mug's centre."""
    return round(CX + F_PX * (BASELINE_MM / 2 - BASELINE_MM * im_id) / DEPTH_MM)


def write_scene(folder: Path, obj_id: int, scale: float, views: int) -> None:
    """One scene."""
    cameras, truths, infos = {}, {}, {}
    for im_id in range(views):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        half_u, half_v = int(HALF_WIDTH_PX * scale), int(HALF_HEIGHT_PX * scale)
        u, v = centre_px(im_id), int(CY)
        mask[v - half_v : v + half_v + 1, u - half_u : u + half_u + 1] = True
        depth = np.where(mask, DEPTH_MM * 10, BACKGROUND_MM * 10).astype(np.uint16)
        depth[0, 0] = 0
        rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        rgb[mask] = (200, 120, 40 * obj_id)
        write_image(folder / 'rgb' / f'{im_id:06d}.png', rgb)
        write_image(folder / 'depth' / f'{im_id:06d}.png', depth)
        write_image(folder / 'mask_visib' / f'{im_id:06d}_000000.png', mask.astype(np.uint8) * 255)
        cameras[im_id] = {
            'cam_K': [F_PX, 0, CX, 0, F_PX, CY, 0, 0, 1],
            'depth_scale': 0.1,
            'cam_R_w2c': IDENTITY,
            'cam_t_w2c': [-BASELINE_MM * im_id, 0, 0],
        }
        t_mm = [BASELINE_MM / 2 - BASELINE_MM * im_id, 0, DEPTH_MM]
        truths[im_id] = [{'cam_R_m2c': IDENTITY, 'cam_t_m2c': t_mm, 'obj_id': obj_id}]
        infos[im_id] = [{'visib_fract': 1.0, 'px_count_visib': int(mask.sum())}]
    for name, value in (('camera', cameras), ('gt', truths), ('gt_info', infos)):
        write_json(folder / f'scene_{name}.json', value)
