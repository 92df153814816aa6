"""Every bad study is refused in one line that names the file, the field and what would be right."""

import pytest

from gmm_study.errors import InputError
from gmm_study.study import load_study
from gmm_study.training.stages import EXAMPLE


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("replicate: 2", ["replicate:", "'replicates'"]),
        ("fixed: {max_epoch: 2}", ["fixed.max_epoch:", "'max_epochs'"]),
        ("fixed: {layers: {frist: 9, last: 2, depth: 2}}", ["layers.frist:", "'layers.first'"]),
        ("space: {sample: {grid: [1]}}", ["space.sample:", "'samples'"]),
        ("space: {layers.dept: {grid: [1]}}", ["space.layers.dept:", "'layers.depth'"]),
        ("space: {samples: {gird: [1]}}", ["space.samples.gird:", "'grid'"]),
        ("search: {kind: rndom, trials: 3}", ["search.kind:", "'rndom'", "'random'"]),
        ("search: {kind: random, trial: 3}", ["search.trial:", "'trials'"]),
        ("evaluation: {sample: 3}", ["evaluation.sample:", "'samples'"]),
        ("resources: {cpu: 3}", ["resources.cpu:", "'cpus'"]),
        ("report: {y: samples}", ["report.y:", "x"]),
        ("small: {replicate: 2}", ["small.replicate:", "'replicates'"]),
        ("small: {fixed: {max_epoch: 2}}", ["small.fixed.max_epoch:", "'max_epochs'"]),
        (
            "space: {samples: {grid: [1, 2]}}\nreport: {x: sampels}",
            ["report.x:", "'sampels'", "'samples'"],
        ),
    ],
)
def test_a_misspelt_field_is_refused_with_the_nearest_known_name(refusal, text, named):
    line = refusal(text)
    assert all(part in line for part in ["question.yaml", *named])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("space: {learning_rate: {grid: [1e-3, -0.1]}}", ["space.learning_rate:", "-0.1", "above"]),
        ("space: {layers.depth: {grid: [2, 0]}}", ["space.layers.depth:", "0"]),
        ("space: {q_baseline: {grid: [uniform, nne]}}", ["space.q_baseline:", "'nne'", "'none'"]),
        ("space: {samples: {grid: [1, 2.5]}}", ["space.samples:", "2.5", "whole"]),
        ("space: {samples: {grid: [null]}}", ["space.samples:", "null"]),
        ("fixed: {batch_size: 0}", ["fixed.batch_size:", "0"]),
        ("fixed: {layers: {first: 8}}\nspace: {layers.depth: {grid: [1]}}", ["fixed.layers:"]),
        ("fixed: 5", ["fixed:", "5", "mapping"]),
        ("space: {samples: [1, 2]}", ["space.samples:", "[1, 2]", "mapping"]),
        ("space: {samples: {grid: []}}", ["space.samples.grid:", "[]"]),
        ("space: {samples: {}}", ["space.samples:", "grid"]),
        ("space: {samples: {grid: [1], choice: [2]}}", ["space.samples:", "one of"]),
        ("space: {samples: {grid: [5, 1, 5]}}", ["space.samples.grid:", "5", "once"]),
        ("space: {learning_rate: {grid: [1e-3, 0.001]}}", ["space.learning_rate.grid:", "once"]),
        ("replicates: 0", ["replicates:", "0", "1"]),
        ("replicates: two", ["replicates:", "'two'", "whole"]),
        ("search: {kind: random}", ["search.trials:", "missing"]),
        ("search: {trials: 3}", ["search.kind:", "missing"]),
        ("search: {kind: random, trials: 0}", ["search.trials:", "0"]),
        ("search: {kind: [grid]}", ["search"]),
        ("search: random", ["search.trials", "is missing"]),
        ("evaluation: {samples: 0}", ["evaluation.samples:", "0"]),
        ("evaluation: {chunk_rows: 0}", ["evaluation.chunk_rows:", "0"]),
        *(
            (f"resources: {{gpus: {value}}}", ["resources.gpus:", shown, "auto or a number from 0"])
            for value, shown in {
                "-1": "-1",
                "2": "2",
                "many": "'many'",
                "[1]": "[1]",
                ".nan": "nan",
            }.items()
        ),
        *(
            (f"resources: {{autoscaling: {value}}}", ["resources.autoscaling:", shown, "true or"])
            for value, shown in {"maybe": "'maybe'", "2": "2", "1": "1", "[on]": "[True]"}.items()
        ),
        *(
            (f"search: {{kind: tpe, trials: 3, hours: {value}}}", ["search.hours:", *shown])
            for value, shown in {
                "0": ["0 must be greater than 0"],
                "-1": ["-1 must be greater than 0"],
                "long": ["'long' must be a number"],
                "2:30": ["'2:30' must be a number"],
                "1:30.5": ["'1:30.5' must be a number"],
                ".inf": ["inf must be a finite number"],
                "[1]": ["[1] must be a number"],
            }.items()
        ),
        *(
            (
                f"search: {{kind: tpe, trials: 3, from_records: {value}}}",
                [
                    "search.from_records:",
                    shown,
                    "must be true or false",
                ],
            )
            for value, shown in {"maybe": "'maybe'", "1": "1", "studies": "'studies'"}.items()
        ),
        ("report: {x: samples}", ["report.x:", "'samples'"]),
        ("small: 3", ["small:", "3", "mapping"]),
        ("small: {small: {}}", ["small.small:"]),
    ],
)
def test_an_unusable_value_is_refused_by_its_field_before_anything_runs(refusal, text, named):
    line = refusal(text)
    assert all(part in line for part in ["question.yaml", *named])


