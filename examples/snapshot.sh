#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes a consistent snapshot of one disk, over QEMU's QMP server as qga-qemu or qga-proxyd serves it:
#
#   snapshot.sh HOST PORT DEVICE OVERLAY
#
# It freezes the guest's file systems, switches the disk to OVERLAY, and thaws. One connection is enough for both kinds
# of command. If this script is killed in between, the proxy thaws the guest when the lease of the freeze ends.
set -eu

host=$1 port=$2 device=$3 overlay=$4

exec 3<>"/dev/tcp/$host/$port"
read -r -u 3 greeting

# Sends a command and waits for its answer, skipping events.
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
# Whether or not that succeeded. An error here means that the freeze ended before: the snapshot is worthless.
ask '{"execute": "guest-fsfreeze-thaw"}' || status=1
exit $status
