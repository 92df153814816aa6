"""The folder of this user's caches, which may be removed at any time."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder that `GMM_STUDY_CACHE` names, else the one that the system has for caches."""
    named = os.environ.get("GMM_STUDY_CACHE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("gmm-study")
