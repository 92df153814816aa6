"""The page that lists all reports below a folder, from the summary that each one has."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from analysis.files import replace_file
from analysis.pages.rendering import render_page
from gmm_study.study.load import PAPER

SUMMARY = "report.json"
"""The file with a report's summary for other programs."""
_SHOWN = ("title", "question", "sentences", "summary", "written")


def write_index(folder: Path | str) -> Path:
    """Write `index.html` into the folder of reports.

    A report whose `report.json` cannot be read is left out.
    """
    folder = Path(folder)
    entries = [entry for path in sorted(folder.rglob(SUMMARY)) if (entry := _entry(folder, path))]
    entries.sort(key=lambda entry: (entry["title"].split(" ")[0], entry["title"]))
    page = folder / "index.html"
    others = [PAPER] if (folder / PAPER / page.name).exists() else []
    content = {"title": "Studies", "entries": entries, "others": others}
    replace_file(page, render_page("index.html", content))
    return page


def _entry(folder: Path, path: Path) -> dict[str, Any] | None:
    try:
        summary = json.loads(path.read_text())
        entry = {name: summary[name] for name in _SHOWN}
        entry["conditions"] = list(map(str, summary.get("conditions", ())))  # absent in old ones
        if not all(isinstance(entry[name], str) for name in _SHOWN if name != "sentences"):
            return None
    except (OSError, ValueError, LookupError, TypeError):
        return None
    written = str(entry["written"]).replace("T", " ").removesuffix("+00:00")
    link = quote((path.parent / "index.html").relative_to(folder).as_posix())
    return entry | {"link": link, "written": f"{written} UTC"}
