"""A method and a data set for gmm-study: what it needs to know of them, without importing torch."""

from gmm_study.data import NamedDataset
from gmm_study.training.method import SBN, Method
from gmm_study.training.values import new_setting

RLOO = Method(
    name="rloo",
    summary="the evidence lower bound, by the score function with leave-one-out baselines",
    model=SBN,
    objective="gmm_study_rloo.objective:Rloo",
    bound_label="ELBO",
    least_samples=2,
    adds=(
        new_setting(
            "baseline",
            "leave_one_out",
            "What is taken from a sample's log weight: the mean of the others, or nothing.",
            choices=("leave_one_out", "none"),
        ),
    ),
)
SQUARES = NamedDataset(
    name="squares",
    dims=16,
    sizes=(1_000, 500, 500),
    source="a 2x2 square anywhere on a 4x4 grid, one pixel in twenty flipped",
    build="gmm_study_rloo.squares:squares",
    sha256="850dca1f328dbb7f2db1911a3ec8240dc55ecf7cef42f426c92920bc5b509e9d",
    image_shape=(4, 4),
)