@pytest.mark.parametrize(
    ("axis", "named"),
    [
        ("learning_rate: {log_uniform: [0, 1]}", "above 0"),
        ("learning_rate: {log_uniform: [1e-2, 1e-4]}", "low below high"),
        ("learning_rate: {uniform: [-1, 1]}", "-1.0"),
        ("learning_rate: {uniform: 1}", "two numbers"),
        ("learning_rate: {uniform: [1]}", "missing"),
        ("learning_rate: {uniform: [0.1, .inf]}", "finite"),
        ("momentum: {uniform: [0.5, 1.5]}", "1.5"),
        ("samples: {integer: [0, 5]}", "0"),
        ("samples: {uniform: [1, 5]}", "whole"),
        ("bound: {choice: [elbo, iwa]}", "'iwae'"),
    ],
)
def test_a_range_is_refused_when_any_draw_from_it_could_be_unusable(refusal, axis, named):
    line = refusal(f"space: {{{axis}}}\nsearch: {{kind: random, trials: 2}}")
    assert axis.partition(":")[0] in line
    assert named in line


@pytest.mark.parametrize("section", ["fixed", "space"])
@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("method", "'methods'"),
        ("dataset", "'datasets'"),
        ("evaluation_samples", "'evaluation.samples'"),
    ],
)
def test_what_a_study_spells_elsewhere_is_refused_with_where(refusal, section, setting, hint):
    value = "{grid: [1]}" if section == "space" else "1"
    line = refusal(f"{section}: {{{setting}: {value}}}")
    assert f"{section}.{setting}:" in line
    assert hint in line


@pytest.mark.parametrize(
    ("fixed", "axis"),
    [
        ("samples: 3", "samples"),
        ("layers: {depth: 2, first: 8, last: 4}", "layers.depth"),
        ("layers: [8, 4]", "layers.depth"),
        ("layers: {depth: 2, first: 8, last: 4}", "layers"),
    ],
)
def test_a_setting_that_is_both_fixed_and_swept_is_refused(refusal, fixed, axis):
    line = refusal(f"fixed: {{{fixed}}}\nspace: {{{axis}: {{grid: [3]}}}}")
    assert f"space.{axis}:" in line
    assert "fixed" in line


@pytest.mark.parametrize(
    ("screen", "named"),
    [
        ("{replicates: 3}", ["search.screen.replicates:", "3 must be less", "replicates"]),
        ("{replicates: 0}", ["search.screen.replicates:", "0"]),
        ("{best: 3}", ["search.screen.best:", "confirm"]),
        ("3", ["search.screen:", "3"]),
    ],
)
def test_a_screening_that_saves_nothing_or_is_misspelt_is_refused(refusal, screen, named):
    text = f"replicates: 3\nsearch: {{kind: random, trials: 5, screen: {screen}}}"
    line = refusal(text)
    assert all(part in line for part in named)


def test_a_grid_search_refuses_an_axis_that_is_no_grid(refusal):
    line = refusal("space: {learning_rate: {log_uniform: [1e-4, 1e-2]}}\nsearch: {kind: grid}")
    assert "space.learning_rate:" in line
    assert "random" in line


def test_an_axis_that_no_method_would_read_is_refused(refusal):
    assert "optimizer sgd" in refusal("space: {momentum: {grid: [0.5, 0.9]}}")


def test_an_axis_that_some_cells_read_is_accepted(load):
    load("space: {momentum: {grid: [0.5, 0.9]}, optimizer: {grid: [adam, sgd]}}")


