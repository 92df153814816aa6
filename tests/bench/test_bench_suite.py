"""The command measures what it is asked for and writes it as Markdown and as JSON."""

import json
import sys

import pytest
import torch

from bench.__main__ import main
from bench.memory import peak_bytes_of


@pytest.mark.process
def test_one_part_is_printed_and_written_as_markdown_and_json(tmp_path, capsys):
    main(["--smoke", "--only", "floor", "--rounds", "1", "--output", str(tmp_path)])
    content = json.loads((tmp_path / "floor-smoke.json").read_text())
    (row,) = content["parts"]["floor"]
    assert row["floor (ms)"] > 0
    assert content["facts"]["commit"]
    text = (tmp_path / "floor-smoke.md").read_text()
    assert text.index("## Targets") < text.index("## Floor")
    assert row["model"] in text
    assert row["model"] in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--only", "nothing"]])
def test_a_mistake_is_said_before_anything_is_measured(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert arguments[1] in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be set back on Linux alone")
def test_peak_memory_is_what_a_call_holds_at_most_and_not_what_it_keeps():
    held = 80_000_000
    peak = peak_bytes_of(lambda: torch.ones(held, dtype=torch.uint8))
    assert 0.99 * held < peak < 1.5 * held  # the system counts pages, and not at once
