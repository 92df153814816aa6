#!/usr/bin/env bash
# Runs a study on several nodes of a Slurm cluster. Submit it from this project's folder, which all
# nodes must share:
#
#   sbatch --nodes=4 --cpus-per-task=16 cluster/slurm.sh NAME [OPTIONS of gmm-study run]
#
# The study stops cleanly two minutes before the time limit; submit it again to continue.
#SBATCH --job-name=gmm-study
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

if [ $# -eq 0 ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi

cd "${SLURM_SUBMIT_DIR:?run this with sbatch}"
ray=.venv/bin/ray
# The token is in the home folder, which the nodes must share.
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
# The port depends on the job's id, so that jobs on the same node use different ports.
address=${hosts[0]}:$((20000 + SLURM_JOB_ID % 20000))

on_nodes() {
  srun --nodes="$1" --ntasks="$1" --cpus-per-task="$SLURM_CPUS_PER_TASK" --overlap "${@:2}" &
}

start_ray() {
  on_nodes "$1" "$2" $ray start --block --disable-usage-stats \
    --num-cpus="$SLURM_CPUS_PER_TASK" "${@:3}" > /dev/null
}

finish() {
  trap - EXIT
  local processes
  processes=$(jobs -p)
  # shellcheck disable=SC2086  # one word a process
  [ -z "$processes" ] || kill $processes 2> /dev/null || true
  wait
}
trap finish EXIT

# The umask makes the token private; Ray would make it readable for all users.
(umask 077 && $ray get-auth-token --generate > /dev/null)
start_ray 1 "--nodelist=${hosts[0]}" --head --port="${address##*:}" --include-dashboard=false
head=$!
until $ray health-check --address "$address" 2> /dev/null; do
  kill -0 "$head" 2> /dev/null || { echo "Ray did not start on ${hosts[0]}" >&2; exit 1; }
  sleep 1
done
if [ ${#hosts[@]} -gt 1 ]; then
  start_ray $((${#hosts[@]} - 1)) "--exclude=${hosts[0]}" --address="$address"
fi

.venv/bin/gmm-study run "$@" --address "$address" &
study=$!
trap 'kill -TERM "$study"' TERM
status=0
# The first `wait` returns when the signal arrives, the second when the study has ended.
wait "$study" || status=$?
while kill -0 "$study" 2> /dev/null; do
  status=0
  wait "$study" || status=$?
done
exit "$status"
