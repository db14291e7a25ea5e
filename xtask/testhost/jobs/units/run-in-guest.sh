#!/bin/bash
# The systemd units on a pure cgroup v2 host: installed by the very commands of systemd/README.md, started, attacked, stopped.
cd "$(dirname "$0")" || exit 1
. ./common.sh
echo "info  $(uname -r), systemd $(systemctl --version | sed -n '1s/systemd //p')"

# block NAME: the commands of systemd/README.md between the markers of that name.
block() { sed -n "/<!-- $1 -->/,/<!-- end -->/p" systemd/README.md | sed '/^```/d; /^<!--/d'; }
step() { block "$1" >"/tmp/$1.sh" && [ -s "/tmp/$1.sh" ] && bash -eux "/tmp/$1.sh"; }

# What both programs and the kernel said, but for our own asking.
tell() {
    journalctl -u jaild --no-pager -o cat | tail -n 30
    journalctl -u engined --no-pager -o cat | grep -v /readyz | tail -n 30
    dmesg | tail -n 20
}

cgroups() { find /sys/fs/cgroup -type d | wc -l; }
before_mounts=$(wc -l </proc/self/mountinfo) before_cgroups=$(cgroups)

check "install as systemd/README.md says" step install
check "units are valid" systemd-analyze verify /etc/systemd/system/jaild-tune.service /etc/systemd/system/jaild.service \
    /etc/systemd/system/engined.service /etc/systemd/system/engined.socket /etc/systemd/system/engined-tcp.socket
check "token" step token
# Emulated, the headers of C++ take ten minutes: without a proof it makes those of C alone.
if [ "$PROVE" != yes ]; then
    mkdir -p /etc/systemd/system/jaild-tune.service.d
    printf '[Service]\nExecStart=\nExecStart=/usr/lib/engined/jaild --tune c --config /etc/engined/jaild.toml --user jaild\n' \
        >/etc/systemd/system/jaild-tune.service.d/short.conf
