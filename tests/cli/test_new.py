"""`new` writes a study that can be run as it is; `schema` is what editors check it by."""

import json
import re
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from gmm_study.study import load_study, make_plan
from gmm_study.study.json_schema import study_schema
from gmm_study.study.read import parse_yaml, read_document
from gmm_study.study.schema import StudyFile
from tests.workbench import call

SHIPPED = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator():
    Draft7Validator.check_schema(study_schema())
    return Draft7Validator(study_schema())


@pytest.fixture
def written(tmp_path):
    """The file of a new study, in a folder that held nothing."""
    assert "gmm-study plan mine --small" in call(tmp_path, "new", "mine").stdout
    return tmp_path / "studies" / "mine.yaml"


def loaded(path, *overrides, small=False):
    with chdir(path.parents[1]):
        return load_study(path.stem, overrides, small)


def commented_out(text):
    """The fields that stand in comments, as the mapping that they are."""
    lines = [line[4:] for line in text.splitlines() if re.match("#(   |     )[a-z]", line)]
    return parse_yaml("\n".join(lines))


def test_a_new_study_can_be_planned_and_has_a_small_variant(written):
    whole, small = loaded(written), loaded(written, small=True)
    assert whole.methods == ["gmm", "rws", "vae"]
    assert whole.replicates >= 2
    assert len(make_plan(whole, {"digits": "x"}).trials) == 6
    assert small.fixed["max_epochs"] < whole.fixed["max_epochs"]
    assert "gmm-study run mine" in written.read_text()


def test_every_field_that_a_comment_of_it_names_is_one(written, validator):
    text = written.read_text()
    fields = commented_out(text)
    assert {"search", "scheduler", "variations", "resources", "report"} <= set(fields)
    document = read_document(written)
    for name, value in fields.items():
        assert name in StudyFile.model_fields
        assert validator.is_valid(document | {name: value})
    tuned = [f"space.{name}={json.dumps(axis)}" for name, axis in fields["space"].items()]
    others = [f"{name}={json.dumps(fields[name])}" for name in fields if name != "space"]
    study = loaded(written, *tuned, *others)
    assert study.is_adaptive
    for name in re.findall(r"`(\w+)`", text):
        assert name in StudyFile.model_fields
    for name in re.findall(r"--set (\w+)=", text):
        loaded(written, f"{name}=5")


def test_data_sets_and_methods_that_are_given_stand_in_the_file(tmp_path):
    (tmp_path / "my data.npz").write_bytes(b"")
    words = ["--dataset", "bars", "--dataset", "my data.npz", "--method", "vae", "--method", "vae"]
    call(tmp_path, "new", "mine", *words)
    study = loaded(tmp_path / "studies" / "mine.yaml")
    assert (study.datasets, study.methods) == (["bars", "my data.npz"], ["vae"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine.yaml"], "'mine.yaml' must have at most 100 letters"),
        (["../mine"], "'../mine' must have at most 100 letters"),
        ([".mine"], "'.mine' must have at most 100 letters"),
        (["x" * 101], "at most 100"),
        (
            ["mine", "--dataset", "mushroms"],
            "'mushroms' is neither a known data set nor an existing path",
        ),
        (["mine", "--method", "rsw"], "did you mean 'rws'?"),
    ],
)
def test_what_cannot_be_a_study_is_refused_and_nothing_is_written(tmp_path, words, said):
    refused = call(tmp_path, "new", *words, status=2)
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_study_that_is_there_is_left_alone(written):
    written.write_text("question: mine\n")
    refused = call(written.parents[1], "new", "mine", status=2)
    assert "studies/mine.yaml: already exists" in refused.stderr
    assert written.read_text() == "question: mine\n"


def test_once_the_schema_is_there_a_new_study_names_it_and_fits_it(tmp_path):
    call(tmp_path, "schema", "--output", "studies/study.schema.json")
    call(tmp_path, "new", "mine")
    path = tmp_path / "studies" / "mine.yaml"
    named = path.read_text().splitlines()[0].partition("$schema=")[2]
    schema = json.loads((path.parent / named).read_text())
    assert json.loads(call(tmp_path, "schema").stdout) == schema
    assert Draft7Validator(schema).is_valid(read_document(path))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_study_fits_the_schema_however_yaml_reads_its_numbers(path, validator):
    as_editors_do = re.sub(r"(?<![\w.])(\d+)e(-?\d+)", r"\1.0e\2", path.read_text())
    for document in (read_document(path), yaml.safe_load(as_editors_do)):
        assert not [error.message for error in validator.iter_errors(document)]


PLAIN = {"question": "why?", "datasets": ["digits"], "methods": ["gmm"]}


