import io
import math
import re
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from analysis import join, load, summarise, verdict, write_report
from analysis.tables.formats import csv, latex, markdown
from analysis.tables.layout import lay_out
from gmm_study.trials.averages import mean_and_standard_error

SPACE = {"layers.depth": {"grid": [1, 2, 5]}}
SIZES = {"layers": {"first": 8, "last": 4}}
NUMBER = re.compile(r"(-?\d+\.\d+) (?:±|\\pm) (\d+\.\d+|n/a|\\mathrm\{n/a\})")


@pytest.fixture
def summary(lab):
    def _summary(plan):
        rows = join(plan, load(lab.store))
        return rows, summarise(plan, rows)

    return _summary


@pytest.fixture
def study(lab, figures):
    """Two methods at three depths; rws diverged once at depth 2 and has not run at depth 5."""
    plan = lab.plan(
        "a_b", methods=["gmm", "rws"], datasets=["ocr_letters"], space=SPACE, fixed=SIZES
    )
    for trial in plan.trials:
        depth, method = trial.axes["layers.depth"], trial.config.hyperparameters.method
        mean = {"gmm": -20.0, "rws": -20.5}[method] + depth
        replicates = [figures(mean - 1, mean + step, mean - 1 + step) for step in (-1.0, 0.0, 1.0)]
        if (method, depth) == ("rws", 2):
            replicates[1] = None
        if (method, depth) != ("rws", 5):
            lab.write(trial.config, *replicates)
    return plan


def one(cells, **where):
    for name, value in where.items():
        cells = cells[cells[name] == value]
    (cell,) = cells.to_dict("records")
    return cell


def test_the_standard_error_divides_by_n_minus_one():
    # deviations -1, 0, 1: variance 2 / 2 = 1, standard error 1 / sqrt(3)
    assert mean_and_standard_error([-22.0, -21.0, -20.0]) == pytest.approx((-21.0, 0.577350269))
    # deviations -0.5, 0.5: variance 0.5 / 1, standard error sqrt(0.5 / 2) = 0.5
    assert mean_and_standard_error([-1.0, 0.0]) == pytest.approx((-0.5, 0.5))
    mean, error = mean_and_standard_error([-3.0])
    assert mean == -3.0
    assert math.isnan(error)


def test_a_complete_cell_is_averaged_over_its_replicates(study, summary):
    _, cells = summary(study)
    cell = one(cells, method="gmm", x=5, metric="test/log_p")
    assert (cell["mean"], cell["standard_error"]) == pytest.approx((-15.0, 0.577350269))
    assert (cell["n"], cell["samples"], cell["mark"]) == (3, 1000, "")
    bound = one(cells, method="gmm", x=5, metric="test/bound")
    assert (bound["mean"], bound["samples"]) == (pytest.approx(-16.0), 10)


@pytest.mark.parametrize(("x", "mark"), [(2, "diverged 1 of 3 replicates"), (5, "pending")])
def test_an_incomplete_cell_is_marked_and_has_no_average(study, summary, x, mark):
    _, cells = summary(study)
    for metric in ("test/log_p", "test/bound"):
        cell = one(cells, method="rws", x=x, metric=metric)
        assert math.isnan(cell["mean"])
        assert math.isnan(cell["standard_error"])
        assert (cell["n"], cell["complete"], cell["mark"]) == (0, False, mark)


def test_a_test_figure_that_is_not_finite_is_not_averaged_over(lab, figures, summary):
    plan = lab.plan()
    lab.write(plan.trials[0].config, figures(-21, -20), figures(-21, None), figures(-21, -20))
    _, cells = summary(plan)
    log_p = one(cells, metric="test/log_p")
    assert math.isnan(log_p["mean"])
    assert log_p["mark"] == "test log p not finite in 1 of 3 replicates"
    assert one(cells, metric="test/bound")["mean"] == -20.0


def test_one_replicate_has_no_standard_error_and_says_so(lab, figures, summary):
    plan = lab.plan(replicates=1)
    lab.write(plan.trials[0].config, figures(-21.0, -20.25))
    _, cells = summary(plan)
    table = lay_out(plan, cells)[0]
    assert math.isnan(one(cells, metric="test/log_p")["standard_error"])
    assert "-20.25 ± n/a" in markdown(table)
    assert r"$-20.25 \pm \mathrm{n/a}$" in latex([table])
    assert "no standard error" in table.caption


