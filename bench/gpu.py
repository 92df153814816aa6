"""Measures the training step of gmm on a GPU and checks its CUDA graphs: `python -m bench.gpu`.

Needs torch, numpy and safetensors alone. `--device cpu` runs the same code on a small case, where
nothing is captured: it shows that the code works, not how fast it is.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from bench.cases import DEEP, MODELS, SMALL, Network, Row, binary_rows
from bench.targets import reached
from bench.timing import Contender, interleaved, significant
from gmm_study.training.captured import WARM_UP_STEPS, build_graphs
from gmm_study.training.group import BuildGraphs, ReplicateGroup
from gmm_study.training.hyperparameters import Hyperparameters

MOST_MILLISECONDS, AT_REPLICATES, MOST_TIMES = 0.8, 16, 1.5
"""The targets: the step of one replicate, and that of so many against it. An H100 misses them."""

Report = dict[str, list[Row]]
"""Tables by name."""


@dataclass(frozen=True)
class Case:
    """What is measured."""

    network: Network
    batch: int
    samples: int
    replicates: tuple[int, ...]
    rounds: int
    rows: int
    """Datapoints of an epoch."""


CASES = {
    "cuda": Case(MODELS[DEEP], 100, 10, (1, 2, 4, 8, 16, 32), 9, 50_000),
    "cpu": Case(MODELS[SMALL], 10, 2, (1, 2), 1, 50),
}


def as_it_is(*_: object) -> None:
    """No graphs: every step is launched kernel by kernel."""


def new_group(
    network: Network,
    replicates: int,
    device: torch.device,
    graphs: BuildGraphs = build_graphs,
    **settings: object,
) -> ReplicateGroup:
    """A group of so many replicates at the beginning of its training."""
    hyperparameters = Hyperparameters.from_mapping({"layers": network.sizes} | settings)
    return ReplicateGroup(hyperparameters, network.data_dims, range(replicates), device, graphs)


def checks(case: Case, device: torch.device) -> list[Row]:
    """Replays against steps as they are, and stopped against unstopped training, bit by bit."""
    common = {"batch_size": case.batch, "samples": case.samples}
    rows: list[Row] = []
    for precision in ("highest", "high"):
        rows += _checks(case.network, device, common | {"matmul_precision": precision})
    for method in ("gmm", "rws", "vae"):
        for optimizer in ("adam", "sgd", "rmsprop"):
            rows += _checks(
                MODELS[SMALL], device, common | {"method": method, "optimizer": optimizer}
            )
    return rows


def _checks(network: Network, device: torch.device, settings: dict[str, object]) -> Iterator[Row]:
    batch = settings["batch_size"]
    assert isinstance(batch, int)
    data = binary_rows(3 * batch + batch // 2, network).to(device)
    name = f"{network.data_dims}-{'-'.join(map(str, network.sizes[:3]))}, " + ", ".join(
        str(value) for key, value in settings.items() if key not in ("batch_size", "samples")
    )

    def trained(epochs: int, graphs: BuildGraphs = build_graphs) -> ReplicateGroup:
        group = new_group(network, 2, device, graphs, **settings)
        for _ in range(epochs):
            group.train_epoch(data)
        return group

    epochs = 2 * WARM_UP_STEPS + 1  # the partial batch comes once an epoch
    captured = trained(epochs)
    yield _equality(f"captured against as it is: {name}", captured, trained(epochs, as_it_is))
    resumed, stopped = trained(0), trained(WARM_UP_STEPS + 1)
    resumed.restore([stopped.row_state(row) for row in (0, 1)])
    for _ in range(WARM_UP_STEPS):
        resumed.train_epoch(data)
    yield _equality(f"resumed against unstopped: {name}", resumed, captured)
    if device.type == "cuda":
        yield _unwaiting(f"the host waits for nothing in an epoch: {name}", captured, data)


def _equality(what: str, found: ReplicateGroup, expected: ReplicateGroup) -> Row:
    most = 0.0
    for row in range(len(found.replicates)):
        other = expected.row_state(row)
        for name, value in found.row_state(row).items():
            if not torch.equal(value, other[name]):
                is_stream = name.startswith("stream.")
                difference = inf if is_stream else (value - other[name]).abs().max().item()
                most = max(most, difference) if difference == difference else inf
    outcome = "equal to the last bit" if most == 0 else f"differ by up to {most:.2g}"
    return {"check": what, "outcome": outcome, "passed": "no" if most else "yes"}


def _unwaiting(what: str, group: ReplicateGroup, data: Tensor) -> Row:
    torch.cuda.set_sync_debug_mode("error")
    try:
        group.train_epoch(data)
        group.validate(data)
    except RuntimeError as error:
        return {"check": what, "outcome": str(error).splitlines()[0], "passed": "no"}
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return {"check": what, "outcome": "nothing", "passed": "yes"}


def steps(case: Case, device: torch.device) -> list[Row]:
    """Milliseconds of a step, captured and as it is, in float32 and with `high` precision."""
    rows: list[Row] = []
    for replicates in case.replicates:
        contenders = {
            f"{how}, {precision}": _stepping(case, replicates, device, graphs, precision)
            for how, graphs in (("as it is", as_it_is), ("captured", build_graphs))
            for precision in ("highest", "high")
        }
        measured = interleaved(contenders, case.rounds)
        row: Row = {"replicates": replicates}
        row |= {f"{name} (ms)": measured.milliseconds(name) for name in contenders}
        rows.append(row)
    for row in rows:
        for precision in ("highest", "high"):
            column = f"captured, {precision} (ms)"
            ratio = float(row[column]) / float(rows[0][column])
            row[f"captured, {precision}, against R = 1"] = significant(ratio)
    return rows


def _stepping(
    case: Case,
    replicates: int,
    device: torch.device,
    graphs: BuildGraphs,
    precision: str = "highest",
) -> Contender:
    """Trains so many full batches and waits until they are done; graphs are there already."""
    group = new_group(
        case.network,
        replicates,
        device,
        graphs,
        batch_size=case.batch,
        samples=case.samples,
        matmul_precision=precision,
    )
    data = binary_rows(20 * case.batch, case.network).to(device)
    order = torch.randint(len(data), (replicates, 200 * case.batch), device=device)

    def work(count: int) -> None:
        group.train_on(data, order[:, : count * case.batch])
        wait(device)

    work(WARM_UP_STEPS + 1)
    return work


def launches(case: Case, device: torch.device, measured: Sequence[Row]) -> list[Row]:
    """How many kernels a step has, and what so many cost that do next to nothing."""
    rows: list[Row] = []
    for row in measured:
        replicates = int(row["replicates"])
        for how, graphs in (("as it is", as_it_is), ("captured", build_graphs)):
            work = _stepping(case, replicates, device, graphs)
            few, more = _events(partial(work, 1)), _events(partial(work, 11))
            on_device, by_host = (
                round((more[kind] - few[kind]) / 10) for kind in ("device", "host")
            )
            floor = _floor(on_device, device, graphs, case.rounds)
            step = float(row[f"{how}, highest (ms)"])
            rows.append(
                {
                    "replicates": replicates,
                    "step": how,
                    "kernels": on_device,
                    "launches by the host": by_host,
                    "so many empty kernels (ms)": floor,
                    "step (ms)": step,
                    "share of the launch floor": significant(floor / step),
                }
            )
    return rows


def _events(work: Callable[[], object]) -> dict[str, int]:
    """What the device ran and the host launched; on a CPU, torch's operations stand for both."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        work()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    kinds = [(event.get("cat"), event.get("name", "")) for event in events]
    device = sum(kind in ("kernel", "gpu_memcpy", "gpu_memset") for kind, _ in kinds)
    host = sum(
        kind in ("cuda_runtime", "cuda_driver")
        and any(word in name for word in ("Launch", "Memcpy", "Memset"))
        for kind, name in kinds
    )
    operations = sum(kind == "cpu_op" for kind, _ in kinds)
    return {"device": device or operations, "host": host or operations}


