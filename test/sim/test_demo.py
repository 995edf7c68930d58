"""What the demonstration concludes from true and found frames."""

from pathlib import Path

import numpy as np
import pytest

from dense_descriptor_ros.errors import DenseDescriptorError
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.sim.demo import conclude
from dense_descriptor_ros.sim.demo_match import Comparison, compare, mug_found, summarise
from dense_descriptor_ros.sim.demo_page import Shown, image_table, summary_table

UP = (0.0, 0.0, 1.0)


def frame(
    part: str, x_m: float, instance: int = 0, score: float = 1.0, axis: tuple[float, ...] = UP
) -> AffordanceFrame:
    return AffordanceFrame('mug', part, instance, score, np.array([x_m, 0, 0.8]), np.array(axis))


def test_nearest_frames_of_a_part_are_paired() -> None:
    true = [frame('body', 0.0, instance=3), frame('body', 0.05, instance=4)]
    found = [frame('body', 0.03, score=0.9), frame('body', 0.01, score=0.8, axis=(0.0, 1, 0))]
    rows = compare(true, found)
    assert [(row.true_instance, row.score) for row in rows] == [(3, 0.8), (4, 0.9)]
    assert [row.origin_error_mm for row in rows] == pytest.approx([10, 20])
    assert [row.axis_error_deg for row in rows] == pytest.approx([90, 0])


def test_misses_and_false_alarms_are_told_apart() -> None:
    rows = compare([frame('body', 0.0), frame('handle', 0.0)], [frame('body', 0.11), frame('opening', 0.0)])
    assert [(row.part, row.true_instance is None, row.score is None) for row in rows] == [
        ('body', False, True),
        ('handle', False, True),
        ('body', True, False),
        ('opening', True, False),
    ]
    assert compare([], []) == []


@pytest.mark.parametrize(
    ('errors_mm', 'expected'),
    [
        ({'body': 5, 'handle': 19, 'opening': 3}, True),
        ({'body': 5, 'handle': 21, 'opening': 3}, False),
        ({'body': 25, 'handle': 5}, False),
        ({'body': 5, 'opening': 3}, False),
        ({'body': 5, 'handle': None}, False),
    ],
)
def test_a_mug_counts_with_its_handle_and_all_parts_near(
    errors_mm: dict[str, float | None], expected: bool
) -> None:
    rows = [Comparison(part, 0, 0.9 if error else None, error, 1.0) for part, error in errors_mm.items()]
    assert mug_found(rows) == expected


def test_summary_in_closed_form() -> None:
    rows = [
        Comparison('body', 0, 0.9, 4.0, 2.0),
        Comparison('body', 1, 0.9, 30.0, 6.0),
        Comparison('body', 2, None),
        Comparison('body', None, 0.6),
    ]
    (part,) = summarise(rows)
    assert (part.true_count, part.found_count, part.false_alarms) == (3, 1, 1)
    assert (part.median_origin_mm, part.median_axis_deg) == (17.0, 4.0)
    assert summary_table([part]).splitlines()[1].split() == ['body', '3', '1', '1', '17.0', '4.0']
    assert summary_table(summarise([Comparison('body', 0, None)])).split()[-2:] == ['-', '-']


def test_table_has_a_line_for_each_frame() -> None:
    shown = Shown(
        7,
        123.4,
        [
            Comparison('body', 2, 0.93, 4.12, 2.3),
            Comparison('handle', 2, None),
            Comparison('opening', None, 0.61),
        ],
    )
    assert image_table(shown).splitlines() == [
        'image 7, age 123 ms',
        '  #2  body        4.1 mm    2.3 deg   score 0.93',
        '  #2  handle   missed',
        '  -   opening  false alarm, score 0.61',
    ]


def test_conclusion_is_a_page_or_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Comparison('body', 0, 0.9, 4.0, 2.0), Comparison('handle', 0, 0.8, 9.0, 5.0)]
    conclude([Shown(0, 100.0, rows)], tmp_path)
    assert 'in 1 a mug with handle was found' in capsys.readouterr().out
    assert 'in 1 a mug' in (tmp_path / 'index.html').read_text()
    with pytest.raises(DenseDescriptorError, match='no mug'):
        conclude([Shown(0, 100.0, rows[:1])], tmp_path)
    with pytest.raises(DenseDescriptorError, match=r'perception\.log'):
        conclude([], tmp_path)
