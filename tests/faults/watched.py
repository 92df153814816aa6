"""A study that MLflow is told of: what its run says, and where a secret is seen."""

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

STUDY = """
question: Does MLflow matter?
datasets: [data.npz]
methods: [gmm]
replicates: 2
fixed: {{max_epochs: {epochs}, patience: 100000, batch_size: 50}}
space:
  layers: {{grid: [[6], [6, 3]]}}
evaluation: {{samples: 20}}
resources: {{checkpoint_seconds: 0.2}}
"""
RUNS = 6
"""Of two trials of two replicates."""


def lines_on_mlflow(ended):
    return [line for line in ended.stdout.splitlines() if line.startswith("MLflow: ")]


def finish(process):
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    return SimpleNamespace(stdout=out, stderr=err)


SECRET = "TOPSECRET-2718"
LONGEST = 1 << 20
"""More bytes than the longest command line has."""


def secrets_in(folder):
    """The files below a folder that hold the secret."""
    paths = [path for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in paths if SECRET.encode() in path.read_bytes()]


def command_lines_with_the_secret():
    """The texts: a process that was forked a moment ago still has that of the one before it."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            with path.open("rb", buffering=0) as file:
                words = file.read(LONGEST)  # at once: a fork may become another program in between
            if SECRET.encode() in words:
                found.add(words)
    return found
