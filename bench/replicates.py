"""Eight replicates of a trial against one: what each of them costs, training and validation."""

from itertools import product

from tqdm import tqdm

from bench.cases import BATCH, MODELS, SMALL, THREADS, Row, binary_rows
from bench.timing import ROUNDS, Contender, interleaved, significant, threads
from gmm_study.data import Dataset
from gmm_study.training.hyperparameters import Hyperparameters
from gmm_study.training.trainer import Trainer

REPLICATES, STEPS = 8, 2
NEVER = 10**9
COST = "one of eight / one alone"
TARGET = "at most 1.05"
"""One of eight over one alone: no more, but for 5 percent that the median may be off by."""


def epochs(model: str, replicates: int) -> Contender:
    """So many epochs of so many replicates."""
    network = MODELS[model]
    splits = {
        name: binary_rows(rows, network).numpy()
        for name, rows in {"train": STEPS * BATCH, "valid": BATCH, "test": 1}.items()
    }
    settings = Hyperparameters(
        layers=network.sizes, batch_size=BATCH, max_epochs=NEVER, patience=NEVER
    )
    trainer = Trainer(settings, Dataset.from_splits(model, splits), range(replicates))

    def repeat(count: int) -> None:
        for _ in range(count):
            trainer.train_epoch()

    return repeat


def measure(smoke: bool = False, rounds: int = ROUNDS) -> list[Row]:
    """A row a model and number of threads; gmm with its default K."""
    cases = [(SMALL, 1)] if smoke else list(product(MODELS, THREADS))
    rows = [
        _compare(model, count, rounds)
        for model, count in tqdm(cases, "replicates", leave=False, disable=None)
    ]
    if not smoke:
        for row in rows:
            row |= {"target": TARGET, "measured": row[COST]}
    return rows


def _compare(model: str, thread_count: int, rounds: int) -> Row:
    contenders = {"one": epochs(model, 1), "eight": epochs(model, REPLICATES)}
    with threads(thread_count):
        measured = interleaved(contenders, rounds)
    row: Row = {
        "model": model,
        "threads": thread_count,
        "one alone (ms an epoch)": measured.milliseconds("one"),
        "one of eight (ms an epoch)": significant(measured.milliseconds("eight") / REPLICATES),
    }
    return row | measured.ratio("eight", "one").times(1 / REPLICATES).cells(COST)
