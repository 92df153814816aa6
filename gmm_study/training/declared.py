"""All hyperparameters: default, meaning, allowed values, and the methods that use each of them.

This is the only place where a setting is declared. The study file, `--set`, `gmm-study train`,
`config.json` and the params in MLflow are all derived from it.

The details on which a reproduction depends are settings (initial weights and bias, top prior,
clipping, baseline), and the study `reproduction_details` measures the effect of each. Whether the
gradient is a sum or a mean over the batch is not a setting: Adam and RMSprop cancel a constant
factor, so it only rescales `l1` and `l2`, or with SGD the learning rate.
"""

from dataclasses import dataclass

from gmm_study.training.methods import METHODS
from gmm_study.training.stages import EXAMPLE, Stage
from gmm_study.training.values import setting

CHANGES_THE_BOUND = {
    "samples": "the K of their bound",
    "bound": "the kind of their bound",
    "stages": "the stages of their training",
}
"""Settings that change the quantity that a method's bound estimates, with a description of each."""
ENDS_AT_A_RATE = ("cosine", "linear", "exponential")
"""The schedules that end at `final_learning_rate`."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The fields of `Hyperparameters`, which adds what follows from their values."""

    method: str = setting(
        "gmm",
        "Method: gmm, rws, vae or another one that `gmm-study methods` lists.",
        group="Model",
        choices=METHODS,
    )
    layers: tuple[int, ...] = setting(
        (100, 50, 25),
        "Sizes of the latent layers from the data up, such as 48,24,12, or a geometric rule "
        "depth=12,first=300,last=10. vae: the last is that of z, the others are hidden layers.",
        group="Model",
        at_least=1,
    )
    deterministic_layers: int = setting(
        0, "Number of tanh layers inside each conditional.", group="Model", at_least=0
    )
    initialisation: str = setting(
        "authors",
        "Initial weights, uniform in +-g: glorot's g is sqrt(6 / (fan_in + fan_out)), "
        "authors divides that by fan_in.",
        group="Model",
        choices=("authors", "glorot"),
        in_identity_at_default=False,
    )
    initial_bias: float = setting(
        -1.0,
        "Initial bias of every unit, including the logits of the top prior.",
        group="Model",
        in_identity_at_default=False,
    )
    top_prior: str = setting(
        "learned",
        "Whether the prior of the top layer is learned, or fixed at 1/2 for each unit.",
        group="Model",
        choices=("learned", "fixed"),
        in_identity_at_default=False,
    )
    probability_clip: float = setting(
        0.0,
        "Clips the probabilities of units to [clip, 1 - clip]; the authors' code uses 1e-6.",
        group="Model",
        at_least=0,
        below=0.5,
        in_identity_at_default=False,
    )
    vae_initialisation: str = setting(
        "normal",
        "Initial weights of the vae's networks: normal is N(0, 0.1^2), as in the authors' code; "
        "glorot is uniform in +-sqrt(6 / (fan_in + fan_out)), he in +-sqrt(6 / fan_in).",
        group="Model",
        choices=("normal", "glorot", "he"),
        in_identity_at_default=False,
    )
    activation: str = setting(
        "relu",
        "Activation function of the hidden layers of the vae's networks.",
        group="Model",
        choices=("relu", "tanh", "logistic"),
        in_identity_at_default=False,
    )
    decoder_order: str = setting(
        "mirrored",
        "Order of the decoder's hidden layers: mirrored reverses that of the encoder, same keeps "
        "it, as the authors' code does.",
        group="Model",
        choices=("mirrored", "same"),
        in_identity_at_default=False,
    )
    encoder_output: str = setting(
        "log_variance",
        "What the vae's encoder returns beside the mean: log_variance is log sigma^2, log_sigma is "
        "log sigma, as in the authors' code.",
        group="Model",
        choices=("log_variance", "log_sigma"),
        in_identity_at_default=False,
    )
    samples: int | None = setting(
        None,
        "K of training: samples per datapoint in a step and in validation [10; vae: 1].",
        group="Objective",
        at_least=1,
        by_stage=True,
    )
    bound: str = setting(
        "elbo",
        "The bound that the vae maximises.",
        group="Objective",
        choices=("elbo", "iwae"),
        by_stage=True,
    )
    kl_warm_up_epochs: int = setting(
        0,
        "Epochs, in each stage, over which the weight of the KL divergence in the vae's bound "
        "rises from 0 to 1, linearly. The reported bounds have the weight 1.",
        group="Objective",
        at_least=0,
        by_stage=True,
        duration_from=0,
        in_identity_at_default=False,
    )
    q_baseline: str = setting(
        "uniform",
        "What is subtracted from the weights in q's gradient: uniform is 1/K, none is 0.",
        group="Objective",
        choices=("uniform", "none"),
    )
    l1: float = setting(
        0.0,
        "Factor of the sum of |weight|, a penalty on the bound.",
        group="Objective",
        at_least=0,
        by_stage=True,
    )
    l2: float = setting(
        0.0,
        "Factor of the sum of weight^2, a penalty on the bound.",
        group="Objective",
        at_least=0,
        by_stage=True,
    )
    optimizer: str = setting(
        "adam", "Optimiser.", group="Training", choices=("adam", "sgd", "rmsprop"), by_stage=True
    )
    learning_rate: float = setting(1e-3, "Learning rate.", group="Training", above=0, by_stage=True)
    schedule: str = setting(
        "constant",
        "How the learning rate changes: cosine, linear and exponential fall to final_learning_rate "
        "at the last of max_epochs; step multiplies it by step_factor every step_epochs.",
        group="Training",
        choices=("constant", *ENDS_AT_A_RATE, "step"),
        in_identity_at_default=False,
        by_stage=True,
    )
    warm_up_epochs: int = setting(
        0,
        "Epochs over which the learning rate rises to its full value, linearly.",
        group="Training",
        at_least=0,
        in_identity_at_default=False,
        by_stage=True,
        duration_from=0,
    )
    hold_epochs: int = setting(
        0,
        "Epochs at the full learning rate, after the warm-up, before it falls.",
        group="Training",
        at_least=0,
        read_by={"schedule": (*ENDS_AT_A_RATE, "step")},
        in_identity_at_default=False,
        by_stage=True,
        duration_from=0,
    )
    final_learning_rate: float = setting(
        1e-5,
        "Learning rate at the last of max_epochs.",
        group="Training",
        above=0,
        read_by={"schedule": ENDS_AT_A_RATE},
        in_identity_at_default=False,
        by_stage=True,
    )
    step_epochs: int = setting(
        100,
        "Epochs between two steps of the learning rate.",
        group="Training",
        at_least=1,
        read_by={"schedule": ("step",)},
        in_identity_at_default=False,
        by_stage=True,
        duration_from=0,
    )
    step_factor: float = setting(
        0.1,
        "Factor of the learning rate at each step.",
        group="Training",
        above=0,
        below=1,
        read_by={"schedule": ("step",)},
        in_identity_at_default=False,
        by_stage=True,
    )
    momentum: float = setting(
        0.95,
        "Momentum.",
        group="Training",
        at_least=0,
        below=1,
        read_by={"optimizer": ("sgd",)},
        by_stage=True,
    )
    rmsprop_decay: float = setting(
        0.99,
        "Decay of RMSprop's mean of squared gradients; the authors' code uses 0.9.",
        group="Training",
        at_least=0,
        below=1,
        read_by={"optimizer": ("rmsprop",)},
        in_identity_at_default=False,
        by_stage=True,
    )
    batch_size: int = setting(
        100, "Datapoints per step.", group="Training", at_least=1, by_stage=True
    )
    max_epochs: int = setting(
        1000,
        "Maximum number of epochs.",
        group="Training",
        at_least=1,
        by_stage=True,
        duration_from=0,
    )
    patience: int = setting(
        10,
        "Stop when the criterion has not improved for this number of epochs.",
        group="Training",
        at_least=1,
        by_stage=True,
        duration_from=0,
    )
    parameter_average: str = setting(
        "none",
        "An average of the parameters, validated beside the raw ones; the better of the two is "
        "kept. exponential forgets old steps, uniform is the mean from an epoch on.",
        group="Training",
        choices=("none", "exponential", "uniform"),
        in_identity_at_default=False,
        by_stage=True,
    )
    average_decay: float = setting(
        0.999,
        "Decay of the exponential average per step; the weights are normalised.",
        group="Training",
        above=0,
        below=1,
        read_by={"parameter_average": ("exponential",)},
        in_identity_at_default=False,
        by_stage=True,
    )
    average_from_epoch: int = setting(
        1,
        "First epoch of the uniform average.",
        group="Training",
        at_least=1,
        read_by={"parameter_average": ("uniform",)},
        in_identity_at_default=False,
        by_stage=True,
        duration_from=1,
    )
    stages: tuple[Stage, ...] = setting(
        (),
        "Stages of the training, one after the other: a list of mappings such as "
        f"{EXAMPLE}. Each begins with the parameters that the one before kept; what it does not "
        "set is set beside it.",
        group="Training",
        in_identity_at_default=False,
    )
    criterion: str = setting(
        "bound",
        "What is estimated on the validation data to stop and to keep the best epoch: the bound of "
        "the method, or log p.",
        group="Training",
        choices=("bound", "log_p"),
        in_identity_at_default=False,
    )
    criterion_samples: int | None = setting(
        None,
        "K of the criterion [K of training].",
        group="Training",
        at_least=1,
        in_identity_at_default=False,
    )
    max_seconds: float | None = setting(
        None,
        "Seconds of training after which a replicate ends; the result then depends on the machine.",
        group="Training",
        above=0,
        in_identity_at_default=False,
        duration_from=0,
    )
    validate_every: int = setting(
        1,
        "Validate after every n-th epoch, and after the last.",
        group="Training",
        at_least=1,
        in_identity_at_default=False,
    )
    warm_start: str | None = setting(
        None,
        "The id of a trial of the same store, or the path of a record or checkpoint, with whose "
        "parameters each replicate begins.",
        group="Training",
        in_identity_at_default=False,
    )
    seed: int = setting(
        0, "Seed of all replicates; each has its own streams.", group="Training", at_least=0
    )
    matmul_precision: str = setting(
        "highest",
        "Precision of float32 matrix products in training steps, as torch names it: highest is "
        "float32; high and medium are tf32 on a GPU, medium is bfloat16 on a CPU that has it. "
        "Validation and evaluation do not use it.",
        group="Training",
        choices=("highest", "high", "medium"),
        in_identity_at_default=False,
    )
    evaluation_samples: int = setting(
        1000,
        "K of the evaluation: samples per datapoint of the final log p.",
        group="Evaluation",
        at_least=1,
    )
    selection_samples: int = setting(
        100,
        "K of the log p of the validation data by which trials are selected.",
        group="Evaluation",
        at_least=1,
        in_identity_at_default=False,
    )
    z_samples: int = setting(
        10_000,
        "Samples of p for the final estimate of 2 log Z.",
        group="Evaluation",
        at_least=2,
        in_identity_at_default=False,
    )
