"""The bound that a method ascends, of every datapoint, with the K of training."""

import torch
from torch import Tensor

from gmm_study.estimators.chunks import in_chunks
from gmm_study.models import Model, RandomStreams
from gmm_study.objectives import Objective


@torch.no_grad()
def estimate_bound(
    objective: Objective,
    model: Model,
    data: Tensor,
    streams: RandomStreams,
    chunk_rows: int = 4000,
) -> dict[str, Tensor]:
    """The objective's estimates (`bound`, `log_p`, `ess`) of `data` `[N, D]`, each `[R, N]`.

    K is the objective's own, that of training. `chunk_rows` bounds the sample rows (datapoints
    times K) that are in memory at a time.
    """

    def of_chunk(chunk: Tensor) -> dict[str, Tensor]:
        batch = chunk.to(model.parameters.flat.dtype).expand(len(streams), -1, -1)
        return objective.estimates(model, batch, streams)

    return in_chunks(data, max(1, chunk_rows // objective.samples), of_chunk)
