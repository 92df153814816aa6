"""A study trains as many trials at a time as the process has CPUs, not as the machine has."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.workbench import GMM_STUDY, Workbench

pytestmark = pytest.mark.process

QUOTA = 'mount -t tmpfs none /sys/fs/cgroup && echo "$0 100000" > /sys/fs/cgroup/cpu.max && "$@"'


@pytest.fixture
def bench(tmp_path):
    bench = Workbench(tmp_path, epochs=1)
    bench.environment = {"GMM_STUDY_EAGER": "1"}
    return bench


@pytest.fixture
def _one_cpu():
    """This process and those it starts may use one CPU, as under `taskset` and in a Slurm job."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("_one_cpu")
def test_with_one_cpu_of_the_machine_the_plan_the_run_and_the_records_count_one(bench):
    said = "1 trial at a time on 1 core each"
    assert said in bench.run("plan", "tiny").stdout
    assert f"{said} (Ray sees no GPU)" in bench.run("run", "tiny").stdout.splitlines()
    results = bench.results().values()
    assert len(results) == 4
    assert {result["machine"]["cores"] for result in results} == {1}


@pytest.mark.usefixtures("_one_cpu")
def test_a_trial_that_wants_more_cpus_than_the_process_has_is_refused(bench):
    error = bench.run("run", "tiny", "--set", "resources.cpus=2", status=2).stderr
    assert error == (
        "gmm-study: resources.cpus: a trial needs 2, but no node of Ray has more than 1; "
        "set at most 1\n"
    )


def test_a_container_s_quota_of_one_cpu_counts_as_one(bench):
    user = () if os.getuid() == 0 else ("--user", "--map-root-user")
    within = ["unshare", *user, "--mount", "sh", "-c", QUOTA, "100000"]
    if not shutil.which("unshare") or subprocess.run([*within, "true"], check=False).returncode:
        pytest.skip("no namespaces here")
    count = [*within, sys.executable, "-c", "import os; print(os.cpu_count())"]
    assert int(subprocess.check_output(count)) == os.cpu_count()  # which does not see the quota
    plan = [*within, str(GMM_STUDY), "plan", "tiny"]
    output = subprocess.check_output(plan, cwd=bench.folder, text=True)
    assert "1 trial at a time on 1 core each" in output