def _floor(count: int, device: torch.device, graphs: BuildGraphs, rounds: int) -> float:
    """Milliseconds of so many launches of a kernel on one number, as they are or as a graph."""
    number = torch.zeros(1, device=device)

    def empty() -> None:
        for _ in range(count):
            number.neg_()

    empty()
    wait(device)
    backend = graphs(Hyperparameters(), device, [])
    once = empty if backend is None else backend.capture(empty)

    def work(times: int) -> None:
        for _ in range(times):
            once()
        wait(device)

    return interleaved({"empty": work}, rounds).milliseconds("empty")


def epochs(case: Case, device: torch.device) -> list[Row]:
    """Seconds of an epoch and of the validation after it, with the order of the data drawn."""
    data = binary_rows(case.rows, case.network).to(device)
    rows: list[Row] = []
    for replicates in case.replicates:
        group = new_group(
            case.network, replicates, device, batch_size=case.batch, samples=case.samples
        )

        def train(times: int, group: ReplicateGroup = group) -> None:
            for _ in range(times):
                group.train_epoch(data)
            wait(device)

        def validate(times: int, group: ReplicateGroup = group) -> None:
            for _ in range(times):
                group.validate(data[: case.rows // 5])
            wait(device)

        measured = interleaved({"train": train, "validate": validate}, 2)
        rows.append(
            {
                "replicates": replicates,
                f"training on {case.rows} (s)": measured.milliseconds("train") / 1e3,
                f"validation on {case.rows // 5} (s)": measured.milliseconds("validate") / 1e3,
            }
        )
    return rows


def wait(device: torch.device) -> None:
    """Until the device has done all that was launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def targets(measured: Sequence[Row]) -> list[Row]:
    """What the step was to reach, and what it reached."""
    rows: list[Row] = []
    for row in measured:
        for how in ("captured, highest", "captured, high"):
            if row["replicates"] == 1:
                found = row[f"{how} (ms)"]
                rows.append(_target(f"step of one replicate, {how} (ms)", MOST_MILLISECONDS, found))
            if row["replicates"] == AT_REPLICATES:
                found = row[f"{how}, against R = 1"]
                rows.append(_target(f"R = {AT_REPLICATES} against R = 1, {how}", MOST_TIMES, found))
    return rows


def _target(what: str, at_most: float, found: str | float) -> Row:
    answer = "yes" if reached(f"at most {at_most}", float(found)) else "no"
    return {"target": what, "at most": at_most, "measured": found, "reached": answer}


PARTS: dict[str, Callable[[Case, torch.device, Report], list[Row]]] = {
    "checks": lambda case, device, report: checks(case, device),
    "steps": lambda case, device, report: steps(case, device),
    "targets": lambda case, device, report: targets(report["steps"]),
    "launches": lambda case, device, report: launches(case, device, report["steps"]),
    "epochs": lambda case, device, report: epochs(case, device),
}


def facts(case: Case, device: torch.device) -> dict[str, str]:
    """With what, where and when the figures were made."""
    on_gpu = device.type == "cuda"
    layers = ",".join(map(str, case.network.sizes))
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu: no figure of a GPU",
        "torch": f"{torch.__version__}, CUDA {torch.version.cuda}",
        "model": f"gmm, {layers} on {case.network.data_dims}, batch {case.batch}, "
        f"K {case.samples}, adam",
    }


def table(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [[str(cell) for cell in row.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown(known: Mapping[str, str], report: Report) -> str:
    """Facts and tables."""
    parts = ["# The training step on a GPU"]
    parts.append("\n".join(f"- {name}: {fact}" for name, fact in known.items()))
    for name, rows in report.items():
        parts += [f"## {name.capitalize()}", table(rows)]
    return "\n\n".join(parts) + "\n"


@torch.no_grad()
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables and write `gpu.md` and `gpu.json`; 1 without a GPU or if a check failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--folder", type=Path, default=Path("reports/bench"))
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("bench.gpu: torch finds no GPU here; --device cpu tries the code", file=sys.stderr)
        return 1
    case, device = CASES[options.device], torch.device(options.device)
    known, report = facts(case, device), Report()
    for name, measure in PARTS.items():
        report[name] = measure(case, device, report)
        print(f"{name}\n\n{table(report[name])}\n", flush=True)
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "gpu.md").write_text(markdown(known, report))
    content = json.dumps({"facts": known, **report}, indent=2) + "\n"
    (options.folder / "gpu.json").write_text(content)
    return 0 if all(row["passed"] == "yes" for row in report["checks"]) else 1


if __name__ == "__main__":
    sys.exit(main())
