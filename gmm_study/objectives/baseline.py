"""The baseline beta of q's gradient, sum_k (w_k - beta) d log q_k."""


def baseline_of(name: str, samples: int) -> float:
    """`uniform` is 1 / K, the authors' final setting; `none` is 0, as in arXiv 1506.03877 v1."""
    return {"uniform": 1.0 / samples, "none": 0.0}[name]
