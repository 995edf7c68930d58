"""The whole evaluation on four small images, with an engine that knows the truth."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.frames import AffordanceFrame, Prediction
from dense_descriptor_ros.training.evaluate import print_tables, read_config
from dense_descriptor_ros.training.evaluation import TRAINED, EvaluateConfig, evaluate, finite
from dense_descriptor_ros.training.metrics.descriptor_baselines import colour_patches, random_descriptors
from dense_descriptor_ros.training.metrics.truth import load_truth
from dense_descriptor_ros.training.report.report import write_report

OFFSET_MM = np.array([12.0, 0, 0])
ROOT = Path(__file__).parents[2]


class TruthfulEngine:
    """Finds every frame 12 mm off and misses the openings."""

    def __init__(self, dataset):
        self.views, self.truth = iter(dataset.views), load_truth(dataset)

    def infer(self, rgb, depth_m, K):
        view = next(self.views)
        frames = [
            AffordanceFrame('mug', f.part, f.instance, 0.9, (f.origin_mm + OFFSET_MM) / 1e3, f.axis)
            for f in self.truth[view.scene_id, view.im_id]
            if f.part != 'opening'
        ]
        return Prediction(frames, colour_patches(view), np.zeros((30, 40), np.float32), 0.02)


@pytest.fixture(scope='module')
def evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp('evaluate')
    dataset = open_bop(write_tiny_bop(folder / 'tiny'), 'test')
    config = EvaluateConfig(folder / 'tiny', pairs=3, out=folder / 'out')
    return evaluate(
        TruthfulEngine(dataset), dataset, config, {'random': random_descriptors}, {'path': 'truth'}
    )


def test_figures_of_known_errors(evaluation):
    parts = evaluation.metrics['frames']['parts']
    assert parts['body']['ap_20mm_10deg'] == pytest.approx(1)
    assert parts['body']['ap_10mm_5deg'] == 0
    assert parts['handle']['origin_mm_p50'] == pytest.approx(12)
    assert parts['opening']['recall'] == 0
    upright = evaluation.metrics['frames_by']['pose of the object']['body']['upright']
    assert upright == {'required': 4, 'recall': 1, 'acc_gt_20mm_10deg': 1}
    assert evaluation.metrics['frames']['time_s']['p50'] == pytest.approx(0.02)


def test_every_kind_of_descriptor_answers_the_same_pairs(evaluation):
    assert list(evaluation.metrics['descriptors']) == [TRAINED, 'random']
    for ours, random in zip(evaluation.answers[TRAINED].same, evaluation.answers['random'].same, strict=True):
        assert ours.pair is random.pair


def test_metrics_are_json_with_null_for_what_is_undefined(evaluation):
    text = json.dumps(finite(evaluation.metrics), allow_nan=False)
    assert json.loads(text)['frames']['parts']['opening']['precision'] is None


def test_predictions_are_kept(evaluation):
    kept = json.loads((evaluation.config.folder / 'predictions.json').read_text())
    assert [len(image['frames']) for image in kept['images']] == [2, 2, 2, 2]


def test_the_report_holds_everything_itself(evaluation, tmp_path):
    write_report(tmp_path / 'report.html', evaluation)
    page = (tmp_path / 'report.html').read_text()
    assert '$' not in re.sub(r'"data:[^"]*"', '', page)
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) > 10
    assert all(
        source.startswith(('data:image/svg+xml;base64,', 'data:image/jpeg;base64,')) for source in sources
    )
    assert page.count('<b>missed</b>, opening') == 4
    for heading in ('Affordance frames', 'Descriptors', 'Precision and recall', 'Errors', 'When it works'):
        assert f'<h2>{heading}</h2>' in page


def test_headline_on_the_terminal(evaluation, capsys):
    print_tables(evaluation)
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith('ap_20mm_10deg')]
    assert [float(value) for value in line.split()[1:]] == pytest.approx([1, 1, 0])


def test_a_split_without_known_objects_is_refused(tmp_path):
    write_tiny_bop(tmp_path)
    (tmp_path / 'models' / 'models_acf.json').write_text('{}')
    dataset = open_bop(tmp_path, 'test')
    with pytest.raises(DatasetError, match='nothing can be measured'):
        evaluate(TruthfulEngine(dataset), dataset, EvaluateConfig(tmp_path, out=tmp_path / 'out'), {}, {})


def test_settings_are_checked():
    with pytest.raises(ConfigError, match='pairs is 0'):
        EvaluateConfig(Path('x'), pairs=0)
    with pytest.raises(ConfigError, match='seed is -1'):
        EvaluateConfig(Path('x'), seed=-1)
    assert EvaluateConfig(Path('d/mugs'), checkpoint=Path('r/best.safetensors')).folder == Path(
        'runs/evaluate/r_best_mugs_test_depth'
    )


def composed(*overrides):
    with initialize_config_dir(str(ROOT / 'training' / 'config'), version_base=None):
        return compose('evaluate', list(overrides))


def test_settings_from_the_command_line():
    config = read_config(composed('data=d/mugs', 'pairs=7', 'out=results'))
    assert config == EvaluateConfig(Path('d/mugs'), pairs=7, out=Path('results'))
    assert read_config(composed('data=2024')).data == Path('2024')


def test_data_must_be_given():
    with pytest.raises(ConfigError, match='data is not given'):
        read_config(composed())


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigCompositionException, match='dept'):
        composed('data=d', 'dept=depth_noisy')


def test_command_line_errors_are_one_line_and_leave_nothing(tmp_path):
    command = [sys.executable, str(ROOT / 'training' / 'evaluate.py'), 'data=nowhere']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr == 'error: nowhere/test: no such split; nowhere holds nothing\n'
    assert list(tmp_path.iterdir()) == []
