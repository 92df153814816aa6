"""The file for Kubernetes is one that KubeRay 1.2 takes.

It is checked against `rayjob.schema.json`: the fields that the file uses, with their types in
KubeRay and Kubernetes, and no others. Another field of a RayJob must be added there first.
"""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

FILE = Path(__file__).parent.parent.parent / "cluster" / "kuberay.yaml"
SCHEMA = json.loads(Path(__file__).with_name("rayjob.schema.json").read_text())


@pytest.fixture
def job():
    first, _ = yaml.safe_load_all(FILE.read_text())
    return first


def errors_of(job):
    """What the schema refuses, each with its place."""
    Draft202012Validator.check_schema(SCHEMA)
    found = Draft202012Validator(SCHEMA).iter_errors(job)
    return [f"{error.json_path}: {error.message}" for error in found]


def fields_of(schema):
    """The names of all fields that a part of a schema has."""
    if isinstance(schema, list):
        return {name for each in schema for name in fields_of(each)}
    if not isinstance(schema, dict):
        return set()
    inner = {name for each in schema.values() for name in fields_of(each)}
    properties = schema.get("properties", {})
    return inner | set(properties)


def test_the_file_has_the_fields_of_a_rayjob_with_their_types(job):
    assert errors_of(job) == []


def test_the_schema_has_no_field_that_the_file_does_not_use():
    text = FILE.read_text()
    assert [name for name in fields_of(SCHEMA) if f"{name}:" not in text] == []


MISTAKES = {
    "a misspelt field of the job": (
        "spec", lambda spec: spec.update(backofLimit=spec.pop("backoffLimit")), "backofLimit"
    ),
    "a field in the wrong place": ("spec", lambda spec: spec.update(rayVersion="2"), "rayVersion"),
    "a misspelt field of a group": (
        "worker", lambda group: group.update(maxReplica=group.pop("maxReplicas")), "maxReplica"
    ),
    "a misspelt field of a container": (
        "container", lambda container: container.update(envfrom=[]), "envfrom"
    ),
    "a group without parameters": (
        "worker", lambda group: group.pop("rayStartParams"), "rayStartParams"
    ),
    "a number of replicas in quotes": (
        "worker", lambda group: group.update(replicas="3"), "'3' is not of type 'integer'"
    ),
    "a parameter of Ray that is a number": (
        "head", lambda group: group["rayStartParams"].update({"num-cpus": 0}), "0 is not of type"
    ),
    "a truth value in quotes": (
        "spec", lambda spec: spec.update(shutdownAfterJobFinishes="true"), "not of type 'boolean'"
    ),
    "a memory with another unit": (
        "container", lambda each: each["resources"]["limits"].update(memory="8GB"), "8GB"
    ),
    "a port in quotes": (
        "container", lambda each: each["ports"][0].update(containerPort="6379"), "containerPort"
    ),
    "containers that are no list": (
        "head", lambda group: group["template"]["spec"].update(containers={}), "'array'"
    ),
    "an older version": (None, lambda job: job.update(apiVersion="ray.io/v1alpha1"), "ray.io/v1"),
}  # fmt: skip


@pytest.mark.parametrize(("part", "mistake", "named"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_file_is_refused_and_named(job, part, mistake, named):
    cluster = job["spec"]["rayClusterSpec"]
    head = cluster["headGroupSpec"]
    parts = {
        None: job,
        "spec": job["spec"],
        "head": head,
        "container": head["template"]["spec"]["containers"][0],
        "worker": cluster["workerGroupSpecs"][0],
    }
    mistake(parts[part])
    (*_, error) = errors_of(job)
    assert named in error


def test_the_file_for_kubernetes_says_of_every_pod_that_it_is_kept_apart():
    job, policy = yaml.safe_load_all(FILE.read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    pods = [*(group["template"] for group in groups), job["spec"]["submitterPodTemplate"]]
    apart = policy["spec"]["podSelector"]["matchLabels"]
    assert all(apart.items() <= pod["metadata"]["labels"].items() for pod in pods)
    assert len({pod["spec"]["containers"][0]["image"] for pod in pods}) == 1


def test_the_file_for_kubernetes_names_the_version_that_has_its_fields_and_has_workers_with_gpus():
    text = FILE.read_text()
    job, _ = yaml.safe_load_all(text)
    assert job["spec"]["backoffLimit"]  # which KubeRay 1.1 does not have
    assert "1.2 or newer" in text.partition("apiVersion")[0]
    workers = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    asked = [group["template"]["spec"]["containers"][0]["resources"] for group in workers]
    assert [each["limits"].get("nvidia.com/gpu") for each in asked] == [None, "1"]
    assert all(each["limits"] == each["requests"] for each in asked)
