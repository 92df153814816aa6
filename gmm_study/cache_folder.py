"""The folder of this user's caches, which may be removed at any time."""

import os
from pathlib import Path

from gmm_study.paths import expanded


def cache_folder() -> Path:
    """The folder that `GMM_STUDY_CACHE` names, else the one that the system has for caches.

    Raises InputError if it is in the home folder of an unknown user.
    """
    named = os.environ.get("GMM_STUDY_CACHE")
    if named:
        return expanded(named, "GMM_STUDY_CACHE:")
    from platformdirs import user_cache_path

    return user_cache_path("gmm-study")
