"""The comparison of objectives, on a few small images."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_trainings import OWN, SHARED
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training import compare, equal_time
from dense_descriptor_ros.training.compare import CompareConfig, run
from dense_descriptor_ros.training.report.comparison import COLUMNS, main_table, slot_table, write_report


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(equal_time, 'TIMED_S', 0.0)
    monkeypatch.setattr(compare, 'probe_all', lambda *_: {'parts/miou': 0.25, 'slots by stripes/fg_ari': 0.5})
    data = write_tiny_bop(tmp_path / 'tiny', views=3)
    (data / 'train').symlink_to(data / 'test')
    setcon = [f'objective.{setting}' for setting in OWN['setcon']]
    return CompareConfig(
        data=data,
        test=data,
        trainings={'untrained': None, 'setcon': ['objective=setcon', *setcon]},
        base=[*SHARED, 'optimiser.steps=50', f'decoded={tmp_path}/decoded'],
        out=tmp_path / 'compare',
        report=tmp_path / 'report',
        minutes=1e-4,
        seeds=[0, 1],
    )


def test_objectives_are_trained_probed_and_not_done_twice(config, capsys):
    run(replace(config, only=['untrained'], seeds=[0]))
    results = json.loads((config.report / 'results.json').read_text())
    assert list(results) == ['untrained']
    assert results['untrained']['0']['parts/miou'] == 0.25
    run(config)
    results = json.loads((config.report / 'results.json').read_text())
    assert {name: list(seeds) for name, seeds in results.items()} == {
        'untrained': ['0', '1'],
        'setcon': ['0', '1'],
    }
    weights = config.out / 'setcon_1' / 'last.safetensors'
    written = weights.stat().st_mtime_ns
    run(config)
    assert weights.stat().st_mtime_ns == written
    assert (config.report / 'figure.png').stat().st_size > 1000
    table = (config.report / 'table.md').read_text()
    assert table in capsys.readouterr().out
    assert '| 0.250 ± 0.000 |' in table


RESULTS = {
    'untrained': {
        '0': {'steps': 0.0, 'parts/miou': 0.1, 'slots by stripes/fg_ari': 0.4},
        '1': {'steps': 0.0, 'parts/miou': 0.3, 'slots by stripes/fg_ari': 0.4},
    },
    'setcon': {'0': {'steps': 12.0, 'parts/miou': 0.5, 'slots/fg_ari': 0.2, 'slots/mse': None}},
}


def test_tables_show_mean_and_deviation_over_the_seeds():
    lines = main_table(RESULTS).splitlines()
    place = 2 + list(COLUMNS).index('parts, mIoU')
    cells = {line.split(' | ')[0].strip('| '): line.split(' | ') for line in lines[2:]}
    assert cells['untrained'][place] == '0.200 ± 0.141'
    assert cells['setcon'][place] == '0.500'
    assert cells['setcon'][1] == '12'


def test_slots_stand_beside_masks_that_need_none():
    lines = slot_table(RESULTS).splitlines()
    assert lines[2].startswith('| stripes | 0.400 ± 0.000 |')
    assert lines[3].startswith('| setcon | 0.200 |')
    assert len(lines) == 4


def test_the_report_of_the_docs_is_that_of_its_results(tmp_path):
    folder = Path(__file__).parents[2] / 'docs' / 'objectives'
    results = json.loads((folder / 'results.json').read_text())
    assert write_report(tmp_path, results) == (folder / 'table.md').read_text()
    document = (folder.parent / 'objectives.md').read_text()
    for table in (main_table(results), slot_table(results)):
        assert table in document


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'only': ['nothing']}, 'nothing'),
        ({'minutes': 0.0}, 'minutes is 0.0'),
        ({'seeds': []}, 'seeds is empty'),
    ],
)
def test_settings_that_do_not_fit_are_named(config, change, message):
    with pytest.raises(ConfigError, match=message):
        replace(config, **change)
