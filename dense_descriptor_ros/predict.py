"""Runs a checkpoint over a BOP data set and writes the frames that it finds.

python -m dense_descriptor_ros.predict --bop DIR --split test --out predictions.json
"""

import argparse
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dense_descriptor_ros.bop import MM, BopDataset, View, open_bop
from dense_descriptor_ros.errors import ConfigError, DatasetError, InputError
from dense_descriptor_ros.files import write_atomically, write_json
from dense_descriptor_ros.frames import AffordanceFrame, Infers, Prediction
from dense_descriptor_ros.program import errors_in_one_line


def predict_dataset(
    engine: Infers, dataset: BopDataset, depth_folder: str = 'depth', descriptors_folder: Path | None = None
) -> dict[str, Any]:
    """Predictions for every image of a split, in the layout of predictions.json (millimetres).

    Args:
        engine: infers one image at a time.
        dataset: the split to run over.
        depth_folder: folder of each scene that depth is read from.
        descriptors_folder: where `SCENE_IMAGE.npz` with the descriptors go; None writes none.

    Raises:
        DatasetError: an image or its depth is missing, damaged or of another size; nothing is skipped, since
            figures over part of a split would look like figures over all of it.
    """
    check_depth_folder(dataset, depth_folder)
    images = []
    for view in tqdm(dataset.views, desc='predict', unit='image'):
        try:
            prediction = engine.infer(view.rgb(), view.depth_m(depth_folder), view.K)
        except InputError as error:
            raise DatasetError(f'{view.folder}, image {view.im_id}: {error}') from error
        images.append(image_entry(view, prediction))
        if descriptors_folder is not None:
            write_descriptors(descriptors_path(descriptors_folder, view), prediction.descriptors)
    return {'images': images}


def check_depth_folder(dataset: BopDataset, depth_folder: str) -> None:
    """Raise DatasetError before the long work if an image has no depth."""
    paths = [view.folder / depth_folder / f'{view.im_id:06d}.png' for view in dataset.views]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DatasetError(
            f'{missing[0]}: no depth for this image ({len(missing)} of {len(paths)} images lack it); '
            f'name another folder of the scenes, or complete the data set'
        )


def image_entry(view: View, prediction: Prediction) -> dict[str, Any]:
    """One entry of predictions.json."""
    frames = [frame_entry(frame) for frame in prediction.frames]
    return {'scene_id': view.scene_id, 'im_id': view.im_id, 'time_s': prediction.time_s, 'frames': frames}


def frame_entry(frame: AffordanceFrame) -> dict[str, Any]:
    """One frame as JSON values, in millimetres."""
    return {
        'category': frame.category,
        'instance': int(frame.instance),
        'part': frame.part,
        'score': float(frame.score),
        'origin_mm': [float(value) / MM for value in frame.origin_m],
        'axis': [float(value) for value in frame.axis],
    }


def descriptors_path(folder: Path, view: View) -> Path:
    """File of one image's descriptors."""
    return folder / f'{view.scene_id:06d}_{view.im_id:06d}.npz'


def write_descriptors(path: Path, descriptors: np.ndarray) -> None:
    """Write `descriptors` (D, h, w) as float16."""
    half = descriptors.astype(np.float16)
    write_atomically(path, lambda temporary: np.savez(temporary, descriptors=half))


def read_descriptors(path: Path) -> np.ndarray:
    """(D, h, w) float16 as `write_descriptors` left them.

    Raises:
        DatasetError: the file is missing or damaged.
    """
    try:
        with path.open('rb') as file:
            return np.load(file)['descriptors']
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f'{path}: no readable descriptors ({error}); run predict with --descriptors'
        ) from error


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(prog='python -m dense_descriptor_ros.predict', description=__doc__)
    parser.add_argument(
        '--bop', type=Path, required=True, metavar='DIR', help='data set in BOP scenewise format'
    )
    parser.add_argument('--split', default='test', help='folder of scenes in it (default: %(default)s)')
    parser.add_argument('--out', type=Path, required=True, metavar='JSON', help='predictions, millimetres')
    parser.add_argument('--checkpoint', type=Path, help='.safetensors file (default: the shipped one)')
    parser.add_argument(
        '--depth', default='depth', metavar='FOLDER', help='folder of depth (default: %(default)s)'
    )
    parser.add_argument(
        '--descriptors', type=Path, metavar='DIR', help='also write descriptors here, one .npz an image'
    )
    parser.add_argument('--device', default='auto', help='auto, cpu or cuda:N (default: %(default)s)')
    return parser.parse_args(arguments)


def run(arguments: argparse.Namespace) -> None:
    """Load, predict and write."""
    from dense_descriptor_ros.engine import (
        Engine,  # loads torch: `--help` and wrong arguments need not wait for it
    )

    if arguments.out.is_dir():
        raise ConfigError(
            f'--out {arguments.out} is a folder: name a file, such as {arguments.out}/predictions.json'
        )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    dataset = open_bop(arguments.bop, arguments.split, truth=False)
    engine = Engine.load(arguments.checkpoint, device=arguments.device)
    predictions = predict_dataset(engine, dataset, arguments.depth, arguments.descriptors)
    write_json(arguments.out, predictions)
    frames = sum(len(image['frames']) for image in predictions['images'])
    print(f'{arguments.out}: {frames} frames in {len(predictions["images"])} images')


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    with errors_in_one_line():
        run(parse_arguments(arguments))


if __name__ == '__main__':
    main()
