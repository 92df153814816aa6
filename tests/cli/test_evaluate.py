"""`gmm-study evaluate`: what a checkpoint is worth, and the truth where it can be enumerated."""

import json
import subprocess
import sys

import pytest

from tests.workbench import Workbench

PEAK = """
import re
from gmm_study.cli import main
try:
    main()
finally:
    print(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
"""
"""The command line, and then the most memory that its process ever held, in KiB."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A folder with a trained gmm of two replicates, a vae and a model too large to enumerate."""
    bench = Workbench(tmp_path_factory.mktemp("evaluate"))
    common = (
        "train",
        "--threads",
        "1",
        "--dataset",
        "data.npz",
        "--max-epochs",
        "3",
        "--evaluation-samples",
        "20",
    )
    bench.call(*common, "--layers", "4,3", "--replicates", "2", "--output", "gmm")
    bench.call(*common, "--layers", "4,3", "--method", "vae", "--output", "vae")
    bench.call(*common, "--layers", "50,20", "--output", "large")
    return bench


def evaluated(bench, *arguments):
    result = bench.call("evaluate", *arguments, "--threads", "1", "--json")
    return json.loads(result.stdout.splitlines()[-1]), result.stderr


def test_every_replicate_has_a_row_for_every_number_of_samples_and_one_of_the_truth(bench):
    document, _ = evaluated(bench, "gmm", "--samples", "1,10", "--z-samples", "20000", "--exact")
    rows = {(row["replicate"], row["samples"]): row for row in document["figures"]}
    assert set(rows) == {(r, k) for r in (0, 1) for k in (1, 10, "exact")}
    assert document["not_exact"] is None
    assert (document["split"], document["datapoints"]) == ("test", 100)
    for (replicate, _), row in rows.items():
        exact = rows[replicate, "exact"]
        assert row["log_p_star"] == pytest.approx(row["log_p_tilde"] - row["log_z2"])
        assert abs(row["log_z2"] - exact["log_z2"]) <= 4.0 * row["log_z2_se"]
        assert exact["log_p_tilde"] <= exact["log_p"]
        assert exact["log_p_tilde"] <= exact["log_p_star"]


def test_a_model_that_cannot_be_enumerated_is_estimated_and_the_reason_is_said(bench):
    for name, reason in (("large", "2^70 states"), ("vae", "continuous")):
        document, said = evaluated(
            bench, name, "--samples", "5", "--z-samples", "100", "--exact", "--split", "valid"
        )
        assert reason in document["not_exact"]
        assert reason in said
        (row,) = document["figures"]
        assert row["samples"] == 5
        assert ("log_z2" in row) == (name == "large")


def test_the_same_command_gives_the_same_figures_and_another_seed_others(bench):
    arguments = ("gmm", "--samples", "5", "--z-samples", "100", "--replicate", "1")
    one, other = (evaluated(bench, *arguments)[0] for _ in range(2))
    assert one == other
    assert evaluated(bench, *arguments, "--seed", "1")[0]["figures"] != one["figures"]


def test_a_replicate_is_worth_the_same_alone_as_among_others(bench):
    together, _ = evaluated(bench, "gmm", "--samples", "5", "--z-samples", "100")
    alone, _ = evaluated(bench, "gmm", "--samples", "5", "--z-samples", "100", "--replicate", "1")
    assert alone["figures"] == [row for row in together["figures"] if row["replicate"] == 1]


def test_the_table_is_what_a_person_gets(bench):
    text = bench.call("evaluate", "gmm/checkpoint", "--samples", "1,10", "--exact").stdout
    for word in ("log_p_tilde", "log_p_star", "ess_star", "exact", "replicate 1", "2 log Z"):
        assert word in text
    assert all(word in text for word in ("gap", "bias", "95% interval"))
    few = bench.call("evaluate", "gmm", "--samples", "1,3", "--z-samples", "0").stdout
    assert "gap" not in few


def test_the_gap_and_the_interval_of_the_bias_are_there_from_four_samples_on(bench):
    document, _ = evaluated(bench, "gmm", "--samples", "3,4,40", "--z-samples", "0", "--exact")
    for row in document["figures"]:
        names = {"log_p_gap", "log_p_gap_se", "log_p_gap_before", "log_p_gap_before_se"}
        limits = {"log_p_bias_lower", "log_p_bias_upper"}
        assert (names | limits <= set(row)) == (row["samples"] in (4, 40))
        assert names.isdisjoint(row) == (row["samples"] in (3, "exact"))


FEW = ("--datapoints", "30", "--samples", "1,100", "--z-samples", "1000", "--chains", "8")


