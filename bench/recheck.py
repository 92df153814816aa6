"""Whether trials of the shipped records, trained again, give the figures that were recorded.

`python -m bench.recheck` draws finished trials at random, trains all their seeds from the settings
in their records, and holds the final figures against the recorded ones: on the same machine with
the same versions they are to be equal bit for bit, elsewhere within their standard errors.
"""

import argparse
import random
import sys
from math import sqrt
from tempfile import TemporaryDirectory

from tabulate import tabulate

from analysis import with_shipped
from gmm_study.api.datasets import read_dataset
from gmm_study.api.feedback import silently
from gmm_study.trials.once import run_once
from gmm_study.trials.record import Record
from gmm_study.trials.record_store import RecordStore
from gmm_study.trials.result import TrialResult

NEAR = 4.0
"""Standard errors, of the test data, within which figures of another machine are to agree."""


def main() -> int:
    """Print a row for each trial; the exit status is 1 if the figures of one do not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--seconds", type=float, default=300.0, help="of training, at most")
    options = parser.parse_args()
    with TemporaryDirectory() as empty:
        store = with_shipped(RecordStore(empty))
        records = [store.record(trial_id) for trial_id in sorted(store.trial_ids())]
        short = [each for each in records if 0 < _seconds(each.result()) <= options.seconds]
        drawn = random.Random(options.seed).sample(short, min(options.trials, len(short)))
        rows = [_checked(record) for record in drawn]
    print(tabulate(rows, ["trial", "data set", "method", "seeds", "agrees", "how"]))
    return 0 if all(row[4] for row in rows) else 1


def _seconds(result: TrialResult | None) -> float:
    return sum(each.seconds for each in result.complete.values()) if result else 0.0


def _checked(record: Record) -> list[object]:
    """The trial, and whether its figures agree with those of the record."""
    config, recorded = record.config(), record.result()
    assert config is not None
    assert recorded is not None
    data = read_dataset(config.dataset, silently)
    again = run_once(config, data, len(recorded.replicates), None, "cpu", 1)
    furthest = _furthest(recorded, again)
    how = f"{furthest:.2g} standard errors apart" if furthest else "bit for bit"
    named = (config.trial_id, config.dataset, config.hyperparameters.method)
    return [*named, len(recorded.replicates), furthest <= NEAR, how]


def _furthest(recorded: TrialResult, again: TrialResult) -> float:
    """The largest difference of test log p of a seed, in standard errors; 0 if all is equal."""
    pairs = [
        (own.to_json()["metrics"], again.replicates[number].to_json()["metrics"])
        for number, own in recorded.replicates.items()
    ]
    if all(one == other for one, other in pairs):
        return 0.0
    apart = [
        abs(one["test/log_p"] - other["test/log_p"]) / (sqrt(2) * one["test/log_p_se"])
        for one, other in pairs
    ]
    return float(max(apart))


if __name__ == "__main__":
    sys.exit(main())
