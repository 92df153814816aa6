"""Pages from templates; an HTML page is a single file that follows the light or dark mode.

An HTML page can be mailed: figures are inline SVG in the colours of the page, and links to the data
of the tables contain the data themselves. Templates escape every text on it, except for the HTML
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
"""Colours of lines and texts, grids and paper, which follow the page's light or dark scheme."""


def render_page(template: str, content: Mapping[str, Any]) -> bytes:
    """A page from `templates/`, such as `study.html`.

    In HTML, texts are escaped unless they are marked as HTML already.
    """
    return _templates().get_template(f"{template}.jinja").render(content).encode()


def inline_svg(svg: bytes, name: str) -> Markup:
    """A figure as part of a page, with unique ids and with colours that follow the page's.

    `name` must be unique within the page. Raises `ValueError` if it has other characters than
    letters, digits and hyphens.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise ValueError(f"figure: {name!r} must consist of letters, digits and hyphens")
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
    """A file's content as a `data:` URI."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("analysis.pages"),
        autoescape=select_autoescape(["html.jinja"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
