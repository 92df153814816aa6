"""Records of trials whose replicates end as a test says, written by hand."""

from dataclasses import replace

from tests.trials.results import result_of

DEPTHS = {"layers.depth": {"grid": [1, 2]}}
SIZES = {"layers": {"first": 8, "last": 4}}
SETTLED = {
    "valid/bound": -21.0,
    "valid/log_p": -20.5,
    "valid/log_p_se": 0.3,
    "valid/rise": 0.0001,
    "valid/rise_se": 0.0002,
    "test/bound": -21.0,
    "test/log_p_se": 0.3,
    "test/log_p_gap": 0.004,
    "test/log_p_gap_se": 0.0005,
    "test/log_p_gap_before": 0.008,
    "test/log_p_gap_before_se": 0.001,
    "test/ess": 0.31,
}
"""The figures of a replicate that needs no condition, apart from log p."""


def write(lab, config, figures, endings, best_epoch=56, kept=(None, None, None)):
    record = lab.store.record(config.trial_id)
    record.write_config(config)
    collapses = [bool(each.pop("collapsed", False)) for each in figures]
    result = result_of(config.trial_id, *figures)
    replicates = {
        number: replace(
            own, ending=ending, best_epoch=best_epoch, collapsed=collapsed, kept=kept[number]
        )
        for (number, own), ending, collapsed in zip(
            result.replicates.items(), endings, collapses, strict=True
        )
    }
    record.write_result(replace(result, replicates=replicates))
