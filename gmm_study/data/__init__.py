"""Binary data sets: named ones, embedded, generated or downloaded, and a user's own files."""

from gmm_study.data.dataset import Dataset
from gmm_study.data.download import DownloadError
from gmm_study.data.generated import bars_log_likelihood
from gmm_study.data.loading import (
    DatasetInfo,
    fetch_dataset,
    image_shape_of,
    list_datasets,
    load_dataset,
)

__all__ = [
    "Dataset",
    "DatasetInfo",
    "DownloadError",
    "bars_log_likelihood",
    "fetch_dataset",
    "image_shape_of",
    "list_datasets",
    "load_dataset",
]