def grid(lines, split):
    """(method, column) to (mean, error) of a table's text lines, head first; None where none is."""
    head, *body = [[part.strip() for part in split(line)] for line in lines]
    values = {}
    for method, *entries in body:
        for column, entry in zip(head[1:], entries, strict=True):
            found = NUMBER.search(entry)
            values[method, column] = tuple(found.groups()) if found else None
    return values


def markdown_grids(text):
    blocks = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    for block in blocks:
        lines = block.splitlines()
        yield grid([lines[0], *lines[2:]], lambda line: line.strip("|").split("|"))


def latex_grids(text):
    for block in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, flags=re.DOTALL):
        lines = [line for line in block.splitlines() if line.endswith(r"\\")]
        head = next(place for place, line in enumerate(lines) if line.strip().startswith("method"))
        yield grid(lines[head:], lambda line: line.removesuffix(r"\\").split("&"))


def test_all_formats_show_the_same_numbers(lab, study):
    report = write_report(study, lab.store, lab.folder / "report")
    cells = pd.read_csv(report.paths["table.csv"])
    expected = []
    for metric in ("test/log_p", "test/bound"):
        of_metric = cells[cells["metric"] == metric].to_dict("records")
        expected.append(
            {
                (cell["method"], str(cell["x"])): None
                if math.isnan(cell["mean"])
                else (f"{cell['mean']:.2f}", f"{cell['standard_error']:.2f}")
                for cell in of_metric
            }
        )
    assert expected[0]["gmm", "1"] == ("-19.00", "0.58")
    assert expected[0]["rws", "2"] is None

    page = report.paths["table.md"].read_text()
    assert list(markdown_grids(page))[:2] == expected
    assert list(latex_grids(report.paths["table.tex"].read_text())) == expected

    console = Console(width=120, record=True, file=io.StringIO())
    console.print(report)
    shown = NUMBER.findall(console.export_text())
    assert [pair for pair in shown if not pair[0].startswith("+")][:8] == [
        pair for table in expected for pair in table.values() if pair
    ]


def test_csv_is_long_and_exact(study, summary):
    _, cells = summary(study)
    read = pd.read_csv(io.StringIO(csv(cells)))
    assert len(read) == 2 * 3 * 2
    for name in ("mean", "standard_error", "validation_bound"):
        pd.testing.assert_series_equal(read[name], cells[name], check_exact=True)
    assert list(read["x"]) == list(cells["x"])
    assert list(read["mark"].fillna("")) == list(cells["mark"])


def test_latex_is_balanced_and_escaped(study, summary):
    _, cells = summary(study)
    text = latex(lay_out(study, cells))
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    assert text.count(r"\begin{table}") == 2
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
    assert r"ocr\_letters" in text
    outside_labels = re.sub(r"\\label\{[^}]*\}", "", text)
    assert not re.search(r"(?<!\\)[_#&](?=\w)", outside_labels)
    for body in re.findall(r"\\midrule(.*?)\\bottomrule", text, flags=re.DOTALL):
        rows = [line for line in body.splitlines() if line.strip()]
        assert [row.count(" & ") for row in rows] == [3, 3]


def test_marks_are_explained_under_the_table(study, summary):
    _, cells = summary(study)
    text = markdown(lay_out(study, cells)[0])
    assert "—ᵃ" in text
    assert "ᵃ diverged 1 of 3 replicates" in text
    assert "ᵇ pending" in text
    assert r"\textsuperscript{a}~diverged 1 of 3 replicates" in latex(lay_out(study, cells))


def test_the_best_is_bold_for_log_p_alone_and_only_beside_a_rival(study, summary):
    _, cells = summary(study)
    log_p, bound = (markdown(table) for table in lay_out(study, cells))
    # at depths 2 and 5 gmm is the only complete method
    assert re.findall(r"\*\*(-.*?)\*\*", log_p) == ["-19.00 ± 0.58"]
    assert re.findall(r"\*\*(-.*?)\*\*", bound) == []
    assert "none is bold" in bound


def test_an_error_looks_like_zero_only_where_it_is_zero(lab, figures, summary):
    plan = lab.plan(methods=["gmm", "rws", "vae"], replicates=2)
    spreads = (2.0, 0.0008, 0.00000002)
    for trial, spread in zip(plan.trials, spreads, strict=True):
        lab.write(trial.config, figures(-21.0, -20.0 - spread), figures(-21.0, -20.0 + spread))
    _, cells = summary(plan)
    text = markdown(lay_out(plan, cells)[0])
    for words in ("-20.0000 ± 2.0000", "-20.0000 ± 0.0008", "-20.0000 ± <0.0001"):
        assert words in text
    assert "-20.00 ± 0.00" in markdown(lay_out(plan, cells)[1])


