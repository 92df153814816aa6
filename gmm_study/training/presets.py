"""Presets: named sets of settings that come with the package, each setting with its source.

A preset lies under all other settings of a study or of `gmm-study train`. It is no part of a
trial's identity: only the settings that result from it are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gmm_study.errors import InputError, did_you_mean


@dataclass(frozen=True)
class PresetSetting:
    """A value of a setting, for all methods or for some."""

    name: str
    value: Any
    source: str
    """Where the value comes from."""
    methods: tuple[str, ...] = ()
    """The methods that it is for; empty for all."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named set of settings."""

    name: str
    summary: str
    """One paragraph for users: what the settings reproduce."""
    settings: tuple[PresetSetting, ...]
    differences: tuple[str, ...] = ()
    """What the source does and no setting reproduces, a sentence or two each."""

    def of_method(self, method: str) -> dict[str, Any]:
        """The settings for a method, by name."""
        return {s.name: s.value for s in self.settings if not s.methods or method in s.methods}


def preset_named(name: str) -> Preset:
    """The preset of that name. Raises `InputError` for an unknown one."""
    if name not in PRESETS:
        raise InputError(f"preset: '{name}' is unknown; {did_you_mean(name, PRESETS)}")
    return PRESETS[name]


_TRAIN = "`src/train.py`, option"
_BEST = "`src/train.py`, `main`: TrackTheBest"
_LAYERS = "`src/helmholtz/__init__.py`, `create_layers`"
_PROBABILITIES = "`src/helmholtz/prob_layers.py`,"
_VAE = "`src/helmholtz/vae.py`,"
_BELIEF_NETWORKS = ("gmm", "rws")

AUTHORS = Preset(
    name="authors",
    summary="What the code of the authors of gmm, github.com/jbornschein/bihm at commit "
    "8539ce413b77d71dc7d7310820731a5b3405a146, does with the default values of its options. Files "
    "are those of that repository; it builds on Blocks, from which the optimisers come. `layers` "
    "has no default there. The evaluation is not part of the preset: their test log p has "
    "K = 1,000 at most (`src/train.py`, `main`), and their log Z 1,000,000 samples "
    "(`src/est-z.py`, option `--nsamples`), in a study `evaluation: {z_samples: 1000000}`.",
    settings=(
        PresetSetting("optimizer", "adam", f"{_TRAIN} `--step-rule`"),
        PresetSetting("learning_rate", 1e-3, f"{_TRAIN} `--learning-rate`"),
        PresetSetting("schedule", "constant", "`src/train.py`, `main`: step_rule"),
        PresetSetting("momentum", 0.95, "`src/train.py`, `main`: Momentum"),
        PresetSetting("rmsprop_decay", 0.9, "`src/train.py`, `main`: RMSProp, Blocks' default"),
        PresetSetting("batch_size", 100, f"{_TRAIN} `--batch-size`"),
        PresetSetting("max_epochs", 10_000, f"{_TRAIN} `--max-epochs`"),
        PresetSetting("patience", 10, f"{_TRAIN} `--early-stopping`"),
        PresetSetting("criterion", "log_p", _BEST, ("gmm",)),
        PresetSetting("criterion", "bound", f"{_BEST}; the bound of rws is log p", ("rws",)),
        PresetSetting("criterion", "bound", _BEST, ("vae",)),
        PresetSetting("parameter_average", "none", "`src/train.py`, `main`: Checkpoint"),
        PresetSetting("samples", 10, f"{_TRAIN} `--nsamples`", _BELIEF_NETWORKS),
        PresetSetting("samples", 1, f"{_TRAIN} `--nsamples`", ("vae",)),
        PresetSetting(
            "initialisation",
            "authors",
            f"{_LAYERS}; `src/helmholtz/initialization.py`, `RWSInitialization`",
            _BELIEF_NETWORKS,
        ),
        PresetSetting("initial_bias", -1.0, _LAYERS, _BELIEF_NETWORKS),
        PresetSetting(
            "top_prior", "learned", f"{_PROBABILITIES} `BernoulliTopLayer`", _BELIEF_NETWORKS
        ),
        PresetSetting(
            "probability_clip", 1e-6, f"{_PROBABILITIES} `sigmoid_frindge`", _BELIEF_NETWORKS
        ),
        PresetSetting(
            "deterministic_layers", 0, f"{_TRAIN} `--deterministic-layers`", _BELIEF_NETWORKS
        ),
        PresetSetting(
            "q_baseline", "uniform", "`src/helmholtz/bihm.py`, `BiHM.get_gradients`", ("gmm",)
        ),
        PresetSetting("q_baseline", "none", "`src/helmholtz/rws.py`, `get_gradients`", ("rws",)),
        PresetSetting("l1", 0.0, f"{_TRAIN} `--l1reg`; rws has none", _BELIEF_NETWORKS),
        PresetSetting("l2", 0.0, f"{_TRAIN} `--l2reg`; rws has none", _BELIEF_NETWORKS),
        PresetSetting("bound", "elbo", f"{_VAE} `VAE.log_likelihood_bound`", ("vae",)),
        PresetSetting("kl_warm_up_epochs", 0, f"{_VAE} `VAE.log_likelihood_bound`", ("vae",)),
        PresetSetting("vae_initialisation", "normal", f"{_VAE} `VAE.__init__`", ("vae",)),
        PresetSetting("activation", "relu", f"{_TRAIN} `--activation`", ("vae",)),
        PresetSetting("decoder_order", "same", f"{_VAE} `VAE.__init__`", ("vae",)),
        PresetSetting("encoder_output", "log_sigma", f"{_PROBABILITIES} `GaussianLayer`", ("vae",)),
    ),
    differences=(
        "Their result is the model of the last epoch, `patience` epochs after the best one "
        "(`src/train.py`, `main`: Checkpoint); here it is the model of the best epoch.",
        "They draw new samples for every validation; here every epoch is validated with the same "
        "random numbers.",
        "Their gradients of gmm and rws are sums over the batch (`src/helmholtz/prob_layers.py`, "
        "`get_gradients`), here they are means. Adam and RMSprop cancel the factor, up to their "
        "epsilon; `l1` and `l2` here are theirs divided by the batch size, and with `sgd` the "
        "learning rate here is theirs times the batch size.",
        "The decoder of their vae clips its probabilities at 1e-6 too "
        "(`src/helmholtz/prob_layers.py`, `BernoulliLayer.sample_expected`); here "
        "`probability_clip` applies to gmm and rws only.",
        "Epsilon is used in Adam and RMSprop as torch does, not as Blocks does.",
    ),
)

PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in (AUTHORS,)}
"""Every preset by name."""