def test_certified_intervals_of_every_replicate_have_the_exact_values_inside(bench):
    document, _ = evaluated(bench, "gmm", *FEW, "--certify", "--steps", "16", "--exact")
    exact = {row["replicate"]: row for row in document["figures"] if row["samples"] == "exact"}
    assert [row["replicate"] for row in document["certified"]] == [0, 1]
    for row in document["certified"]:
        assert (row["steps"], row["samples"]) == (16, "exact")
        for name in ("log_p", "log_p_tilde", "log_z2", "log_p_star"):
            truth = exact[row["replicate"]][name]
            assert row[f"{name}_lower"] <= truth <= row[f"{name}_upper"]
            assert row[f"{name}_outside"] == 0.0
    assert "certified" not in evaluated(bench, "gmm", "--samples", "1", "--z-samples", "0")[0]


def test_an_estimate_outside_its_interval_is_named_with_its_distance(bench):
    train = ("train", "--threads", "1", "--dataset", "bars", "--learning-rate", "1e-2")
    bench.call(*train, "--layers", "5,3", "--max-epochs", "8", "--output", "bars")
    arguments = ("bars", *FEW[:3], "1", *FEW[4:], "--certify", "--steps", "16")
    (row,) = evaluated(bench, *arguments)[0]["certified"]
    text = bench.call("evaluate", *arguments, "--threads", "1").stdout
    said = " ".join(text.split())
    assert "intervals of 95% for these datapoints, 8 chains of 16 steps each" in said
    assert ("wider than --tolerance" in said) == (not row["narrow"])
    for limit in ("log_p_lower", "log_p_upper", "log_p_star_lower", "log_p_star_lower_certified"):
        assert f"{row[limit]:.3f}" in text
    beyond = {name: row[f"{name}_outside"] for name in ("log_p", "log_p_tilde")}
    assert min(beyond.values()) < 0.0  # with a single sample
    for name, text in (("log_p", "log p"), ("log_p_tilde", "log ptilde")):
        line = f"{text} with K = 1 is {-beyond[name]:.3f} nats below the interval"
        assert (line in said) == (beyond[name] < 0.0)


def test_one_datapoint_and_one_chain_are_not_called_many(bench):
    one = ("--datapoints", "1", "--samples", "1", "--z-samples", "0", "--chains", "1")
    text = bench.call("evaluate", "gmm", *one, "--certify", "--steps", "1").stdout
    said = " ".join(text.split())
    assert "1 datapoint:" in said
    assert "1 chain of 1 step each" in said


def test_a_method_without_p_star_has_an_interval_of_log_p_alone(bench):
    train = ("train", "--threads", "1", "--dataset", "data.npz", "--max-epochs", "3")
    bench.call(*train, "--method", "rws", "--layers", "4,3", "--output", "rws")
    document, _ = evaluated(bench, "rws", *FEW, "--certify", "--steps", "4", "--exact")
    (row,) = document["certified"]
    assert row["log_p_lower"] <= document["figures"][-1]["log_p"] <= row["log_p_upper"]
    assert not any("tilde" in name or "star" in name or "z2" in name for name in row)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("vae", "--certify"), "certify: it needs a model with binary layers"),
        (("gmm", "--certify", "--steps", "0"), "--steps"),
        (("gmm", "--steps", "16"), "steps: it acts only with --certify"),
        (("gmm", "--certify", "--chains", "0"), "--chains"),
        (("gmm", "--certify", "--tolerance", "-1"), "--tolerance"),
        (("gmm", "--certify", "--tolerance", "nan"), "tolerance: nan"),
        (("gmm", "--samples", "0"), "--samples"),
        (("gmm", "--samples", "ten"), "'ten' must be whole numbers"),
        (("gmm", "--replicate", "7"), "replicate: 7"),
        (("gmm", "--dataset", "digits"), "'digits' has 64 dims; the model has 12"),
        (("nowhere",), "'nowhere' is neither a folder with a trained model nor"),
        (("bmnist12",), "did you mean 'bmnist-12'?"),
        (("no/where",), "'no/where' is not a folder with meta.json"),
        (("gmm/checkpoint/meta.json",), "is not a folder with meta.json"),
        (("gmm", "--datapoints", "101"), "datapoints: 101 must be at most 100"),
        (("gmm", "--z-samples", "1"), "z_samples: 1"),
        (("gmm", "--device", "tpu"), "device: 'tpu'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(bench, arguments, said):
    refused = bench.call("evaluate", *arguments, status=2)
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert refused.stdout == ""


@pytest.mark.process
def test_a_hundred_thousand_samples_of_ten_datapoints_stay_under_a_gibibyte(bench):
    arguments = ["--samples", "100000", "--datapoints", "10", "--z-samples", "0", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, "evaluate", "large", *arguments, "--json"],
        cwd=bench.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    document, peak = done.stdout.splitlines()
    assert json.loads(document)["figures"][0]["samples"] == 100_000
    assert int(peak) < 2**20
