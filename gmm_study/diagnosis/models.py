"""Rules on the model of a run and its data: overfitting, the bound, units, the gradient of q."""

from math import isfinite, isnan, sqrt
from typing import TYPE_CHECKING

from gmm_study.diagnosis.finding import (
    ERRORS,
    Finding,
    Missing,
    Verdict,
    either,
    percent,
    setting,
    size,
    with_error,
)
from gmm_study.phrases import in_a_list

if TYPE_CHECKING:
    from gmm_study.diagnosis.measured import Mean, Measured
    from gmm_study.diagnosis.units import Layer
    from gmm_study.estimators.gradient_quality import GradientQuality
    from gmm_study.training.hyperparameters import Hyperparameters

OVERFITTING_P, OVERFITTING_Q = "overfitting of p", "overfitting of q"
LOOSE_BOUND, AMORTISATION = "loose bound", "amortisation gap"
DEAD_UNITS, SATURATED = "dead units", "saturated layers"
NOISY_GRADIENT = "gradient of q below its noise"
PART_OF_LEARNED = 0.1
"""A loss counts above this part of what the model has learned, its gain over independent pixels."""
LOOSE = 0.2
"""The same for a bound that is below log p by design: with few samples it always is, by some."""
INFORMATION = 0.01
"""A unit is dead that tells less about a datapoint, in nats: a hundred of them tell at most 1."""
DEAD_SHARE = 0.25
"""Dead units count if they are more than this share of a layer."""
SLOPE = 0.01
"""A layer is saturated if 4 p (1 - p) is below this in the mean: the states of its units then
change its logits by less than a hundredth of what they would at p = 1/2."""
AVERAGED_STEPS = 400
"""The mean of as many gradients is mostly noise if the signal to noise of one is below one over the
root of it. About as many draws are needed to show so little."""


def overfitting_of_p(measured: "Measured") -> Verdict:
    """Whether log p of training rows exceeds that of other rows, with the same large K."""
    found = measured.likelihoods
    gap, floor = found.train_log_p.less(found.valid_log_p), _floor(measured)
    figure = (
        f"log p with K = {found.samples:,} is {with_error(gap.value, gap.error)} nats higher on "
        f"{found.rows:,} training rows than on {found.rows:,} validation rows"
    )
    known = _known(gap) | {"learned": found.learned}
    threshold = _threshold("A difference", measured)
    if not _exceeds(gap, floor):
        return Finding(OVERFITTING_P, False, figure, threshold, values=known)
    what = f"p has learned its training rows by heart: {figure}."
    return Finding(OVERFITTING_P, True, figure, threshold, what, _simpler(measured.settings), known)


def overfitting_of_q(measured: "Measured") -> Verdict:
    """Whether the bound is closer to log p on training rows than on others."""
    found = measured.likelihoods
    gap = found.valid_gap.less(found.train_gap)
    figure = (
        f"the bound is below log p by {with_error(gap.value, gap.error)} nats more on validation "
        f"rows than on training rows"
    )
    threshold = (
        f"A difference counts above {measured.margin:g} nats and {ERRORS:g} standard errors."
    )
    if not _exceeds(gap, measured.margin):
        return Finding(OVERFITTING_Q, False, figure, threshold, values=_known(gap))
    what = f"q has learned its training rows by heart: {figure}."
    to_do = (
        "Use fewer or smaller layers, more data, or "
        + ("a smaller patience." if measured.settings.patience > 1 else "fewer epochs.")
        + " log p with many samples suffers less from it than the bound."
    )
    return Finding(OVERFITTING_Q, True, figure, threshold, what, to_do, _known(gap))


def amortisation_gap(measured: "Measured") -> Verdict:
    """Whether the bound gains from refining q for every validation row."""
    gain = measured.gain_of_refining
    if gain is None:
        return Missing(AMORTISATION, f"q of {measured.settings.method} cannot be refined")
    gap = measured.likelihoods.valid_gap
    samples = measured.settings.training_samples
    figure = (
        f"the bound with K = {samples} gains {with_error(gain.value, gain.error)} nats if q is "
        "refined for each validation row"
    )
    known = _known(gain) | {"gap": gap.value, "gap_se": gap.error}
    threshold = _threshold("A gain", measured)
    if not _exceeds(gain, _floor(measured)):
        return Finding(AMORTISATION, False, figure, threshold, values=known)
    what = (
        f"q is worse than its own form allows: {figure}, of {with_error(gap.value, gap.error)} "
        "nats between it and log p."
    )
    to_do = f"Give q more to learn with: {either(_for_a_better_q(measured.settings))}."
    return Finding(AMORTISATION, True, figure, threshold, what, to_do, known)


