#!/bin/bash
# run.sh [options] DIR - run DIR/run-in-guest.sh as root in a throw-away Debian 12 host (systemd, pure cgroup v2)
# and exit with its exit code. The image is built at first use (about 70 s, from Debian packages). See --help.
set -e
here=$(dirname "$(readlink -f "$0")")
case " $* " in *" -h "* | *" --help "*) ;; *) "$here/build-image.sh" >&2 ;; esac
exec /usr/bin/python3 "$here/rig.py" "$@"
