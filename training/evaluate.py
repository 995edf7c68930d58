"""Evaluates a checkpoint: metrics.json, predictions and a report to read.

python training/evaluate.py data=data/mugs split=test checkpoint=runs/mug/best.safetensors
"""

from functools import partial
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.checkpoint import SHIPPED, load_checkpoint
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.dense_object_nets import dense_object_nets
from dense_descriptor_ros.training.evaluation import (
    EvaluateConfig,
    Evaluation,
    evaluate,
    finite,
    stored_descriptors,
)
from dense_descriptor_ros.training.metrics.descriptor_baselines import baselines, learned_part
from dense_descriptor_ros.training.report.report import write_report

FRAME_ROWS = (
    'required',
    'recall',
    'precision',
    'origin_mm_p50',
    'origin_mm_p90',
    'axis_deg_p50',
    'axis_deg_p90',
    'acc_gt_20mm_10deg',
    'ap_10mm_5deg',
    'ap_20mm_10deg',
    'ap_50mm_15deg',
)
DESCRIPTOR_ROWS = (
    ('same_instance', 'below_0.02'),
    ('same_instance', 'mean_error'),
    ('same_instance', 'pck_5px'),
    ('across_instances', 'within_.05'),
    ('across_instances', 'within_.10'),
    ('across_instances', 'mirror_rate'),
)


def read_config(config: DictConfig) -> EvaluateConfig:
    """The settings, checked.

    Raises:
        ConfigError: a setting is missing or outside its range.
    """
    if OmegaConf.is_missing(config, 'data'):
        raise ConfigError('data is not given: name a data set, such as data=data/mugs')
    values: dict[str, Any] = {str(key): value for key, value in config.items()}
    for name in ('data', 'checkpoint', 'out', 'dense_object_nets'):
        values[name] = None if values[name] is None else Path(str(values[name]))
    return EvaluateConfig(**values)


def run(config: EvaluateConfig) -> None:
    """Evaluate and write the results."""
    dataset = open_bop(config.data, config.split)
    path = config.checkpoint or SHIPPED
    checkpoint = load_checkpoint(path)
    about = {'path': str(path), 'provenance': checkpoint.provenance}
    engine = Engine(checkpoint, config.device)
    others = baselines(checkpoint, config.device, config.depth)
    if engine.learned_dim < engine.descriptor_dim:
        source = partial(stored_descriptors, config.folder)
        others = {'learned part alone': learned_part(source, engine.learned_dim), **others}
    if config.dense_object_nets is not None:
        others['Dense Object Nets'] = dense_object_nets(config.dense_object_nets)
    evaluation = evaluate(engine, dataset, config, others, about)
    write_json(config.folder / 'metrics.json', finite(evaluation.metrics), indent=1)
    write_report(config.folder / 'report.html', evaluation)
    print_tables(evaluation)


def print_tables(evaluation: Evaluation) -> None:
    """Headline figures on the terminal."""
    frames, descriptors = evaluation.metrics['frames'], evaluation.metrics['descriptors']
    print(f'\n{frames["images"]} images, {frames["time_s"]["p50"] * 1e3:.0f} ms median')
    print(f'{"":34}' + ''.join(f'{part:>19}' for part in frames['parts']))
    for name in FRAME_ROWS:
        print(f'{name:34}' + ''.join(f'{row[name]:19.3f}' for row in frames['parts'].values()))
    errors = evaluation.metrics['calibration_error']
    print(f'{"calibration error of the score":34}' + ''.join(f'{errors[p]:19.3f}' for p in frames['parts']))
    print(f'\n{"descriptors, within the mask":34}' + ''.join(f'{name:>19}' for name in descriptors))
    for question, name in DESCRIPTOR_ROWS:
        values = [row[question].get('mask', {}).get(name, float('nan')) for row in descriptors.values()]
        print(f'{f"{question} {name}":34}' + ''.join(f'{value:19.3f}' for value in values))
    print(f'\n{evaluation.config.folder}/report.html')


@hydra.main(version_base=None, config_path='config', config_name='evaluate')
def main(config: DictConfig) -> None:
    """Command line."""
    with errors_in_one_line():
        run(read_config(config))


if __name__ == '__main__':
    main()
