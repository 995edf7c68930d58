"""Trains variants of the network for the same time on the same data, and compares them.

python training/ablation.py data=data/mugs test=data/mugs_test [others=DIR] [minutes=5] [only=[baseline]]

What is done is kept: the same command goes on after a stop, and adds variants that are new in ablation.yaml.
"""

import json
import logging
import math
import re
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.equal_time import plan_steps
from dense_descriptor_ros.training.evaluation import (
    TRAINED,
    EvaluateConfig,
    evaluate,
    finite,
    stored_descriptors,
)
from dense_descriptor_ros.training.metrics.descriptor_baselines import learned_part
from dense_descriptor_ros.training.report.page import number
from dense_descriptor_ros.training.settings import TrainConfig, read_settings
from dense_descriptor_ros.training.trainer import Trainer

LEARNED = 'learned part alone'
COLUMNS = {
    'AP body': lambda m: m['frames']['parts']['body']['ap_20mm_10deg'],
    'AP handle': lambda m: m['frames']['parts']['handle']['ap_20mm_10deg'],
    'AP opening': lambda m: m['frames']['parts']['opening']['ap_20mm_10deg'],
    'same mug < 2 %': lambda m: m['descriptors'][LEARNED]['same_instance']['mask']['below_0.02'],
    'other mug < 10 %': lambda m: m['descriptors'][LEARNED]['across_instances']['mask']['within_.10'],
    'mirrored': lambda m: m['descriptors'][LEARNED]['across_instances']['mask']['mirror_rate'],
    'smallest std': lambda m: m['descriptors'][LEARNED]['min_dimension_std'],
}
"""Figures of the table; those of descriptors are of the learned part."""


@dataclass(frozen=True)
class AblationConfig:
    """What is compared, and for how long each variant is trained."""

    data: Path
    test: Path
    variants: dict[str, list[str]]
    base: list[str]
    others: Path | None = None
    out: Path = Path('runs/ablation')
    minutes: float = 5.0
    seed: int = 0
    pairs: int = 60
    only: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if 'baseline' not in self.variants:
            raise ConfigError(f'variants are {list(self.variants)}: expected one called baseline')
        unknown = [name for name in self.only if name not in self.variants]
        if unknown:
            raise ConfigError(f'only names {unknown}: expected names of variants, {list(self.variants)}')
        if self.minutes <= 0:
            raise ConfigError(f'minutes is {self.minutes}: expected more than 0')

    def splits(self) -> dict[str, Path]:
        """Test sets by name."""
        return {'held out': self.test} | ({'others': self.others} if self.others else {})


def train_config(config: AblationConfig, name: str) -> TrainConfig:
    """Settings of one variant; `steps` is still the default."""
    overrides = [
        f'data={config.data}', f'seed={config.seed}', *config.base, *config.variants[name],
        f'out={config.out}', f'name={slug(name)}', 'resume=true', 'val_images=1',
    ]  # fmt: skip
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(Path(__file__).parent / 'config'), version_base='1.3'):
        return read_settings(hydra.compose('train', overrides))


def slug(name: str) -> str:
    """The name as a folder's."""
    return re.sub(r'[^a-z0-9.]+', '_', name.lower())


def run_variant(config: AblationConfig, name: str, steps: int) -> dict[str, Any]:
    """Train and evaluate one variant; figures by test set."""
    settings = train_config(config, name)
    settings = replace(
        settings,
        optimiser=replace(settings.optimiser, steps=steps),
        every=replace(settings.every, val_steps=10 * steps),
    )
    Trainer(settings).run()
    engine = Engine.load(settings.folder / 'last.safetensors')
    figures: dict[str, Any] = {'steps': steps}
    for split, data in config.splits().items():
        about = EvaluateConfig(data, out=settings.folder / slug(split), pairs=config.pairs)
        source = partial(stored_descriptors, about.folder)
        others = {LEARNED: learned_part(source, engine.learned_dim)}
        metrics = evaluate(engine, open_bop(data, about.split), about, others, {}).metrics
        figures[split] = {label: read(metrics) for label, read in COLUMNS.items()}
    return figures


def print_table(results: dict[str, Any], split: str) -> None:
    """Markdown, as the docs show it."""
    print(f'\n| {split} | steps | ' + ' | '.join(COLUMNS) + ' |')
    print('|' + '---|' * (len(COLUMNS) + 2))
    for name, figures in results.items():
        row = [figures[split][label] for label in COLUMNS]
        values = ' | '.join(number(math.nan if value is None else value) for value in row)
        print(f'| {name} | {figures["steps"]} | {values} |')


def run(config: AblationConfig) -> None:
    """Every variant that is not done yet; the table at the end."""
    names = config.only or list(config.variants)
    path = config.out / 'results.json'
    results: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    todo = [name for name in names if name not in results]
    scratch = config.out / 'timing'
    steps = plan_steps(
        config.out / 'plan.json',
        todo,
        lambda name: Trainer(replace(train_config(config, name), out=scratch)),
        config.minutes,
    )
    for name in todo:
        results[name] = finite(run_variant(config, name, steps[name]))
        write_json(path, results, indent=1)
    for split in config.splits():
        print_table({name: row for name, row in results.items() if split in row}, split)
    print(f'\n{path}; descriptors: {LEARNED}, of {TRAINED}')


@hydra.main(version_base=None, config_path='config', config_name='ablation')
def main(config: DictConfig) -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO)
    with errors_in_one_line():
        values = cast(dict[str, Any], OmegaConf.to_container(config))
        for name in ('data', 'test', 'others', 'out'):
            values[name] = None if values[name] is None else Path(str(values[name]))
        run(AblationConfig(**values))


if __name__ == '__main__':
    main()