def loose_bound(measured: "Measured") -> Verdict:
    """Whether the bound with the K of training is far below what more samples can reach."""
    found, settings = measured.likelihoods, measured.settings
    gap, gain = found.valid_gain_of_samples, measured.gain_of_refining
    of_p_star = settings.declaration.has_p_star
    figure = (
        f"the bound with K = {settings.training_samples} is {with_error(gap.value, gap.error)} "
        f"nats below log {'ptilde' if of_p_star else 'p'} with K = {found.samples:,}"
    )
    threshold = _threshold("A gap", measured, LOOSE)
    if not _exceeds(gap, _floor(measured, LOOSE)):
        return Finding(LOOSE_BOUND, False, figure, threshold, values=_known(gap))
    what = f"Training ascends a bound that more samples would tighten: {figure}."
    of_q = 0.0 if gain is None or of_p_star else max(gain.value / gap.value, 0.0)
    ways = [f"more samples, as with samples={10 * settings.training_samples}"]
    if "bound" in settings.declaration.reads and settings.bound == "elbo":
        ways.insert(0, "bound=iwae")
    to_do = f"Use {either(ways)}."
    if of_q > 0.5:
        to_do = f"First a better q: refining it closes {percent(of_q)} of the gap. Then: {to_do}"
    return Finding(LOOSE_BOUND, True, figure, threshold, what, to_do, _known(gap))


def dead_units(measured: "Measured") -> Verdict:
    """Whether many units of a layer tell nothing about the data."""
    layers = [layer for layer in measured.layers if layer.information]
    if not layers:
        return Missing(DEAD_UNITS, f"the units of {measured.settings.method} are not known")
    dead = {layer.part: _dead_of(layer) for layer in layers}
    sizes = {layer.part: len(layer.information) for layer in layers}
    figure = in_a_list([f"{dead[part]} of {sizes[part]} in {part}" for part in dead])
    threshold = (
        f"A unit is dead that tells less than {INFORMATION:g} nats about a datapoint, by "
        f"{ERRORS:g} standard errors; they count above {percent(DEAD_SHARE)} of a layer."
    )
    known = {f"dead in {part}": float(count) for part, count in dead.items()}
    many = [part for part in dead if dead[part] > DEAD_SHARE * sizes[part]]
    shown = f"dead are {figure}"
    if not many:
        return Finding(DEAD_UNITS, False, shown, threshold, values=known)
    what = (
        "Units tell nothing about the data: "
        f"{in_a_list([f'{dead[part]} of {sizes[part]} in {part}' for part in many])}."
    )
    to_do = _livelier(measured.settings)
    if measured.likelihoods.learned <= measured.margin:
        to_do = "They are dead because the model has collapsed: see what helps against that."
    return Finding(DEAD_UNITS, True, shown, threshold, what, to_do, known)


def saturated_layers(measured: "Measured") -> Verdict:
    """Whether the probabilities of a layer are all but 0 or 1, so that it hardly learns."""
    layers = [layer for layer in measured.layers if isfinite(layer.slope)]
    if not layers:
        return Missing(SATURATED, f"a model of {measured.settings.method} has no binary layers")
    lowest = min(layers, key=lambda layer: layer.slope)
    figure = (
        f"4 p (1 - p) is {with_error(lowest.slope, lowest.slope_se)} or more in the mean of every "
        f"layer, least in {lowest.part}"
    )
    threshold = f"A layer counts below {SLOPE:g}, by {ERRORS:g} standard errors."
    known = {f"slope of {layer.part}": layer.slope for layer in layers}
    flat = [layer for layer in layers if layer.slope + ERRORS * layer.slope_se < SLOPE]
    if not flat:
        return Finding(SATURATED, False, figure, threshold, values=known)
    listed = [f"{with_error(layer.slope, layer.slope_se)} in {layer.part}" for layer in flat]
    what = f"Layers are saturated, so they hardly learn: 4 p (1 - p) is {in_a_list(listed)}."
    to_do = (
        f"Use a smaller learning rate than {measured.settings.learning_rate:g}, smaller initial "
        "weights, or a penalty, as with l2=1e-4."
    )
    return Finding(SATURATED, True, figure, threshold, what, to_do, known)


