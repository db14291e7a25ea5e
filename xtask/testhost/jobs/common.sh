# What the jobs share. Sourced in the guest, in the folder of the job.

# Emulation is 10 to 30 times slower than the host: limits and allowed return times are multiplied.
SCALE=20
# What `cargo xtask test` has `selftest` run: one of each kind of layer. `--quick` takes two minutes here.
QUICK="argv_args.py env_leak.py net_connect.py fork_count.c mount_try.c mem_touch.c"
# What it runs besides: files that come back, native code from an interpreter, what one run
# leaves for the next, artifacts.
PROGRAMS="outputs_special.py ctypes_raw.py persist_ipc.py artifact_rewrite.c init_snoop.py"
# What `cargo xtask prove` runs after all of benign and hostile: of each language what leans most on the system below it,
# such as processes, threads, signals, sockets, files, clocks, accounts and devices.
SEMANTICS="unix_sockets.py fork_orphans.py signal_handlers.py files_locked.py managers.py who_and_where.py time_zones.py random_hashes.py stdin_pieces.py
 subprocesses.js cluster_ports.js files_watched.js thread_pool.js worker_channels.js who_and_where.js time_zones.js signal_default.js wasm_modules.js
 event_descriptors.c signal_queue.c shared_memory.c generated_code.c unix_socket_fd.c device_files.c who_am_i.c time_zones.c segv_recover.c
 child_streams.cpp echo_server.cpp thread_tools.cpp filesystem_ops.cpp uncaught_what.cpp chrono_clocks.cpp locale_facets.cpp several_files.cpp deep_destruction.cpp
 child_processes.java sockets.java file_tree.java fork_join.java who_am_i.java time_zones.java deep_recursion_main.java package_tree.java exit_in_thread.java"
# Which of both, from `cargo xtask`.
. ./settings.sh

passed=0 failed=0

# check NAME COMMAND...: counts one check, and shows what the command said when it failed. $said holds it.
check() {
    local name=$1
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok $name"
    else
        failed=$((failed + 1))
        echo "FAIL $name | $(echo "$said" | tail -n 8 | tr '\n' ' ')"
    fi
}

# corpus BASE ENGINED [OPTION...]: the programs of the corpus through the engine at BASE, by the `selftest` of the program
# ENGINED: some, or all that there is when we shall prove.
corpus() {
    local base=$1 engined=$2
    shift 2
    if [ "$PROVE" = yes ]; then
        selftest "$engined" --jobs 2 "$@"
        send "$base" "$SEMANTICS" --jobs 2 --dir corpus/semantics
    else
        selftest "$engined" --jobs 1 --only $QUICK "$@"
        send "$base" "$PROGRAMS"
    fi
}

# selftest ENGINED [OPTION...]: what it says, its programs added up, and its exit code, by which something left on the host
# or a missing layer counts too.
selftest() {
    local engined=$1 code began=$SECONDS told=/tmp/selftest.json
    shift
    "$engined" selftest --scale $SCALE --json "$@" >$told 2>/tmp/selftest.err
    code=$?
    jq -r '.mechanisms[]? | "info  \(.title): \(.tried) tried, \(.held) held, \(.skipped) skipped, by \(.held_by | join(", "))"' $told
    jq -r '.programs[]? | select(.result == "failed") | "FAIL \(.name) | \(.complaints | join("; "))"' $told
    jq -r '"info  \(.engine.chosen) engine at \(.engine.address): \(.sentence)", (.host | .found[]?, .not_looked_at[]?)' $told
    echo "info  selftest took $((SECONDS - began)) s"
    passed=$((passed + $(jq '[.programs[]? | select(.result == "held")] | length' $told)))
    failed=$((failed + $(jq '[.programs[]? | select(.result == "failed")] | length' $told)))
    [ $code = 0 ] || tail -n 3 /tmp/selftest.err
    check "selftest ends with everything held" [ $code = 0 ]
}

# send BASE NAMES [OPTION...]: runs these programs, or every one where NAMES is empty, and adds up what over_http.py counts.
send() {
    local base=$1 names=$2 counts began=$SECONDS
    shift 2
    # shellcheck disable=SC2086  # a list of names
    python3 -B corpus/over_http.py --scale $SCALE "$@" "$base" $names | tee /tmp/corpus.out | grep -v ' passed, '
    counts=$(tail -n 1 /tmp/corpus.out)
    echo "info  $counts in $((SECONDS - began)) s through $base"
    case $counts in
    *" passed, "*)
        passed=$((passed + ${counts%% *}))
        counts=${counts##*, }
        failed=$((failed + ${counts%% *} + $(grep -c '^POLICY' /tmp/corpus.out)))
        ;;
    *) failed=$((failed + 1)) && echo "FAIL corpus through $base | no counts" ;;
    esac
}

# five_languages CURL-ARGUMENT...: nothing that is installed here is missing from what the engine offers.
five_languages() {
    curl -s "$@" | jq -e -c '{offered: (.languages | map(.id) | sort), lacking: .unavailable} | ., (.offered == ["c", "cpp", "java", "javascript", "python"])'
}

# within SECONDS COMMAND...: tries until it succeeds.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}

# status_of PID: the lines of /proc/PID/status that say what a process may do.
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

# unprivileged PID USER: an ordinary uid, no capability in the host's user namespace, no_new_privs, a filter.
unprivileged() {
    local pid=$1 uid
    uid=$(id -u "$2")
    [ "$(field "$pid" Uid | tr -s '\t' ' ')" = "$uid $uid $uid $uid" ] || { echo "uids $(field "$pid" Uid), want $uid"; return 1; }
    [ -z "$(field "$pid" Groups | tr -d ' ')" ] || [ "$(field "$pid" Groups | tr -d ' ')" = "$(id -g "$2")" ] ||
        { echo "groups $(field "$pid" Groups)"; return 1; }
    # Full sets are the host's business only where the user namespace is the host's.
    if [ "$(readlink "/proc/$pid/ns/user")" = "$(readlink /proc/1/ns/user)" ]; then
        for set in CapInh CapPrm CapEff CapBnd CapAmb; do
            [ "$(field "$pid" $set)" = 0000000000000000 ] || { echo "$set $(field "$pid" $set)"; return 1; }
        done
    fi
    [ "$(field "$pid" NoNewPrivs)" = 1 ] || { echo "NoNewPrivs $(field "$pid" NoNewPrivs)"; return 1; }
}

# The last line, which xtask adds up, and the exit code.
close_job() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}
