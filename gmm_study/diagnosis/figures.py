"""Rules on the final figures of a run: collapsed, too few effective samples, validation noise."""

from dataclasses import dataclass
from enum import Enum
from math import ceil, hypot, isfinite, log10
from statistics import NormalDist

from gmm_study.diagnosis.finding import Finding, Missing, Verdict, either, setting, size, with_error
from gmm_study.diagnosis.run import Run
from gmm_study.phrases import in_a_list
from gmm_study.trials.bias import bias_interval
from gmm_study.trials.selection import INDEPENDENT, VALID_LOG_P

COLLAPSED = "collapsed"
FEW_EFFECTIVE = "too few effective samples"
VALIDATION_NOISE = "validation noise"
NEGLIGIBLE = 0.1
"""A gain with K up to this part of the margin is negligible, however small the error is."""
LARGEST_MULTIPLE = 9.0
"""Without an upper limit, the bias is judged by this multiple of the gain from half of the samples
to all: that of gains that fall by a tenth with every doubling of K. The slowest fall that was
measured, of gmm on nips from K = 10,000 to 100,000, is a ninth."""
MOST_TIMES_MORE = 1000
LEAST_SAMPLES = 4
"""The least K with an estimate of the bias, which needs what every quarter of the samples gains."""
CONFIDENCE = 0.95
_GAPS = tuple(f"test/log_p_{name}" for name in ("gap", "gap_se", "gap_before", "gap_before_se"))


def collapsed(run: Run) -> Verdict:
    """Whether the model is no better than independent pixels."""
    log_p, independent = run.metric(VALID_LOG_P), run.metric(INDEPENDENT)
    if log_p is None or independent is None:
        lacks = "the record lacks log p on validation data"
        return Missing(COLLAPSED, "it diverged" if run.diverged else lacks)
    gain, error = log_p - independent, run.metric(f"{VALID_LOG_P}_se") or 0.0
    apart, side = with_error(abs(gain), error), "above" if gain >= 0.0 else "below"
    figure = f"log p on validation data is {apart} nats {side} independent pixels"
    threshold = (
        "A model has collapsed that gains at most 0.1 nats, or D / (2 M) with D pixels and M "
        "training rows, which is what the means of independent pixels cost."
    )
    known = {"gain": gain, "log_p_se": error}
    if not run.result.collapsed:
        return Finding(COLLAPSED, False, figure, threshold, values=known)
    what = f"The model has learned little or nothing from its latent variables: {figure}."
    return Finding(COLLAPSED, True, figure, threshold, what, _against_a_collapse(run), known)


def _against_a_collapse(run: Run) -> str:
    settings = run.last_stage
    read = settings.declaration.settings
    ways = [
        f"a weaker penalty, as with {name}={setting(getattr(settings, name) / 100)}"
        for name in ("l1", "l2")
        if name in read and getattr(settings, name) > 0.0
    ]
    if "kl_warm_up_epochs" in read and not settings.kl_warm_up_epochs:
        ways.append("a warm-up of the KL divergence, as with kl_warm_up_epochs=20")
    ways.append(f"more epochs with another learning rate than {settings.learning_rate:g}")
    return f"Use {either(ways)}."


class Bias(Enum):
    """Whether an estimate of log p has converged in K."""

    NEGLIGIBLE = "converged"
    ABOVE_ERROR = "log p still gains more than its error"
    NOT_BOUNDED = "too few effective samples to tell"


def judge_bias(gap: float, error: float, upper: float, margin: float) -> Bias:
    """The judgement of a gain of log p from half of its samples to all, in nats.

    `error` is the standard error of log p, `upper` the upper end of the interval of its bias
    (`bias_interval`), which may be infinite.
    """
    if gap > max(error, NEGLIGIBLE * margin):
        return Bias.ABOVE_ERROR
    if min(upper, LARGEST_MULTIPLE * gap) > margin:
        return Bias.NOT_BOUNDED
    return Bias.NEGLIGIBLE


