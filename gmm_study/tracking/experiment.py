"""The experiment of a study in MLflow: its description, and saved views of its runs.

The best trial of a method is two clicks away: the first line of the description, which is all that
the UI shows by default, links to the runs and to saved views of them. The views are tags of the
experiment, so any MLflow server has them.
"""

from collections.abc import Iterator, Sequence

from mlflow.entities import LifecycleStage, Run
from mlflow.tracking import MlflowClient

from gmm_study.tracking.mlflow_internals import EXPERIMENT_KIND
from gmm_study.tracking.notes import BestRow, Facts, asked, saved_views, study_note
from gmm_study.tracking.store import artifact_location

NOTE = "mlflow.note.content"
_PAGE = 1000


class StudyExperiment:
    """A study's experiment in MLflow. It is created if missing, and restored if it was deleted."""

    def __init__(self, client: MlflowClient, uri: str, facts: Facts) -> None:
        self.client = client
        self.facts = facts
        found = client.get_experiment_by_name(facts.name)
        if found is None:
            found = client.get_experiment(self._create(uri))
        elif found.lifecycle_stage == LifecycleStage.DELETED:
            client.restore_experiment(found.experiment_id)
        self.experiment_id = str(found.experiment_id)
        self.created = int(found.creation_time or 0)
        self._tags = dict(found.tags)

    def describe(self, facts: Facts, best: Sequence[BestRow]) -> None:
        """Update the description and the saved views; no request is made for what is up to date.

        `facts` are those of the study with what its trials are selected by.
        """
        wanted = {
            NOTE: study_note(facts, self.experiment_id, best),
            **saved_views(facts, self.created),
        }
        for name, text in wanted.items():
            if self._tags.get(name) != text:
                self.client.set_experiment_tag(self.experiment_id, name, text)
                self._tags[name] = text

    def _create(self, uri: str) -> str:
        artifacts = artifact_location(self.client, uri, self.facts.name)
        tags = {NOTE: asked(self.facts), **EXPERIMENT_KIND}
        return str(self.client.create_experiment(self.facts.name, artifacts, tags))


def runs_of(client: MlflowClient, experiment_id: str, only: str = "") -> Iterator[Run]:
    """The runs of an experiment, or those for which a filter in MLflow's language holds."""
    token = None
    while True:
        page = client.search_runs([experiment_id], only, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
