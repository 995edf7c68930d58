"""Trains every objective for the same time on the same data and compares what their frozen encoders know.

python training/compare.py data=data/compare test=data/mugs_test minutes=5

What is done is kept: the same command goes on after a stop, and adds trainings that are new in compare.yaml.
"""

import json
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.ablation import slug
from dense_descriptor_ros.training.equal_time import plan_steps
from dense_descriptor_ros.training.evaluation import finite
from dense_descriptor_ros.training.objectives.objective import Objective
from dense_descriptor_ros.training.probes.all_probes import ProbeConfig, probe_all
from dense_descriptor_ros.training.report.comparison import Results, write_report
from dense_descriptor_ros.training.settings import TrainConfig, read_settings
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.trainer import Trainer


@dataclass(frozen=True)
class CompareConfig:
    """What is compared, for how long each is trained, and how it is probed."""

    data: Path
    test: Path
    trainings: dict[str, list[str] | None]
    """Overrides of train.yaml by name; None is left untrained."""
    base: list[str]
    out: Path = Path('runs/compare')
    report: Path = Path('docs/objectives')
    minutes: float = 5.0
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    only: list[str] = field(default_factory=list)
    probes: ProbeConfig = field(default_factory=ProbeConfig)

    def __post_init__(self) -> None:
        unknown = [name for name in self.only if name not in self.trainings]
        if unknown:
            raise ConfigError(f'only names {unknown}: expected names of trainings, {list(self.trainings)}')
        if self.minutes <= 0:
            raise ConfigError(f'minutes is {self.minutes}: expected more than 0')
        if not self.seeds:
            raise ConfigError('seeds is empty: expected one or more numbers')


def train_config(config: CompareConfig, name: str, seed: int) -> TrainConfig:
    """Settings of one training; `steps` is still the default."""
    overrides = [
        f'data={config.data}', f'seed={seed}', *config.base, *(config.trainings[name] or []),
        f'out={config.out}', f'name={slug(name)}_{seed}', 'resume=true',
    ]  # fmt: skip
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(Path(__file__).parent / 'config'), version_base='1.3'):
        return read_settings(hydra.compose('train', overrides))


def trained(config: CompareConfig, name: str, seed: int, steps: int) -> Objective:
    """An objective after its training, or before any, in evaluation mode."""
    settings = train_config(config, name, seed)
    optimiser = replace(settings.optimiser, steps=max(steps, 1))
    trainer = Trainer(
        replace(settings, optimiser=optimiser, every=replace(settings.every, val_steps=10 * optimiser.steps))
    )
    if config.trainings[name] is None:
        return trainer.objective.eval()
    trainer.run()
    return trainer.kept()


def run(config: CompareConfig) -> None:
    """Every training that is not done yet; then the table and the figure."""
    category = load_category('mug')
    train, test = (
        BopImages(open_bop(path, split), category)
        for path, split in ((config.data, 'train'), (config.test, 'test'))
    )
    path = config.report / 'results.json'
    results: Results = json.loads(path.read_text()) if path.is_file() else {}
    names = config.only or list(config.trainings)
    scratch = config.out / 'timing'
    steps = plan_steps(
        config.out / 'plan.json',
        [name for name in names if config.trainings[name] is not None],
        lambda name: Trainer(replace(train_config(config, name, 0), out=scratch)),
        config.minutes,
    )
    for seed in config.seeds:
        for name in names:
            if str(seed) in results.get(name, {}):
                continue
            objective = trained(config, name, seed, steps.get(name, 0))
            figures = probe_all(objective, train, test, replace(config.probes, seed=seed))
            results.setdefault(name, {})[str(seed)] = finite(figures | {'steps': float(steps.get(name, 0))})
            write_json(path, results, indent=1)
    print(write_report(config.report, results))


def read_config(config: DictConfig) -> CompareConfig:
    """The settings, checked."""
    values = cast(dict[str, Any], OmegaConf.to_container(config))
    for name in ('data', 'test', 'out', 'report'):
        values[name] = Path(str(values[name]))
    names = ('train_views', 'test_views', 'max_side_px', 'pairs', 'decoder_steps')
    probes = ProbeConfig(**{name: values.pop(name) for name in names})
    return CompareConfig(**values, probes=probes)


@hydra.main(version_base=None, config_path='config', config_name='compare')
def main(config: DictConfig) -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO)
    with errors_in_one_line():
        run(read_config(config))


if __name__ == '__main__':
    main()
