"""What the MLflow UI says of a study is Markdown of a length that MLflow takes."""

import json
import re
from dataclasses import replace

import pytest
from mlflow.utils.validation import MAX_EXPERIMENT_TAG_VAL_LENGTH

from gmm_study.tracking.account import Account
from gmm_study.tracking.notes import BestRow, Facts, saved_views, study_note, trial_note
from gmm_study.training.state import Ending
from gmm_study.trials.record import Record
from gmm_study.trials.standing import Standing
from tests.trials.results import result_of

FACTS = Facts("a_study", "Which is best?", command="gmm-study run a_study", x="layers.depth")
ROW = BestRow("digits", "gmm", "0123", "digits gmm depth=3", -21.0)


def cells_of(line):
    """The cells of a table's row, as Markdown divides it."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def rows_of(note):
    return [cells_of(line) for line in note.splitlines() if line.startswith("|")][2:]


@pytest.mark.parametrize("word", ["a|b", "a]b", "[a](b)", "`a", "a*b*", "<b>a"])
def test_a_name_with_signs_of_markdown_stands_in_the_table_as_it_is(word):
    row = replace(ROW, dataset=word, label=f"digits gmm variation={word!r}")
    ((dataset, method, link, value),) = rows_of(study_note(FACTS, "1", [row]))
    assert (method, value) == ("gmm", "`valid/log_p` -21.000")
    label = re.fullmatch(r"\[((?:[^\[\]\\]|\\.)*)\]\(#/experiments/1/runs/0123\?.*\)", link)[1]
    for shown, expected in ((dataset, word), (label, row.label)):
        plain = re.sub(r"\\(.)", r"\1", shown)
        assert plain.replace("&lt;", "<").replace("&gt;", ">") == expected
        assert not re.search(r"(?<!\\)[`*<]", shown)


@pytest.mark.parametrize("long", ["question", "command", "label", "rows"])
def test_a_note_has_a_length_that_mlflow_takes_whatever_is_long(long):
    text = "long words " * MAX_EXPERIMENT_TAG_VAL_LENGTH
    facts = replace(FACTS, **{long: text}) if long in ("question", "command") else FACTS
    rows = [replace(ROW, dataset=f"data {index}") for index in range(1000 if long == "rows" else 2)]
    if long == "label":
        rows[0] = replace(ROW, label=text)
    note = study_note(facts, "1", rows)
    assert len(note) <= MAX_EXPERIMENT_TAG_VAL_LENGTH
    assert note.startswith(facts.question[:100])
    assert rows_of(note)
    assert "best_of_method" in note


def test_the_note_points_to_the_chosen_trials_and_not_to_the_highest_bound():
    note = study_note(FACTS, "1", [ROW])
    assert "`tags.best_of_method LIKE '%|declared|%'`" in note
    assert "`tags.best_of_cell LIKE '%|declared|%'`" in note
    assert "`tags.state = 'complete'`" in note
    assert "sort by" not in note


@pytest.mark.parametrize("x", ["layers.depth", "samples", None])
def test_the_sentences_of_a_note_are_short(x):
    note = study_note(replace(FACTS, x=x), "1", [ROW])
    prose = [part for part in note.split("\n\n")[1:] if not part.startswith("|")]
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", "code", " ".join(prose))
    sentences = re.split(r"(?<=[.:])\s", text)
    assert len(sentences) > 8
    assert max(len(sentence.split()) for sentence in sentences) <= 20, sentences


def test_the_note_says_by_which_figures_the_trials_are_chosen():
    assert "compared by `valid/log_p`, in nats" in study_note(FACTS, "1", [ROW])
    old = replace(FACTS, selected_by=("valid/bound",))
    assert "compared by `valid/bound`, in nats" in study_note(old, "1", [ROW])
    mixed = replace(FACTS, selected_by=("valid/log_p", "valid/bound"))
    assert "compared by `valid/log_p` or `valid/bound`, in" in study_note(mixed, "1", [ROW])


def test_views_are_sorted_by_the_figure_that_all_trials_have():
    for selected_by, first in (
        (("valid/log_p",), "valid/log_p"),
        (("valid/log_p", "valid/bound"), "valid/bound"),
        ((), "valid/log_p"),
    ):
        for view in saved_views(replace(FACTS, selected_by=selected_by), 0).values():
            state = json.loads(json.loads(view)["state"])
            assert state["orderByKey"] == f"metrics.`{first}`"


def test_the_note_on_a_trial_says_why_each_replicate_ended(tmp_path):
    result = result_of("0123", {"test/log_p": -20.0}, {"test/log_p": -25.0}, {}, None)
    endings = (Ending.EPOCHS, Ending.TIME, None, Ending.DIVERGED)
    replicates = {
        number: replace(own, ending=ending, collapsed=ending is Ending.TIME)
        for (number, own), ending in zip(result.replicates.items(), endings, strict=True)
    }
    standing = Standing(result=replace(result, replicates=replicates))
    account = Account(Record.at(str(tmp_path)), 4, standing)
    note = trial_note("digits gmm", "0123", "results/0123", "run", account, ())
    assert "replicate 0: complete (epochs), best epoch 47 of 57; replicate 1: complete " in note
    assert "complete (time, collapsed), best" in note
    assert "replicate 2: complete, best epoch 47 of 57; replicate 3: diverged, best" in note
