from collections.abc import Callable
from pathlib import Path

import pytest

from gmm_study.errors import InputError
from gmm_study.study import Study, load_study

HEAD = "question: Which?\ndatasets: [digits]\nmethods: [gmm, rws, vae]\n"


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Study]:
    """Loads a study from the text of its file, below a head that names data and methods."""

    def load_text(text: str, *overrides: str, small: bool = False, head: str = HEAD) -> Study:
        path = tmp_path / "question.yaml"
        path.write_text(head + text)
        return load_study(str(path), overrides, small)

    return load_text


@pytest.fixture
def refusal(load: Callable[..., Study]) -> Callable[..., str]:
    """The one line that refuses the text of a study's file."""

    def line(text: str, *overrides: str, small: bool = False, head: str = HEAD) -> str:
        with pytest.raises(InputError) as caught:
            load(text, *overrides, small=small, head=head)
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        return message

    return line
