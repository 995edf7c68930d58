"""Pieces of HTML that the report is put together from."""

import math
from html import escape


def table(
    columns: list[str], rows: list[tuple[str, list[str]]], main: int | None = None, corner: str = ''
) -> str:
    """An HTML table; `main` is the row to stress."""
    head = ''.join(f'<th>{escape(column)}</th>' for column in [corner, *columns])
    lines = ''.join(
        f'<tr{" class=main" if index == main else ""}>'
        + ''.join(f'<td>{escape(cell)}</td>' for cell in [label, *cells])
        + '</tr>'
        for index, (label, cells) in enumerate(rows)
    )
    return f'<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def figure(uri: str, caption: str) -> str:
    """A picture with an HTML caption."""
    return f'<figure><img src="{uri}" alt=""><figcaption>{caption}</figcaption></figure>'


def plot(uri: str, caption: str = '') -> str:
    """A plot at its own size."""
    return f'<figure class="plot"><img src="{uri}" alt=""><figcaption>{escape(caption)}</figcaption></figure>'


def number(value: float, decimals: int = 3) -> str:
    """Fixed decimals, none for counts; a dash for what is undefined."""
    if not math.isfinite(value):
        return '–'
    return str(value) if isinstance(value, int) else f'{value:.{decimals}f}'