def noisy_gradient_of_q(measured: "Measured") -> Verdict:
    """Whether the gradient of a layer of q is so noisy that even many steps average to noise."""
    found, settings = measured.gradient_of_q, measured.settings
    if not found:
        return Missing(NOISY_GRADIENT, f"the layers of q of {settings.method} are not known")
    least = 1.0 / sqrt(AVERAGED_STEPS)
    figure = "signal to noise " + in_a_list([f"{_ratio(each)} in {p}" for p, each in found.items()])
    threshold = (
        f"A ratio counts whose upper limit is below {least:g}: the mean of {AVERAGED_STEPS} steps "
        "is then still mostly noise."
    )
    known = {f"signal to noise in {part}": each.signal_to_noise for part, each in found.items()}
    noisy = [part for part, each in found.items() if not each.signal_to_noise_upper >= least]
    if not noisy:
        return Finding(NOISY_GRADIENT, False, figure, threshold, values=known)
    listed = [f"{_ratio(found[part])} in {part}" for part in noisy]
    what = f"q hardly learns, as its gradient is mostly noise: signal to noise {in_a_list(listed)}."
    to_do = f"Use {either(_quieter(settings))}."
    return Finding(NOISY_GRADIENT, True, figure, threshold, what, to_do, known)


def _floor(measured: "Measured", part: float = PART_OF_LEARNED) -> float:
    return max(measured.margin, part * measured.likelihoods.learned)


def _threshold(what: str, measured: "Measured", part: float = PART_OF_LEARNED) -> str:
    return (
        f"{what} counts above {size(_floor(measured, part))} nats and {ERRORS:g} standard errors: "
        f"{measured.margin:g} nats, or {percent(part)} of the {size(measured.likelihoods.learned)} "
        "nats that the model gains over independent pixels if that is more."
    )


def _exceeds(mean: "Mean", floor: float) -> bool:
    return mean.value > floor and mean.value > ERRORS * mean.error


def _known(mean: "Mean") -> dict[str, float]:
    return {"value": mean.value, "value_se": mean.error}


def _dead_of(layer: "Layer") -> int:
    pairs = zip(layer.information, layer.information_se, strict=True)
    return sum(value + ERRORS * error < INFORMATION for value, error in pairs)


def _ratio(quality: "GradientQuality") -> str:
    if isnan(quality.signal_to_noise):
        return "none, for want of a gradient,"
    return f"{quality.signal_to_noise:.2g} (at most {quality.signal_to_noise_upper:.2g})"


def _simpler(settings: "Hyperparameters") -> str:
    ways = ["fewer or smaller layers", "a smaller patience", "more data"]
    if "l1" in settings.declaration.settings:
        stronger = 10 * settings.l1 if settings.l1 else 1e-4
        ways.insert(0, f"a penalty, as with l1={setting(stronger)}")
    return f"Use {either(ways)}."


def _for_a_better_q(settings: "Hyperparameters") -> list[str]:
    samples = settings.training_samples
    ways = ["more training rows or epochs", f"more samples, as with samples={10 * samples}"]
    if "deterministic_layers" in settings.declaration.settings:
        deeper = settings.deterministic_layers + 1
        ways.insert(0, f"a larger q, as with deterministic_layers={deeper}")
    return ways


def _livelier(settings: "Hyperparameters") -> str:
    ways = ["smaller layers", f"another learning rate than {settings.learning_rate:g}"]
    read = settings.declaration.settings
    if "l1" in read and settings.l1 > 0.0:
        ways.insert(0, f"a weaker penalty, as with l1={setting(settings.l1 / 10)}")
    if "initialisation" in read and settings.initialisation != "glorot":
        ways.append("larger initial weights, as with initialisation=glorot")
    first = "If it was still rising, train longer first."
    return f"{first} Use {either(ways)}. If the result is good, they only cost time."


def _quieter(settings: "Hyperparameters") -> list[str]:
    ways = [f"more samples, as with samples={max(10, 10 * settings.training_samples)}"]
    ways.append(f"larger batches, as with batch_size={4 * settings.batch_size}")
    if "q_baseline" in settings.declaration.reads and settings.q_baseline == "none":
        ways.insert(0, "q_baseline=uniform")
    return ways
