"""What the demonstration shows: tables for the terminal and a page with the pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from dense_descriptor_ros.files import write_text
from dense_descriptor_ros.sim.demo_match import FOUND_MM, Comparison, PartSummary

STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 0.6em 0; } td, th { padding: 0.15em 0.9em; text-align: right; }
th { border-bottom: 1px solid #999; font-weight: 600; }
td:first-child, th:first-child { text-align: left; padding-left: 0; }
figure { margin: 1.6em 0; } img { width: 49.5%; } figcaption { color: #555; } .miss { color: #b00; }
"""


@dataclass(frozen=True)
class Shown:
    """One image of the demonstration."""

    number: int
    age_ms: float
    """From the stamp of the image to the arrival of its frames."""
    rows: list[Comparison]


def image_table(shown: Shown) -> str:
    """Found beside true for one image, a line for each frame."""
    lines = [f'image {shown.number}, age {shown.age_ms:.0f} ms']
    for row in shown.rows:
        name = f'  {"-" if row.true_instance is None else f"#{row.true_instance}":3} {row.part:8}'
        lines.append(f'{name} {outcome(row)}')
    if not shown.rows:
        lines.append('  nothing to find, nothing found')
    return '\n'.join(lines)


def outcome(row: Comparison) -> str:
    """What became of a frame, in columns."""
    if row.true_instance is None:
        return f'false alarm, score {row.score:.2f}'
    if row.origin_error_mm is None:
        return 'missed'
    return f'{row.origin_error_mm:6.1f} mm {row.axis_error_deg:6.1f} deg   score {row.score:.2f}'


def summary_table(summary: Sequence[PartSummary]) -> str:
    """Figures of each part over all images."""
    within = f'< {FOUND_MM:.0f} mm'
    head = f'{"part":8} {"true":>5} {within:>8} {"false alarms":>13} {"median mm":>10} {"median deg":>11}'
    return '\n'.join(
        [
            head,
            *(
                f'{part.part:8} {part.true_count:5d} {part.found_count:8d} {part.false_alarms:13d} '
                f'{median(part.median_origin_mm):>10} {median(part.median_axis_deg):>11}'
                for part in summary
            ),
        ]
    )


def median(value: float) -> str:
    """A median, or a dash where there was nothing to take it of."""
    return '-' if math.isnan(value) else f'{value:.1f}'


def write_page(path: Path, headline: str, summary: Sequence[PartSummary], images: Sequence[Shown]) -> None:
    """Write the page; the pictures of image N lie beside it as overlay_NN.png and descriptors_NN.png."""
    names = 'part', 'true', f'found < {FOUND_MM:.0f} mm', 'false alarms', 'median origin mm', 'median axis °'
    rows = [
        (
            part.part,
            part.true_count,
            part.found_count,
            part.false_alarms,
            median(part.median_origin_mm),
            median(part.median_axis_deg),
        )
        for part in summary
    ]
    table = '\n'.join([table_row('th', names), *(table_row('td', row) for row in rows)])
    figures = '\n'.join(figure(shown) for shown in images)
    write_text(
        path,
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Demonstration</title><style>{STYLE}</style></head><body>
<h1>Mugs seen by a simulated camera</h1>
<p>{escape(headline)}</p>
<table>
{table}
</table>
<p>Left: the image with the frames that the node found (x red, y green, z blue, along the part's axis; only z
where the turn about it cannot be seen). Right: the dense descriptors, in colours that never change.</p>
{figures}
</body></html>
""",
    )


def table_row(cell: str, values: Sequence[object]) -> str:
    """Row of `th` or `td` cells."""
    return '<tr>' + ''.join(f'<{cell}>{escape(str(value))}</{cell}>' for value in values) + '</tr>'


def figure(shown: Shown) -> str:
    """Pictures of one image with its lines."""
    lines = '<br>'.join(
        f'<span{"" if row.origin_error_mm is not None else " class=miss"}>'
        f'{escape("" if row.true_instance is None else f"#{row.true_instance}")} {escape(row.part)}: '
        f'{escape(outcome(row))}</span>'
        for row in shown.rows
    )
    return (
        f'<figure><img src="{picture("overlay", shown.number)}" alt="frames"> '
        f'<img src="{picture("descriptors", shown.number)}" alt="descriptors">'
        f'<figcaption>Image {shown.number}, age {shown.age_ms:.0f} ms<br>{lines}</figcaption></figure>'
    )


def picture(kind: str, number: int) -> str:
    """File name of a picture."""
    return f'{kind}_{number:02d}.png'
