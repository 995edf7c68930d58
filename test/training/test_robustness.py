"""Robustness with an engine that knows the truth."""

import numpy as np
import pytest
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.frames import AffordanceFrame, Prediction
from dense_descriptor_ros.training.metrics.degradations import DEGRADATIONS
from dense_descriptor_ros.training.metrics.truth import load_truth
from dense_descriptor_ros.training.robustness import print_table, robustness, without_depth


class TruthfulEngine:
    """Knows the frames of every image; blind if the image's size or noise is not what it was trained on."""

    def __init__(self, dataset, turn_deg=0.0):
        self.views, self.truth, self.count = dataset.views, load_truth(dataset), 0
        c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
        self.turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])

    def frames(self):
        view = self.views[self.count % len(self.views)]
        self.count += 1
        return [
            AffordanceFrame('mug', f.part, f.instance, 0.9, f.origin_mm / 1e3, f.axis)
            for f in self.truth[view.scene_id, view.im_id]
        ]

    def infer(self, rgb, depth_m, K):
        same_size = rgb.shape[:2] == self.views[0].rgb().shape[:2]
        return Prediction(self.frames() if same_size else [], np.ones((4, 2, 2)), np.ones((2, 2)), 0.01)

    def infer_colour(self, rgb, K):
        flat = [
            AffordanceFrame(
                'mug',
                f.part,
                f.instance,
                0.9,
                f.origin_m / f.origin_m[2],
                self.turn @ f.axis,
                scale_known=False,
            )
            for f in self.frames()
            if f.part != 'opening'
        ]
        return Prediction(flat, np.ones((4, 2, 2)), np.ones((2, 2)), 0.01)


@pytest.fixture
def dataset(tmp_path):
    return open_bop(write_tiny_bop(tmp_path), 'test')


def test_each_degradation_reaches_the_engine(dataset):
    rows = robustness(TruthfulEngine(dataset), dataset, 'depth')
    assert list(rows) == list(DEGRADATIONS)
    assert rows['as it is']['body']['ap_20mm_10deg'] == pytest.approx(1)
    assert rows['grey']['body']['recall'] == 1
    assert rows['half resolution']['body']['recall'] == 0


def test_without_depth_projections_and_axes_count(dataset, capsys):
    engine = TruthfulEngine(dataset, turn_deg=7.0)
    figures = without_depth(engine.infer_colour, dataset, engine.truth)
    assert figures['body']['recall'] == figures['body']['precision'] == 1
    assert figures['opening']['recall'] == 0
    assert np.isnan(figures['opening']['axis_deg_p50'])
    assert 0 < figures['body']['axis_deg_p50'] <= 7.01
    print_table(robustness(TruthfulEngine(dataset), dataset, 'depth'), figures)
    assert 'half resolution' in capsys.readouterr().out
