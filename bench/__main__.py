"""Measures every part and writes the tables: `python -m bench`, or `make bench`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import evaluation, floor, memory, replicates, reports, scale, training_step
from bench.cases import Row
from bench.tables import facts, table, write
from bench.targets import summary
from bench.timing import ROUNDS, SMOKE_ROUNDS


def orchestration(smoke: bool, rounds: int) -> list[Row]:
    """The part that needs ray, which is imported here alone."""
    from bench import orchestration

    return orchestration.measure(smoke)


PARTS: dict[str, Callable[[bool, int], list[Row]]] = {
    "step": training_step.measure,
    "floor": floor.measure,
    "evaluation": evaluation.measure,
    "replicates": replicates.measure,
    "memory": lambda smoke, rounds: memory.measure(smoke),
    "orchestration": orchestration,
    "reports": lambda smoke, rounds: reports.measure(smoke),
    "scale": lambda smoke, rounds: scale.measure(smoke),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print and write each table when it is measured; all targets stand at the end."""
    options = _parser().parse_args(arguments)
    smoke = options.smoke
    rounds = options.rounds or (SMOKE_ROUNDS if smoke else ROUNDS)
    chosen = options.only or list(PARTS)
    name = "-".join([*(options.only or ["report"]), *(["smoke"] if smoke else [])])
    known, parts, written = facts(), dict[str, list[Row]](), list[Path]()
    for part in chosen:
        parts[part] = PARTS[part](smoke, rounds)
        print(f"{part}\n\n{table(parts[part])}\n", flush=True)
        written = write(options.output, name, known, parts)
    targets = summary(parts)
    if targets:
        print(f"targets\n\n{table(targets)}\n")
    print("wrote", *written)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--rounds", type=_positive, help=f"rounds of a case [{ROUNDS}; smoke: {SMOKE_ROUNDS}]"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        metavar="PART",
        help=f"this part, {', '.join(PARTS)}, written under its name; may be repeated",
    )
    parser.add_argument("--smoke", action="store_true", help="one small case of every part")
    parser.add_argument(
        "--output", type=Path, default=Path("reports/bench"), help="folder [reports/bench]"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number above 0")
    return int(text)


if __name__ == "__main__":
    main()
