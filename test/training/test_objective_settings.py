"""Every objective and model that is offered resolves, and an unknown one lists those that are."""

import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir
from small_trainings import CONFIG

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.objectives.catalogue import CONFIGS
from dense_descriptor_ros.training.settings import read_settings

MODELS = sorted(path.stem for path in (CONFIG / 'model').glob('*.yaml'))
OBJECTIVES = sorted(path.stem for path in (CONFIG / 'objective').glob('*.yaml'))


def composed(*overrides):
    with initialize_config_dir(str(CONFIG), version_base='1.3'):
        return read_settings(compose('train', list(overrides)))


def test_every_objective_has_its_file():
    assert sorted(CONFIGS) == OBJECTIVES


@pytest.mark.parametrize('model', MODELS)
@pytest.mark.parametrize('objective', OBJECTIVES)
def test_every_combination_resolves(objective, model):
    settings = composed(f'objective={objective}', f'model={model}')
    assert settings.objective.name == objective
    assert settings.model.backbone == model


@pytest.mark.parametrize('objective', OBJECTIVES)
def test_the_files_say_the_defaults_of_the_code(objective):
    assert composed(f'objective={objective}').objective == CONFIGS[objective]()


def test_a_setting_of_another_objective_is_refused():
    with pytest.raises(ConfigError, match='scene_px'):
        composed('objective=setcon', '+objective.scene_px=64')


def test_an_unknown_objective_lists_the_valid_ones():
    command = [sys.executable, str(CONFIG.parent / 'train.py'), '--cfg', 'job', 'objective=nothing']
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    for objective in OBJECTIVES:
        assert objective in done.stderr
    with pytest.raises(ConfigError, match='dense_contrastive'):
        composed('objective.name=nothing')
