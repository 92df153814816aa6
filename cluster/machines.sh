#!/usr/bin/env bash
# Starts a Ray cluster on several machines and keeps it running; Ctrl-C stops it on all of them.
#
#   cluster/machines.sh HEAD [HOST...]
#
# Run it on HEAD in this project's folder. The folder, with its .venv, must be at the same path on
# every HOST, and ssh to each HOST must work without a password. Then, on HEAD:
#
#   RAY_AUTH_MODE=token .venv/bin/gmm-study run NAME --storage SHARED --address HEAD:6379
#
# PORT sets the head's port; RAY_OPTIONS adds options to `ray start` on every machine.
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

# The remote shell parses the command, so RAY_OPTIONS is split into words there.
start() {
  local host=$1 options=$2
  local command="exec $ray start --block --disable-usage-stats $options ${RAY_OPTIONS:-}"
  if is_here "$host"; then
    bash -c "$command" > /dev/null &
  else
    ssh "$host" 'umask 077; mkdir -p ~/.ray; cat > ~/.ray/auth_token' < ~/.ray/auth_token
    # -tt allocates a terminal, so that the remote processes stop when the connection closes.
    ssh -tt "$host" "cd '$PWD' && export RAY_AUTH_MODE=token && $command" < /dev/null > /dev/null &
  fi
}

# Also on INT: Ctrl-C reaches the local processes of the terminal, but not those behind ssh.
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

# The umask makes the token private; Ray would make it readable for all users.
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
echo "Ray listens at $1:$port on $# machines; press Ctrl-C to stop it"
wait -n || { echo "a machine has left the cluster; stopping Ray" >&2; exit 1; }
