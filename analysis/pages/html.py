"""HTML pages, each a single file that follows the reader's light or dark mode.

A page can be mailed: figures are inline SVG in the colours of the page, and links to the data of
the tables contain the data themselves. Templates escape every text on a page, except for the HTML
that `tables/html.py` and this module produce.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from jinja2 import Environment

_INK = {"#000000": "var(--ink)", "#e6e6e6": "var(--rule)", "#ffffff": "var(--paper)"}
"""Colours of figures that follow the page's: lines and texts, grids, paper."""


def render_page(template: str, content: Mapping[str, Any]) -> bytes:
    """A page of `templates/`; texts are escaped but for those marked as HTML already."""
    return _templates().get_template(f"{template}.html.jinja").render(content).encode()


def inline_svg(svg: bytes, name: str) -> Markup:
    """A figure as part of a page: with ids of its own, and colours that follow the page's.

    `name` has letters, digits and hyphens alone, and no other figure of the page has it. Raises
    `ValueError` for another name.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise ValueError(f"figure: {name!r} must have letters, digits and hyphens alone")
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"#(?:000000|e6e6e6|ffffff)\b", lambda match: _INK[match[0]], text)
    head, body = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return Markup(f'{head} role="img" fill="currentColor">{body}')


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address that carries it."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("analysis.pages")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