@pytest.mark.parametrize(
    "part",
    [
        {"datasets": ["./mine.npz", "folder/data", "debd/nltcs"]},
        {"search": "grid", "scheduler": "asha"},
        {"fixed": {"layers": 48, "samples": None, "learning_rate": "1e-3"}},
        {"fixed": {"layers": {"first": 48}}, "space": {"layers.depth": {"grid": [1, 2]}}},
        {"space": {"layers": {"grid": [[6], "6,3", {"depth": 1, "first": 6, "last": 6}]}}},
        {"search": {"kind": "random", "trials": 3, "points": [{"l1": 0, "layers.depth": 2}]}},
        {"resources": {"gpus": "auto", "time_limit_seconds": "1e3"}},
        {"small": {"search": {"trials": 1}, "scheduler": {"grace_epochs": 1}, "replicates": 1}},
        {"preset": "authors", "evaluation": {"z_samples": 500}},
        {"preset": None, "per_method": {"gmm": {"layers": {"first": 48}, "learning_rate": "1e-3"}}},
        {"per_dataset": {"digits": {"max_epochs": 3}, "./mine.npz": {"layers": {"last": 2}}}},
        {"fixed": {"stages": [{}, {"samples": "20", "learning_rate": "1e-3", "l1": 1e-4}]}},
        {"space": {"stages": {"grid": [[], [{"max_epochs": 2}, {"schedule": "cosine"}]]}}},
        {"fixed": {"warm_start": "0123456789abcdef", "parameter_average": "uniform"}},
        {"variations": {"a b": {}, "c": {"top_prior": "fixed"}}, "report": {"x": "variation"}},
    ],
)
def test_what_a_study_may_say_fits_the_schema(part, validator):
    assert not [error.message for error in validator.iter_errors({**PLAIN, **part})]


@pytest.mark.parametrize(
    "part",
    [
        {"qestion": "why?"},
        {"question": ""},
        {"datasets": ["mushroms"]},
        {"datasets": ["debd/nltsc"]},
        {"datasets": "digits"},
        {"methods": ["rsw"]},
        {"methods": ["gmm", "gmm"]},
        {"replicates": 0},
        {"replicates": "three"},
        {"fixed": {"learning_rat": 1e-3}},
        {"fixed": {"learning_rate": -1e-3}},
        {"fixed": {"learning_rate": "fast"}},
        {"fixed": {"momentum": 1}},
        {"fixed": {"layers": []}},
        {"fixed": {"layers": [48, 0]}},
        {"fixed": {"stages": [{"layers": [48]}]}},
        {"fixed": {"stages": [{"learning_rate": 0}]}},
        {"fixed": {"stages": {"max_epochs": 3}}},
        {"space": {"stages": {"grid": [[], [{"learnin_rate": 1}]]}}},
        {"fixed": {"layers": {"deep": 3}}},
        {"fixed": {"optimizer": "adamw"}},
        {"fixed": {"method": "gmm"}},
        {"fixed": {"max_epochs": 2.5}},
        {"variations": {"a": {"top_prior": "fix"}}},
        {"preset": "author"},
        {"per_method": {"gm": {}}},
        {"per_method": {"gmm": {"learning_rat": 1e-3}}},
        {"per_method": {"gmm": {"learning_rate": 0}}},
        {"per_dataset": {"digitz": {}}},
        {"per_dataset": {"digits": {"max_epochs": 0}}},
        {"evaluation": {"z_samples": 1}},
        {"space": {"learning_rate": [1e-3, 1e-2]}},
        {"space": {"learning_rate": {"grid": []}}},
        {"space": {"learning_rate": {"log_uniform": [0, 1]}}},
        {"space": {"learning_rate": {"log_uniform": [1e-3]}}},
        {"space": {"learning_rate": {"grid": [1e-3], "choice": [1e-3]}}},
        {"space": {"batch_size": {"uniform": [10, 20]}}},
        {"space": {"layers.deep": {"grid": [1]}}},
        {"space": {"optimizer": {"grid": ["adam", "adam"]}}},
        {"search": "random"},
        {"search": {"kind": "bayes", "trials": 3}},
        {"search": {"kind": "random"}},
        {"search": {"kind": "random", "trials": 3, "startup_trials": 2}},
        {"scheduler": {"kind": "asha", "reduction_factor": 1}},
        {"evaluation": {"samples": 0}},
        {"evaluation": {"sample": 10}},
        {"resources": {"gpus": 2}},
        {"report": {"x": "depth"}},
        {"small": {"small": {}}},
        {"small": {"replicates": 0}},
    ],
)
def test_a_typical_mistake_fits_neither_the_schema_nor_the_program(part, validator):
    document = {**PLAIN, **part}
    assert not validator.is_valid(document)
    if "datasets" in part and isinstance(part["datasets"], list):
        return  # a data set is looked for only where a study is opened
    with pytest.raises(ValueError, match=r"."):
        StudyFile.model_validate(document) and load_small(document)


def load_small(document):
    """The small variant of a document, which a study's own check leaves to its loading."""
    from gmm_study.study.amend import with_small

    return StudyFile.model_validate(with_small(document, document["small"]))


def test_every_field_of_the_schema_says_what_it_is(validator):
    def undescribed(schema, place):
        for name, inner in schema.get("properties", {}).items():
            where = f"{place}.{name}"
            if not ({"description", "const", "$ref"} & set(inner) or name == "kind"):
                yield where
            yield from undescribed(inner, where)

    for name, definition in validator.schema["definitions"].items():
        assert not list(undescribed(definition, name))
    assert not list(undescribed(validator.schema, "study"))
