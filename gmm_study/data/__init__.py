"""Binary data sets: named ones, embedded, generated or downloaded, and a user's own files."""

from gmm_study.data.data_path import path_of
from gmm_study.data.dataset import Dataset
from gmm_study.data.download import DownloadError
from gmm_study.data.generated import bars_log_likelihood
from gmm_study.data.independent import independent_log_likelihoods
from gmm_study.data.loading import (
    DatasetInfo,
    dataset_problems,
    fetch_dataset,
    find_entry,
    image_shape_of,
    is_downloaded_now,
    list_datasets,
    load_dataset,
)
from gmm_study.data.registry import NamedDataset, RemoteFile

__all__ = [
    "Dataset",
    "DatasetInfo",
    "DownloadError",
    "NamedDataset",
    "RemoteFile",
    "bars_log_likelihood",
    "dataset_problems",
    "fetch_dataset",
    "find_entry",
    "image_shape_of",
    "independent_log_likelihoods",
    "is_downloaded_now",
    "list_datasets",
    "load_dataset",
    "path_of",
]
