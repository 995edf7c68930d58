"""The comparison of variants, on four small images."""

import json
from dataclasses import replace

import pytest
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training import equal_time
from dense_descriptor_ros.training.ablation import AblationConfig, run, slug, train_config

SMALL = [
    'split=test', 'val_share=0.5', 'device=cpu', 'workers=0', 'pairs.width=64', 'pairs.height=64',
    'pairs.points=32', 'optimiser.batch=1', 'optimiser.warmup_steps=1', 'model.descriptor_dim=4',
    'model.pyramid_channels=16', 'model.head_channels=16', 'model.last_stage_channels=32',
]  # fmt: skip


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(equal_time, 'TIMED_S', 0.0)
    data = write_tiny_bop(tmp_path / 'tiny')
    return AblationConfig(
        data=data,
        test=data,
        variants={'baseline': [], 'D 3': ['model.descriptor_dim=3']},
        base=[*SMALL, f'decoded={tmp_path}/decoded'],
        out=tmp_path / 'ablation',
        minutes=1e-4,
        pairs=2,
    )


def test_variants_are_trained_compared_and_not_done_twice(config, capsys):
    run(replace(config, only=['baseline']))
    first = json.loads((config.out / 'results.json').read_text())
    assert list(first) == ['baseline']
    assert 0 <= first['baseline']['held out']['AP body'] <= 1
    weights = config.out / 'baseline' / 'last.safetensors'
    written = weights.stat().st_mtime_ns
    run(config)
    second = json.loads((config.out / 'results.json').read_text())
    assert list(second) == ['baseline', 'D 3']
    assert second['baseline'] == first['baseline']
    assert weights.stat().st_mtime_ns == written
    assert '| D 3 |' in capsys.readouterr().out


def test_a_variant_changes_what_it_names(config):
    assert train_config(config, 'D 3').model.descriptor_dim == 3
    assert train_config(config, 'baseline').model.descriptor_dim == 4
    assert slug('without contrast between views') == 'without_contrast_between_views'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'only': ['nothing']}, 'nothing'),
        ({'minutes': 0.0}, 'minutes is 0.0'),
        ({'variants': {'margin': []}}, 'baseline'),
    ],
)
def test_settings_that_do_not_fit_are_named(config, change, message):
    with pytest.raises(ConfigError, match=message):
        replace(config, **change)
