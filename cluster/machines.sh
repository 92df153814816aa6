#!/usr/bin/env bash
# One Ray cluster out of several machines, for as long as this runs; Ctrl-C ends it on all of them.
#
#   cluster/machines.sh HEAD [HOST...]
#
# Run it on HEAD, in this project's folder, which with its .venv is at the same path on every HOST;
# hosts are reached by ssh without a password. Then, on HEAD:
#
#   RAY_AUTH_MODE=token .venv/bin/gmm-study run NAME --storage SHARED --address HEAD:6379
#
# PORT is the head's port, RAY_OPTIONS are more options of `ray start`, for every machine.
set -euo pipefail

if [ $# -eq 0 ]; then
  sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi

port=${PORT:-6379}
ray=.venv/bin/ray
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

is_here() {
  case $1 in localhost | 127.0.0.1 | "$(hostname)") true ;; *) false ;; esac
}

# The options are words for the shell there, so that RAY_OPTIONS is split into its own.
start() {
  local host=$1 options=$2
  local command="exec $ray start --block --disable-usage-stats $options ${RAY_OPTIONS:-}"
  if is_here "$host"; then
    bash -c "$command" > /dev/null &
  else
    ssh "$host" 'umask 077; mkdir -p ~/.ray; cat > ~/.ray/auth_token' < ~/.ray/auth_token
    # A terminal, so that what runs there ends with the connection.
    ssh -tt "$host" "cd '$PWD' && export RAY_AUTH_MODE=token && $command" < /dev/null > /dev/null &
  fi
}

# Not a trap of TERM alone: the processes of a terminal get Ctrl-C themselves, those of ssh do not.
finish() {
  trap - EXIT INT TERM
  local processes
  processes=$(jobs -p)
  # shellcheck disable=SC2086  # one word a process
  [ -z "$processes" ] || kill $processes 2> /dev/null || true
  wait
}
trap finish EXIT
trap 'exit 0' INT TERM

# Ray makes it readable for all.
(umask 077 && $ray get-auth-token --generate > /dev/null)
start "$1" "--head --port=$port"
head=$!
until $ray health-check --address "$1:$port" 2> /dev/null; do
  kill -0 "$head" 2> /dev/null || { echo "Ray did not start on $1" >&2; exit 1; }
  sleep 1
done
for host in "${@:2}"; do
  start "$host" "--address=$1:$port"
done
echo "Ray listens at $1:$port for $# machines; Ctrl-C ends it"
wait -n || { echo "a machine has left; Ray ends" >&2; exit 1; }