fi
check "start" step start
check "jaild.service is active" within 180 systemctl is-active --quiet jaild
ready() { curl -sf -o /dev/null --unix-socket "$SOCKET" http://localhost/readyz; }
SOCKET=/run/engined-api/engined.sock
began=$SECONDS
if ! within "$([ "$PROVE" = yes ] && echo 3000 || echo 600)" ready; then
    check "ready" false
    tell
    close_job
fi
check "ready" true
echo "info  ready after $((SECONDS - began)) s"
curl -s --unix-socket "$SOCKET" http://localhost/v1/isolation
echo

tuned() { journalctl -u engined --no-pager -o cat | grep -q 'toolchain tuned.*language="\?c"\?.*link/collect2'; }
check "C is tuned" tuned
check "what was made is root's alone" [ -z "$(find /var/cache/engined/tuning \( ! -user root -o -perm /022 \) -print)" ]

# Emulated, a language may be ill on a busy host until it is looked at again.
check "five languages" within 600 five_languages --unix-socket "$SOCKET" http://localhost/v1/languages

jaild=$(systemctl show -P MainPID jaild) engined=$(systemctl show -P MainPID engined)
check "status of engined" unprivileged "$engined" engined
check "engined is filtered" [ "$(field "$engined" Seccomp)" = 2 ]
no_exec() { nsenter --mount --target "$engined" /usr/bin/true 2>&1 | grep -q 'Permission denied'; }
check "nothing can be executed where engined lives" no_exec
check "status of jaild" unprivileged "$jaild" jaild
outer() { [ "$(readlink "/proc/$jaild/ns/user")" != "$(readlink /proc/1/ns/user)" ]; }
check "jaild is not in the host's user namespace" outer
maps() { [ "$(awk 'NR==1 {print $1, $2, $3}' "/proc/$jaild/uid_map")" = "0 $(id -u jaild) 1" ] || { cat "/proc/$jaild/uid_map"; false; }; }
check "root of the outer namespace is jaild's ordinary uid" maps
nobody_privileged() {
    local pid found=0
    for pid in $(cat $(find /sys/fs/cgroup/system.slice/jaild.service -name cgroup.procs)); do
        [ "$(readlink "/proc/$pid/ns/user" 2>/dev/null)" = "$(readlink /proc/1/ns/user)" ] || continue
        echo "pid $pid ($(cat "/proc/$pid/comm")) lives in the host's user namespace: $(field "$pid" CapEff)" && found=1
    done
    return $found
}
check "no process of jaild is left in the host's user namespace" nobody_privileged

# As an operator would, with nothing but the installed program and its configuration.
corpus "unix:$SOCKET" /usr/bin/engined
installed() { [ "$(jq -r .engine.chosen /tmp/selftest.json)" = installed ]; }
check "selftest found the installed engine" installed
refused() { [ "$(curl -s -o /dev/null -w '%{http_code}' -d '{}' -H 'Content-Type: application/json' http://127.0.0.1:7070/v1/executions)" = 401 ]; }
check "TCP without a token is 401" refused
send http://127.0.0.1:7070 "argv_args.py fork_wait.c spin.c" --token "$(grep '^engined_' /root/engined-token)"

killed() { kill -9 "$jaild" && within 300 ready_again; }
ready_again() { [ "$(systemctl show -P MainPID jaild)" != "$jaild" ] && ready; }
check "jaild killed with -9 comes back" killed
send "unix:$SOCKET" argv_args.py

# An upgrade under load refuses nobody and loses nothing: both sockets are systemd's.
held() { journalctl -u engined --no-pager -o cat | grep -q 'sockets taken over.*unix=true.*tcp=true'; }
check "both sockets are passed on" held
if [ "$PROVE" = yes ]; then restarts=(1000 10 1); else restarts=(1000 2 40); fi
check "restarts under load lose nobody" python3 -B restarts.py "$SOCKET" /root/engined-token "${restarts[@]}"
echo "info  $said"
settled() { systemctl show -P StatusText engined | grep '^ready: 5 languages'; }
check "systemd is told that it is ready" within 600 settled
alive() { [ "$(systemctl show -P WatchdogTimestampMonotonic engined)" -gt 0 ] && [ "$(systemctl show -P NRestarts engined)" = 0 ]; }
check "the watchdog is told that it is alive" alive

# A run that is well stays well, and one that has no end is ended, while somebody sets the clock; then a hello.
execute() {
    curl -s --max-time 300 --unix-socket "$SOCKET" -H 'Content-Type: application/json' -d "$1" http://localhost/v1/executions >"$2"
}
clock_steps() {
    local by honest endless began
    for by in "+1 hour" "-1 hour"; do
        began=$(cut -d. -f1 /proc/uptime)
        execute '{"language":"python","source":"import time\ntime.sleep(4)","limits":{"cpu_time_ms":100000,"wall_time_ms":100000}}' /tmp/honest &
        honest=$!
        execute '{"language":"python","source":"import time\ntime.sleep(9999)","limits":{"cpu_time_ms":100000,"wall_time_ms":6000}}' /tmp/endless &
        endless=$!
        sleep 2
        date -s "$by" || return 1
        wait $honest $endless
        jq -e '.verdict == "ok" and .run.usage.wall_time_us > 3000000 and .timings.total_us < 200000000' /tmp/honest || { cat /tmp/honest; return 1; }
        jq -e '.verdict == "wall_time_limit"' /tmp/endless || { cat /tmp/endless; return 1; }
        [ $(($(cut -d. -f1 /proc/uptime) - began)) -lt 200 ] || { echo "it took too long by the kernel's clock"; return 1; }
        execute '{"language":"python","source":"print(1)","limits":{"cpu_time_ms":100000,"wall_time_ms":100000}}' /tmp/honest
        jq -e '.verdict == "ok"' /tmp/honest || { cat /tmp/honest; return 1; }
    done
}
check "clock steps of an hour, there and back" clock_steps

# Delegate=yes brings the cpuset controller; jaild is ready once a run of its own has had one CPU and could get no other.
pinned() { journalctl -u jaild --no-pager -o cat | grep 'jaild ready: .* runs pinned to CPU 0 | 1 (cpuset)'; }
pin() { sed -i 's/^#pin = .*/pin = "threads"/' /etc/engined/jaild.toml && systemctl restart jaild && within 300 pinned; }
check "runs are pinned by cpusets" pin

check "stop" systemctl stop engined.socket engined-tcp.socket engined jaild
nothing_left() {
    [ -z "$(ps -o pid= -u jaild,engined)" ] || { ps -f -u jaild,engined; return 1; }
    [ ! -e /sys/fs/cgroup/system.slice/jaild.service ] || { echo "cgroup of jaild"; return 1; }
    [ "$(wc -l </proc/self/mountinfo)" -le "$before_mounts" ] || { echo "mounts $before_mounts -> $(wc -l </proc/self/mountinfo)"; return 1; }
    [ "$(cgroups)" -le $((before_cgroups + 2)) ] || { echo "cgroups $before_cgroups -> $(cgroups)"; return 1; }
}
check "nothing is left" within 120 nothing_left
[ "$failed" = 0 ] || tell
close_job
