"""The contact sheet."""

import cv2
import numpy as np
import pytest

from dense_descriptor_ros.sim.generate import generate
from dense_descriptor_ros.sim.preview import draw_arrow, draw_depth, main
from dense_descriptor_ros.sim.settings import SceneSettings


def test_sheet_of_a_data_set(tmp_path, capsys):
    settings = SceneSettings(views=1, renderer='tiny', height=60, width=80, mugs=(1, 1), distractors=(0, 0))
    generate(tmp_path / 'data', 1, 1, settings)
    out = tmp_path / 'sheet.png'
    main([str(tmp_path / 'data'), '--out', str(out), '--columns', '2', '--tile-width', '100'])
    assert '1 of 1' in capsys.readouterr().out
    assert cv2.imread(str(out)).shape == (75, 400, 3)


def test_a_folder_without_the_split_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match='error:'):
        main([str(tmp_path), '--split', 'val'])


def test_unknown_depth_is_black():
    depth = np.linspace(0.5, 1.0, 100, dtype=np.float32).reshape(10, 10)
    depth[0] = 0
    colours = draw_depth(depth)
    assert (colours[0] == 0).all()
    assert (colours[1:] > 0).any(-1).all()


def test_an_arrow_starts_in_its_colour():
    image = np.full((50, 50, 3), 128, np.uint8)
    draw_arrow(image, np.array([[10.0, 20.0], [40.0, 20.0]]), (255, 0, 0))
    assert tuple(image[20, 10]) == (255, 0, 0)
