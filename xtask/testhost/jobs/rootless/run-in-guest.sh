#!/bin/bash
# Everything as an ordinary user: a subordinate range, a delegated cgroup, newuidmap, and no root at any time.
cd "$(dirname "$0")" || exit 1
. ./common.sh
echo "info  $(uname -r), as $(id -un tester)"
chmod 755 . && chmod -R a+rX .
grep -q '^tester:' /etc/subuid || usermod --add-subuids 100000-165535 --add-subgids 100000-165535 tester
install -d -o tester /tmp/rootless

up="$PWD/target/release/engined up --listen 127.0.0.1:7070 --state /tmp/rootless/state"
# Emulated, the headers of C++ take ten minutes.
[ "$PROVE" = yes ] || up="$up --tuning off"
# shellcheck disable=SC2086  # the words of a command
systemd-run --quiet --unit rootless --uid tester -p Delegate=yes -p Type=exec -p WorkingDirectory=/tmp/rootless $up
ready() { curl -sf -o /dev/null http://127.0.0.1:7070/readyz; }
began=$SECONDS
if ! within "$([ "$PROVE" = yes ] && echo 3000 || echo 600)" ready; then
    check "ready" false
    journalctl -u rootless --no-pager -o cat | tail -n 60
    close_job
fi
check "ready" true
echo "info  ready after $((SECONDS - began)) s"
curl -s http://127.0.0.1:7070/v1/isolation
echo
# Emulated, a language may be ill on a busy host until it is looked at again.
check "five languages" within 600 five_languages http://127.0.0.1:7070/v1/languages
no_root() {
    local pid
    for pid in $(cat $(find /sys/fs/cgroup/system.slice/rootless.service -name cgroup.procs)); do
        [ "$(field "$pid" Uid | cut -f1)" != 0 ] || { echo "pid $pid is root"; return 1; }
    done
}
check "no process is root" no_root
corpus http://127.0.0.1:7070 target/release/engined --server http://127.0.0.1:7070
check "stop" systemctl stop rootless
nothing_left() { [ -z "$(ps -o pid= -u tester)" ] || { ps -f -u tester; return 1; }; }
check "nothing is left" within 120 nothing_left
[ "$failed" = 0 ] || journalctl -u rootless --no-pager -o cat | tail -n 60
close_job
