"""Tables of rows, for the terminal, as Markdown and as JSON, with the facts of the machine."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from tabulate import tabulate

from bench.cases import Row
from bench.targets import summary
from gmm_study.models import fused
from gmm_study.trials.provenance import provenance


def facts() -> dict[str, str]:
    """With what, where and when the figures were made."""
    origin = provenance()
    versions = ", ".join(f"{name} {version}" for name, version in origin["versions"].items())
    machine = origin["machine"]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": (origin["git_commit"] or "none") + (" and changes to it" if _changed() else ""),
        "versions": versions,
        "processor": f"{machine['processor']}, {machine['cores']} cores, {machine['system']}",
        "matrix products": "MKL" if torch.backends.mkl.is_available() else "not MKL",
        "fused loops": "on" if fused.serves(torch.zeros(1)) else "off",
        "load before": f"{os.getloadavg()[0]:.2f} processes at work, 1-minute average",
    }


def table(rows: Sequence[Row]) -> str:
    """A Markdown table with every column that any row has."""
    text: str = tabulate(rows, headers="keys", tablefmt="github")
    return text


def markdown(facts: Mapping[str, str], parts: Mapping[str, Sequence[Row]]) -> str:
    """The whole report: facts, targets, and the table of every part."""
    sections = ["# Benchmark", "\n".join(f"- {name}: {fact}" for name, fact in facts.items())]
    sections.append(
        "Ratios are medians over rounds in which all columns were measured in turn, with the "
        "quartiles over the rounds."
    )
    sections += ["## Targets", table(summary(parts)) or "None of these cases has one."]
    for part, rows in parts.items():
        sections += [f"## {part.capitalize()}", table(rows)]
    return "\n\n".join(sections) + "\n"


def write(
    folder: Path, name: str, facts: Mapping[str, str], parts: Mapping[str, Sequence[Row]]
) -> list[Path]:
    """Write `NAME.md` and `NAME.json` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"facts": facts, "targets": summary(parts), "parts": parts}
    texts = {".md": markdown(facts, parts), ".json": json.dumps(content, indent=2) + "\n"}
    for suffix, text in texts.items():
        (folder / f"{name}{suffix}").write_text(text)
    return [folder / f"{name}{suffix}" for suffix in texts]


def _changed() -> bool:
    command = ["git", "-C", str(Path(__file__).parent), "status", "--porcelain"]
    try:
        return bool(subprocess.run(command, capture_output=True, timeout=10).stdout.strip())
    except (OSError, subprocess.SubprocessError):
        return False
