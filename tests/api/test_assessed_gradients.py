"""`gradients` and `gmm-study gradients`: methods compared on one trained model."""

import json
from math import sqrt

import pytest

import gmm_study
from gmm_study.api.gradients import gradients
from gmm_study.errors import InputError
from gmm_study.training.checkpoint import open_checkpoint
from tests.workbench import Workbench

TINY = {"max_epochs": 3, "evaluation_samples": 10, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models of bars: of rws and of nvil that can be enumerated, of gmm that cannot, and a vae."""
    found = tmp_path_factory.mktemp("models")
    for method, layers in (("rws", [4, 2]), ("nvil", [4]), ("gmm", [20, 5]), ("vae", [4, 2])):
        gmm_study.train("bars", method=method, layers=layers, output=found / method, **TINY)
    return found


def test_parts_are_the_conditionals_from_the_data_up_and_together_all_parameters(folder):
    model = open_checkpoint(folder / "rws").model()
    parts = {name: len(entries) for name, entries in model.parts().items()}
    assert list(parts.items()) == [
        ("p", 16 * 4 + 16 + 4 * 2 + 4 + 2),
        ("q", 16 * 4 + 4 + 4 * 2 + 2),
        ("p(x | h1)", 16 * 4 + 16),
        ("p(h1 | h2)", 4 * 2 + 4),
        ("p(h2)", 2),
        ("q(h1 | x)", 16 * 4 + 4),
        ("q(h2 | h1)", 4 * 2 + 2),
    ]
    assert parts["p"] + parts["q"] == model.parameters.flat.shape[1]


def test_every_method_is_compared_on_the_model_of_one_of_them(folder):
    methods = ("gmm", "rws", "wake_wake", "vimco")
    found = gradients(folder / "rws", methods, [1, 4], draws=40, q_baselines=["uniform", "none"])
    frame = found.frame()
    assert found.trained_by == "rws"
    kinds = {(row["method"], row["q_baseline"], row["samples"]) for row in found.rows}
    with_baseline = {(m, b, k) for m in methods[:3] for b in ("uniform", "none") for k in (1, 4)}
    assert kinds == with_baseline | {("vimco", None, 4)}  # its K must be at least 2
    assert set(frame.loc[frame["method"] != "vimco", "target"]) == {"exact"}
    assert set(frame.loc[frame["method"] == "vimco", "target"]) == {"the mean of 160 further draws"}
    assert (frame["seconds"] > 0).all()
    still = frame[(frame["method"] == "gmm") & (frame["q_baseline"] == "uniform")]
    still = still[(still["samples"] == 1) & (still["part"] == "q")]
    assert still["signal_to_noise"].isna().all()  # with one sample, q gets no gradient


def test_more_samples_give_better_gradients(folder):
    frame = gradients(folder / "rws", ["gmm"], [2, 50], draws=100).frame()
    few, many = (frame[frame["samples"] == k].set_index("part") for k in (2, 50))
    assert (many["signal_to_noise"] > few["signal_to_noise"]).all()
    assert (many["cosine"] > few["cosine"]).all()
    assert (many["deviation"] < few["deviation"]).all()


def test_of_a_model_that_cannot_be_enumerated_the_target_has_an_error(folder):
    (row, *_) = gradients(folder / "gmm", samples=[5], draws=40, target_samples=200).rows
    assert row["target"] == "the mean of 10 draws with K = 200"
    assert 0 < row["target_error"] < 1
    exact = gradients(folder / "rws", samples=[5], draws=40).rows[0]
    assert exact["target_error"] == 0


def test_a_sampled_target_gives_the_figures_of_the_exact_one(folder, monkeypatch):
    figures = ("signal_to_noise", "cosine", "deviation")
    exact = gradients(folder / "rws", ["gmm"], [3], draws=400).frame()
    monkeypatch.setattr("gmm_study.exact.limits.MOST_STATE_BITS", 1)
    sampled = gradients(folder / "rws", ["gmm"], [3], draws=400).frame()
    assert set(sampled["target"]) == {"the mean of 100 draws with K = 1,000"}
    for name in figures:
        error = sqrt(2) * exact[f"{name}_se"] + exact[name].abs() * sampled["target_error"]
        assert ((exact[name] - sampled[name]).abs() < 4 * error).all(), name


def test_nvil_is_assessed_with_the_prediction_that_it_has_learned(folder):
    frame = gradients(folder / "nvil", ["nvil", "vimco"], [4], draws=40).frame()
    assert set(frame["method"]) == {"nvil", "vimco"}


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(folder):
    def figures(seed):
        rows = gradients(folder / "rws", samples=[3], draws=40, seed=seed).rows
        return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]

    assert figures(0) == figures(0)
    assert figures(0) != figures(1)


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        ("vae", {}, "not of a vae"),
        (
            "rws",
            {"methods": ["nvil"]},
            "'nvil' cannot be assessed on a model that was trained",
        ),
        ("rws", {"methods": ["vae"]}, "'vae' cannot be assessed"),
        ("rws", {"methods": ["gmn"]}, "did you mean 'gmm'?"),
        ("rws", {"draws": 39}, "draws: 39 must be at least 40"),
        ("rws", {"samples": [0]}, "samples: 0 must be a whole number"),
        ("rws", {"methods": ["vimco"], "samples": [1]}, "vimco needs a K of at least 2"),
        ("rws", {"q_baselines": ["learned"]}, "q_baseline: 'learned'"),
        ("rws", {"q_baselines": ["learned"], "methods": ["vimco"]}, "q_baseline: 'learned'"),
        ("rws", {"datapoints": 10**6}, "must be at most"),
    ],
)
def test_what_cannot_be_assessed_costs_one_line(folder, model, asked, said):
    with pytest.raises(InputError) as error:
        gradients(folder / model, **asked)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.process
def test_the_command_prints_a_table_for_each_part_and_json(folder, tmp_path):
    bench = Workbench(tmp_path)
    options = ("--method", "gmm", "--method", "vimco", "--samples", "1,3", "--draws", "40")
    said = bench.call("gradients", folder / "rws", *options).stdout
    assert "q(h1 | x): 68 parameters" in said
    assert "target of gmm: exact" in said
    told = json.loads(bench.call("gradients", folder / "rws", *options, "--json").stdout)
    assert {row["part"] for row in told["rows"]} >= {"p", "q", "p(h2)"}
    assert told["draws"] == 40