def few_effective_samples(run: Run) -> Verdict:
    """Whether log p of the test data is too low by more than matters, for want of samples."""
    samples, gaps = run.last_stage.evaluation_samples, [run.metric(name) for name in _GAPS]
    ess, error = run.metric("test/ess"), run.metric("test/log_p_se")
    known = [each for each in gaps if each is not None]
    if len(known) < len(gaps) or error is None:
        few = f"K = {samples} gives no estimate of it" if samples < LEAST_SAMPLES else ""
        lacks = few or "the record lacks what log p gains with K"
        return Missing(FEW_EFFECTIVE, "it diverged" if run.diverged else lacks)
    interval = bias_interval(*known)
    gap, gap_error = known[:2]
    above = f" to {size(interval.upper)}" if isfinite(interval.upper) else " or more"
    effective = "" if ess is None else f" ({size(ess * samples)} of {samples:,} are effective)"
    low = f"test log p is too low by {size(interval.lower)}{above} nats"
    figure = f"{low}{effective}; half of the samples give {with_error(gap, gap_error)} less"
    threshold = (
        f"The gain with the second half of the samples counts above the error of log p and "
        f"{NEGLIGIBLE * run.margin:g} nats; a bias counts that may exceed {run.margin:g} nats."
    )
    values = {"gap": gap, "gap_se": gap_error, "bias_lower": interval.lower}
    values |= {"bias_upper": interval.upper} | ({} if ess is None else {"ess": ess})
    if judge_bias(gap, error, interval.upper, run.margin) is Bias.NEGLIGIBLE:
        return Finding(FEW_EFFECTIVE, False, figure, threshold, values=values)
    what = f"Too few samples are effective for the reported figures: {figure}."
    more = samples * _times_more(gap, run.margin)
    to_do = (
        f"Evaluate again with more samples, as with evaluation_samples={more} (in a study "
        f"--set evaluation.samples={more}, or gmm-study evaluate --samples {more}); it needs no "
        "new training."
    )
    return Finding(FEW_EFFECTIVE, True, figure, threshold, what, to_do, values)


def _times_more(gap: float, margin: float) -> int:
    """The power of ten by which the samples make a gap that falls like 1/K negligible."""
    times: int = 10 ** max(1, ceil(log10(gap / (NEGLIGIBLE * margin))))
    return min(times, MOST_TIMES_MORE)


@dataclass(frozen=True)
class Lead:
    """By how much a trial is ahead of another one on validation data, in nats.

    `noise` is the half-width of the 95% interval of the difference. `other` names the other trial,
    `settings` are those in which the two differ.
    """

    difference: float
    noise: float
    settings: tuple[str, ...]
    other: str = ""
    seeds: int = 0
    """The number of replicates that were compared; 0 if that is not known."""
    at_once: int = 1
    """The number of differences for which all such intervals hold together."""


def half_width(over_seeds: float, seeds: int, over_data: float, at_once: int = 1) -> float:
    """The half-width of the 95% interval of a difference, from its standard errors in nats.

    The error over seeds is that of paired replicates, with Student's quantile. `at_once` such
    intervals hold together (Bonferroni). NaN if neither error is known.
    """
    from scipy.special import stdtrit  # type: ignore[import-untyped]

    level = 1.0 - (1.0 - CONFIDENCE) / (2.0 * at_once)
    parts = [
        *([float(stdtrit(seeds - 1, level)) * over_seeds] if isfinite(over_seeds) else []),
        *([NormalDist().inv_cdf(level) * over_data] if isfinite(over_data) else []),
    ]
    return hypot(*parts) if parts else float("nan")


def validation_noise(lead: Lead) -> Finding:
    """Whether the noise of validation is above the difference of two trials."""
    apart, width = abs(lead.difference), lead.noise
    way = "ahead of" if lead.difference >= 0 else "behind"
    where = f" {way} {lead.other}" if lead.other else f" {way} the next best trial"
    alone = " over data alone, as there is one seed" if lead.seeds == 1 else ""
    figure = f"{size(apart)} ± {size(width)} nats (95% interval{alone}){where} on validation data"
    threshold = "A difference counts as noise if its 95% interval includes 0."
    if lead.at_once > 1:
        threshold += f" The interval is that of all {lead.at_once} other trials at once."
    known = {"difference": lead.difference, "half_width": width}
    if apart > width:
        return Finding(VALIDATION_NOISE, False, figure, threshold, values=known)
    differing = f", which differs in {in_a_list(lead.settings)}" if lead.settings else ""
    what = f"Validation cannot tell it from another trial: it is {figure}{differing}."
    to_do = (
        "Do not prefer either by this figure. To tell them apart, use more seeds (replicates) or "
        "more validation rows."
    )
    return Finding(VALIDATION_NOISE, True, figure, threshold, what, to_do, known)
