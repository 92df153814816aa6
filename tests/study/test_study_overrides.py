"""What is given beside a study's file: its small variant, and KEY=VALUE overrides."""

import pytest

STUDY = """
replicates: 3
fixed: {learning_rate: 3e-3, layers: {first: 48, last: 12}}
space:
  layers.depth: {grid: [1, 2, 3]}
  samples: {grid: [5, 10]}
small:
  replicates: 2
  fixed: {max_epochs: 3}
  space: {layers.depth: {grid: [1, 2]}}
"""


def test_the_file_alone_has_no_variant(load):
    study = load(STUDY)
    assert (study.name, study.variant) == ("question", "")


def test_the_small_variant_is_merged_over_the_rest(load):
    study = load(STUDY, small=True)
    assert study.variant == "small"
    assert study.replicates == 2
    assert study.fixed["max_epochs"] == 3
    assert study.fixed["layers"] == {"first": 48, "last": 12}
    assert study.space["layers.depth"].grid == [1, 2]
    assert study.space["samples"].grid == [5, 10]


def test_the_small_variant_may_fix_what_the_study_sweeps_and_replace_the_search(load):
    text = """
fixed: {l2: 0.1}
space: {samples: {grid: [1]}, learning_rate: {log_uniform: [1e-4, 1e-2]}}
search: {kind: random, trials: 9}
report: {x: learning_rate}
small:
  fixed: {learning_rate: 1e-2}
  space: {l2: {grid: [0.1]}}
  search: {kind: grid}
"""
    study = load(text, small=True)
    assert list(study.space) == ["samples", "l2"]
    assert study.x == "samples"
    assert study.search.kind == "grid"
    assert load(text, "search.trials=2").search.trials == 2


def test_small_is_refused_where_a_study_has_no_small_variant(refusal):
    assert "small:" in refusal("", small=True)


def test_overrides_come_after_the_small_variant_and_in_order(load):
    study = load(STUDY, "max_epochs=5", "replicates=4", "max_epochs=7", small=True)
    assert study.fixed["max_epochs"] == 7
    assert study.replicates == 4


def test_an_overridden_setting_leaves_the_space_and_merges_into_a_fixed_mapping(load):
    study = load(STUDY, "layers.depth=2")
    assert list(study.space) == ["samples"]
    assert study.fixed["layers"] == {"first": 48, "last": 12, "depth": 2}


def test_overriding_the_layers_takes_the_axes_inside_them_out(load):
    for text in ("layers=[10, 5]", "layers=10,5", "layers=depth=2,first=10,last=5"):
        assert list(load(STUDY, text).space) == ["samples"]


def test_overriding_the_ends_of_the_layers_keeps_the_axis_of_their_depth(load):
    study = load(STUDY, "layers={first: 20, last: 5}")
    assert list(study.space) == ["layers.depth", "samples"]


def test_overriding_an_axis_replaces_it_or_what_was_fixed(load):
    assert load(STUDY, "space.samples.grid=[7]").space["samples"].grid == [7]
    assert load(STUDY, "space.layers.depth={grid: [4]}").space["layers.depth"].grid == [4]
    study = load(STUDY, "space.learning_rate.grid=[1e-3, 1e-2]")
    assert study.space["learning_rate"].grid == [0.001, 0.01]
    assert "learning_rate" not in study.fixed
    study = load(STUDY, "search={kind: random, trials: 4}", "space.samples.integer=[1, 50]")
    assert study.space["samples"].kind == "integer"


def test_an_axis_that_an_override_takes_out_is_no_longer_what_the_report_runs_along(load):
    text = f"{STUDY}\nreport: {{x: samples}}"
    assert load(text).x == "samples"
    assert load(text, "samples=5").x == "layers.depth"
    assert load(text, "samples=5", "layers.depth=2").x is None


def test_a_random_search_can_have_its_drawn_axis_fixed(load):
    text = "space: {learning_rate: {uniform: [1e-4, 1e-2]}}\nsearch: {kind: random, trials: 9}"
    assert load(text, "learning_rate=1e-3").space == {}


def test_dataset_and_method_are_short_for_lists_of_one(load):
    study = load(STUDY, "dataset=mushrooms", "method=gmm")
    assert (study.datasets, study.methods) == (["mushrooms"], ["gmm"])


def test_every_field_of_a_study_can_be_overridden(load):
    study = load(
        STUDY,
        "question=And now?",
        "datasets=[dna, nips]",
        "methods=[rws]",
        "evaluation.samples=30",
        "resources.concurrent=2",
        "report.x=samples",
        "fixed.batch_size=50",
    )
    assert study.question == "And now?"
    assert study.datasets == ["dna", "nips"]
    assert study.methods == ["rws"]
    assert study.evaluation.samples == 30
    assert study.resources.concurrent == 2
    assert study.x == "samples"
    assert study.fixed["batch_size"] == 50


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("max_epochs", ["KEY=VALUE"]),
        ("=5", ["KEY=VALUE"]),
        ("max_epochs=", ["KEY=VALUE"]),
        ("samples=[1, 2", ["YAML"]),
        ("samples=!!python/name:os.system", ["YAML"]),
        ("max_epoch=5", ["'max_epochs'"]),
        ("replicate=5", ["'replicates'"]),
        ("layers.dept=5", ["'layers.depth'"]),
        ("small=5", ["small"]),
        ("datasets.0=a", ["datasets"]),
        ("datasets=a,b", ["list"]),
        ("samples.most=5", ["samples"]),
        ("max_epochs=0", ["fixed.max_epochs:"]),
        ("method=gm", ["'gmm'"]),
        ("evaluation_samples=5", ["'evaluation.samples'"]),
        ("report.x=sample", ["'samples'"]),
        ("report.x=[1]", ["report.x"]),
        ("space=5", ["space", "mapping"]),
        ("space.samples=5", ["space.samples:", "mapping"]),
        ("momentum=0.5", ["optimizer sgd"]),
        ("a\nb=5", ["no such"]),
    ],
)
def test_an_unusable_override_is_refused_by_its_own_text(refusal, override, named):
    line = refusal(STUDY, override)
    assert all(part in line for part in ["question.yaml", " ".join(override.split()), *named])


def test_a_variant_is_labelled_by_what_was_given_in_its_order(load):
    study = load(STUDY, "dataset=mushrooms", "max_epochs=5", small=True)
    assert study.variant == "small,dataset=mushrooms,max_epochs=5"
    assert load(STUDY, "layers = [10, 5]").variant == "layers=[10,5]"


@pytest.mark.parametrize(
    "override",
    ["dataset=../a b/c.npz", "dataset=/root", "layers={depth: 2, first: 9, last: 3}", "dataset=é"],
)
def test_a_variants_label_can_name_a_folder(load, override):
    label = load(STUDY, override).variant
    assert not set(label) & set("/\\ :")
    assert not label.startswith(".")
    assert label.isascii()


def test_a_long_label_is_short_stable_and_still_tells_variants_apart(load):
    long = [f"question={'x' * 150}{end}" for end in "ab"]
    labels = [load(STUDY, text).variant for text in long]
    assert len(set(labels)) == 2
    assert max(map(len, labels)) <= 100
    assert load(STUDY, long[0]).variant == labels[0]
    assert load(STUDY, "dataset=a/b").variant != load(STUDY, "dataset=a_b").variant