@pytest.mark.parametrize(
    ("head", "named"),
    [
        ("", ["mapping"]),
        ("- a\n- b\n", ["mapping"]),
        ("datasets: [digits]\nmethods: [gmm]\n", ["question:", "missing"]),
        ("question: Q\ndatasets: digits\nmethods: [gmm]\n", ["datasets:", "'digits'", "list"]),
        ("question: Q\ndatasets: []\nmethods: [gmm]\n", ["datasets:", "[]"]),
        ("question: Q\ndatasets: [5]\nmethods: [gmm]\n", ["datasets.0:", "5", "text"]),
        ("question: Q\ndatasets: [a, a]\nmethods: [gmm]\n", ["datasets:", "'a'", "once"]),
        ("question: Q\ndatasets: [a]\nmethods: [gm]\n", ["methods:", "'gm'", "'gmm'"]),
    ],
)
def test_a_document_without_a_usable_head_is_refused(refusal, head, named):
    line = refusal("", head=head)
    assert all(part in line for part in ["question.yaml", *named])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fixed: {l1: 0.1}\nreplicates: 2\nfixed: {l2: 0.1}", ["line 6", "'fixed'", "twice"]),
        ("fixed:\n  l1: 0.1\n  l1: 0.2", ["line 6", "'l1'", "twice"]),
        ("fixed:\n  layers: [1, 2\nreplicates: 3", ["line 6"]),
        ("fixed:\n\tl1: 0.1", ["line 5"]),
        ("fixed: {1: 2}", ["line 4", "1"]),
        ("fixed: {l1: !!python/object/apply:os.system [true]}", ["line 4", "python/object"]),
        ("fixed: &it {layers: *it}", ["line 4", "alias"]),
        ("fixed: " + "[" * 5000, ["YAML"]),
        ("fixed: {bound: 2020-13-45}", ["YAML"]),
        ('fixed: {bound: "\\e[31m\\n"}', ["fixed.bound"]),
    ],
)
def test_yaml_that_is_not_plain_data_is_refused_with_its_line(refusal, text, named):
    line = refusal(text)
    assert line.isprintable()
    assert all(part in line for part in ["question.yaml", *named])


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.yaml"):
        load_study(str(path))


def test_a_missing_file_and_an_unknown_name_are_refused_with_what_there_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        load_study("nowhere.yaml")
    with pytest.raises(InputError, match="studies"):
        load_study("depth")
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "depth.yaml").touch()
    with pytest.raises(InputError, match="did you mean 'depth'"):
        load_study("dept")
    with pytest.raises(InputError, match="no such study"):
        load_study("../studies/depth")


STAGED = "per_method: {vae: {stages: [{max_epochs: 5}, {samples: 3}]}}"


@pytest.mark.parametrize(
    ("key", "whole"),
    [
        ("per_method.vae.stages.0.max_epochs", "per_method.vae.stages"),
        ("fixed.stages.0.max_epochs", "fixed.stages"),
        ("stages.0.max_epochs", "stages"),
        ("stages.max_epochs", "stages"),
    ],
)
@pytest.mark.parametrize("text", ["", STAGED])
def test_an_override_of_a_part_of_stages_is_refused_with_an_example_of_the_whole(
    refusal, text, key, whole
):
    line = refusal(text, f"{key}=9")
    refused = f"{key}: no such setting; '{whole}' must be a whole list, such as {EXAMPLE}"
    assert line.endswith(f"{key}=9: {refused}")
    assert "mapping" not in line
    assert "did you mean" not in line


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("fixed: {schedule: {kind: cosine}}", "fixed.schedule"),
        ("per_method: {vae: {schedule: {kind: cosine}}}", "per_method.vae.schedule"),
        ("variations: {one: {}, two: {schedule: {kind: cosine}}}", "variations.two.schedule"),
    ],
)
def test_a_mapping_where_a_setting_has_one_value_is_refused_as_such(refusal, text, field):
    assert f"{field}: must be one value, not a mapping with 'kind'" in refusal(text)


def test_stages_that_are_a_mapping_are_refused_as_no_list(refusal):
    line = refusal("fixed: {stages: {max_epochs: 3}}")
    refused = "fixed.stages.max_epochs: no such setting; 'fixed.stages' must be a whole list"
    assert f"{refused}, such as {EXAMPLE}" in line


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("report: {margin: true}", "report.margin"),
        ("resources: {checkpoint_seconds: true}", "resources.checkpoint_seconds"),
        ("resources: {heartbeat_seconds: true}", "resources.heartbeat_seconds"),
        ("resources: {time_limit_seconds: true}", "resources.time_limit_seconds"),
        ("resources: {gpus: true}", "resources.gpus"),
        ("resources: {cpus: true}", "resources.cpus"),
        ("evaluation: {samples: true}", "evaluation.samples"),
        ("fixed: {max_seconds: true}", "fixed.max_seconds"),
        (
            "search: {kind: random, trials: 2}\nspace: {learning_rate: {uniform: [1e-3, true]}}",
            "space.learning_rate.uniform.1",
        ),
    ],
)
def test_true_is_no_number(refusal, text, field):
    line = refusal(text)
    assert f"{field}: True must be " in line


def test_a_number_may_be_written_as_text(load):
    assert load("report: {margin: 5e-1}").report.margin == 0.5