def test_bars_in_column_heads_do_not_break_a_table(lab, figures, summary):
    plan = lab.plan(variations={"a|b": {}, "c": {"samples": 5}})
    table = lay_out(plan, summary(plan)[1])[0]
    head = replace(table, columns=("x|y",))
    assert r"x\|y" in markdown(head)
    assert r"a\|b" in markdown(table)


def test_captions_say_what_a_reader_needs(lab, figures, summary):
    plan = lab.plan(methods=["gmm", "rws", "vae"], evaluation={"samples": 2000})
    _, cells = summary(plan)
    log_p, bound = (f"{table.title} {table.caption}" for table in lay_out(plan, cells))
    for words in ("nats", "Higher is better", "n = 3", "n - 1", "K = 2,000", "lower bound"):
        assert words in log_p
    for words in ("gmm: log p̃, K = 10", "rws: log p, K = 10", "vae: ELBO, K = 1"):
        assert words in bound


def test_many_values_of_the_axis_go_down_the_page(lab, figures, summary):
    plan = lab.plan(space={"layers.depth": {"grid": list(range(1, 13))}}, fixed=SIZES)
    for trial in plan.trials:
        lab.write(trial.config, *[figures(-21.0, -20.0 - trial.axes["layers.depth"])] * 3)
    _, cells = summary(plan)
    (log_p, _) = markdown_grids("\n".join(map(markdown, lay_out(plan, cells))))
    assert log_p["12", "gmm"] == ("-32.00", "0.00")


def test_the_verdict_is_the_paired_difference_between_the_ends_of_the_axis(lab, figures, summary):
    plan = lab.plan(space=SPACE, fixed=SIZES)
    values = {1: (-22.0, -21.0, -20.0), 2: (-9.0, -9.0, -9.0), 5: (-20.0, -19.5, -19.0)}
    for trial in plan.trials:
        lab.write(
            trial.config, *(figures(-21.0, value) for value in values[trial.axes["layers.depth"]])
        )
    # differences 2, 1.5, 1: mean 1.5, standard error 0.5 / sqrt(3), so t = 5.2 with two degrees of
    # freedom, where p = 1 - t / sqrt(t^2 + 2) = 0.035
    assert verdict(plan, *summary(plan)) == [
        "From depth 1 to 5, in nats of test log p: gmm gains 1.50 ± 0.29.",
        "The best depth by the validation bound: gmm 1.",
    ]


def test_a_difference_that_may_be_chance_is_no_gain(lab, figures, summary):
    plan = lab.plan(space={"layers.depth": {"grid": [1, 5]}}, fixed=SIZES)
    values = {1: (-22.0, -21.0, -20.0), 5: (-20.0, -20.0, -20.0)}
    for trial in plan.trials:
        own = values[trial.axes["layers.depth"]]
        lab.write(trial.config, *(figures(-21.0, value) for value in own))
    # differences 2, 1, 0: mean 1, standard error 1 / sqrt(3), t = sqrt(3), p = 1 - sqrt(3 / 5)
    assert verdict(plan, *summary(plan)) == [
        "From depth 1 to 5, in nats of test log p: gmm +1.00 ± 0.58 (not significant, p = 0.23)."
    ]


def test_there_is_no_verdict_where_an_end_is_incomplete(study, summary):
    gmm, _, rws = verdict(study, *summary(study))
    assert gmm == "From depth 1 to 5, in nats of test log p: gmm gains 4.00 ± 0.00."
    assert rws == "rws: no verdict from depth 1 to 5 (depth 5: pending)."


def test_without_an_axis_the_verdict_compares_methods(lab, figures, summary):
    plan = lab.plan(methods=["gmm", "rws"], replicates=2)
    for trial, values in zip(plan.trials, [(-21.0, -20.0), (-20.0, -18.0)], strict=True):
        lab.write(trial.config, *(figures(-21.0, value) for value in values))
    # rws over gmm: 1 and 2, mean 1.5, standard error sqrt(0.5 / 2), so t = 3 with one degree of
    # freedom, where p = 1 - 2 atan(t) / pi
    (sentence,) = verdict(plan, *summary(plan))
    assert sentence.startswith("rws has the highest test log p, in nats: +1.50 ± 0.50 ")
    assert sentence.endswith("(not significant, p = 0.20) over gmm.")
