"""Generates a BOP data set of procedural mugs.

    python sim/generate.py out=data/mugs scenes=200 views=6 workers=2 seed=0

`config/generate.yaml` says what each setting means. A run that was stopped goes on when the same command is
given again; the data depend on the seed and the settings, not on the number of workers.
"""

import errno
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import cv2
import hydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from tqdm import tqdm

from dense_descriptor_ros.bop import read_json
from dense_descriptor_ros.errors import ConfigError, DenseDescriptorError
from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.processes import end_with_parent
from dense_descriptor_ros.sim.bop_writer import scene_folder, write_model_index, write_scene
from dense_descriptor_ros.sim.bullet import working_renderer
from dense_descriptor_ros.sim.render import SceneRenderer
from dense_descriptor_ros.sim.settings import MOST_SCENES, SceneSettings, check
from dense_descriptor_ros.sim.world import build_scene, render_views, scene_generator

_renderer: SceneRenderer | None = None


def generate(out: Path, scenes: int, workers: int, settings: SceneSettings) -> None:
    """Write the scenes that are missing, then the index of the models.

    Raises:
        ConfigError: a setting is outside its range, or `out` holds a split made with other settings.
        DenseDescriptorError: the disk is full or a worker died; finished scenes stay.
    """
    check(type(scenes) is int and 1 <= scenes <= MOST_SCENES, 'scenes', scenes, f'1 to {MOST_SCENES}')
    check(type(workers) is int and workers >= 1, 'workers', workers, '1 or more')
    settings = replace(settings, renderer=working_renderer(settings.renderer))
    try:
        write_missing(out, scenes, workers, settings)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise DenseDescriptorError(f'{out} cannot be written: {error}') from error
        message = f'the disk of {out} is full: free some space and run the command again'
        raise DenseDescriptorError(message) from error


def write_missing(out: Path, scenes: int, workers: int, settings: SceneSettings) -> None:
    """Write the scenes that are not there yet, with a progress bar, then the index of the models."""
    claim(out, settings)
    missing = [k for k in range(scenes) if not scene_folder(out, settings.split, k).is_dir()]
    title = f'{out}/{settings.split}'
    try:
        with tqdm(total=scenes, initial=scenes - len(missing), unit='scene', desc=title) as bar:
            for _ in run_all(out, missing, workers, settings):
                bar.update()
    finally:  # training takes a mug that the index lacks for background
        write_model_index(out)


def claim(out: Path, settings: SceneSettings) -> None:
    """Record the settings of a split, or check that they are those of the split that is there.

    Raises:
        ConfigError: they differ.
    """
    path = out / settings.split / 'settings.json'
    wanted = settings.to_dict()
    if path.is_file():
        found = {'cameras': 'scattered', **read_json(path)}  # older data sets do not name them
        differing = [key for key in sorted({*found, *wanted}) if found.get(key) != wanted.get(key)]
        if differing:
            changes = ', '.join(f'{key} was {found.get(key)!r}, now {wanted.get(key)!r}' for key in differing)
            raise ConfigError(f'{path.parent} has other settings: {changes}. Use those or change out=')
    else:
        write_json(path, wanted, indent=1)


def run_all(out: Path, scene_ids: list[int], workers: int, settings: SceneSettings) -> Iterator[int]:
    """Numbers of the scenes as they are finished."""
    if not scene_ids:
        return
    if workers == 1 or len(scene_ids) == 1:
        prepare(settings.renderer)
        for scene_id in scene_ids:
            yield run_scene(out, scene_id, settings)
        return
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, context, prepare, (settings.renderer,)) as pool:
        futures = [pool.submit(run_scene, out, scene_id, settings) for scene_id in scene_ids]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            message = 'a worker was killed, perhaps for want of memory: run the command again'
            raise DenseDescriptorError(message) from error
        finally:
            pool.shutdown(cancel_futures=True)


def prepare(renderer: str) -> None:
    """Start this process's renderer, on one core."""
    global _renderer
    end_with_parent()
    os.environ['LP_NUM_THREADS'] = '1'  # threads of Mesa's software OpenGL
    cv2.setNumThreads(1)
    _renderer = SceneRenderer(renderer)
    Finalize(None, _renderer.close, exitpriority=0)


def run_scene(out: Path, scene_id: int, settings: SceneSettings) -> int:
    """Make and write one scene."""
    if _renderer is None:
        raise DenseDescriptorError('no renderer: call prepare first')
    rng = scene_generator(settings, scene_id)
    scene = build_scene(rng, settings)
    write_scene(rng, out, settings, scene_id, scene, render_views(rng, _renderer, scene, settings))
    return scene_id


@hydra.main(version_base=None, config_path='config', config_name='generate')
def main(config: DictConfig) -> None:
    """Entry point; see the module's docstring."""
    try:
        values: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        out, scenes, workers = (values.pop(key) for key in ('out', 'scenes', 'workers'))
        generate(Path(str(out)), scenes, workers, SceneSettings.from_dict(values))
    except (DenseDescriptorError, OmegaConfBaseException) as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(1)


if __name__ == '__main__':
    main()
