#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A consistent snapshot of one disk, over QEMU's QMP server as qga-qemu or qga-proxyd serves it:
#
#   snapshot.sh HOST PORT DEVICE OVERLAY
#
# The guest's file systems are frozen, QEMU goes on in OVERLAY, and they are thawed. One connection is enough for both
# kinds of command. Where this script is killed in between, the proxy thaws the guest when the freeze's lease ends.
set -eu

host=$1 port=$2 device=$3 overlay=$4

exec 3<>"/dev/tcp/$host/$port"
read -r -u 3 greeting

# Sends a command and waits for its answer; events come in between.
ask() {
    local line
    printf '%s\n' "$1" >&3
    while read -r -u 3 line; do
        case $line in
        '{"return"'*) printf '%s\n' "${line%$'\r'}"; return 0 ;;
        *'"error": {'*) printf '%s\n' "${line%$'\r'}" >&2; return 1 ;;
        esac
    done
    echo "the connection was closed" >&2
    return 1
}

ask '{"execute": "qmp_capabilities"}' >/dev/null
ask '{"execute": "guest-fsfreeze-freeze"}'
status=0
ask '{"execute": "blockdev-snapshot-sync", "arguments":
    {"device": "'"$device"'", "snapshot-file": "'"$overlay"'", "format": "qcow2"}}' || status=1
# Whatever has become of that. An error of this says that they were thawed meanwhile: the snapshot is worth nothing.
ask '{"execute": "guest-fsfreeze-thaw"}' || status=1
exit $status
