"""Reweighted wake-sleep without sleep."""

from gmm_study.objectives.rws import ReweightedWakeSleep


class WakeWake(ReweightedWakeSleep):
    """Ascends log p(x) in p by importance weighting; q gets the wake update alone.

    Le, Kosiorek, Siddharth, Teh and Wood, arXiv 1805.10469, section 3; docs/spec.md#objectives. It
    is reweighted wake-sleep with a q that never sees samples of p, so q is fitted to the posterior
    of the data alone, by weights that are biased for a small K.
    """

    sleep_share = 0.0
