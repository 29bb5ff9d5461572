#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs a machine in the foreground; clients find QEMU's commands and the guest agent's on one port:
#
#   start-vm.sh DISK [OPTION OF QEMU]...
#
# In the guest, qga-agent or qemu-ga runs as usual. snapshot.sh and snapshot.py are clients.
set -eu

disk=$1
shift

# -chardev qga_proxy   the agent's channel, with the proxy behind it
# -device …            the port that the agent opens in the guest; without id= it gets one
# -qmp …,server        QEMU's QMP server: the guest does not run before the first client connects, unless ,wait=off
#                      is added
exec qga-qemu qemu-system-x86_64 \
    -m 1024 -nodefaults -display none \
    -drive "if=virtio,id=disk0,file=$disk" \
    -chardev qga_proxy,id=qga0 \
    -device virtio-serial \
    -device virtserialport,chardev=qga0,name=org.qemu.guest_agent.0 \
    -qmp tcp:localhost:4444,server \
    "$@"
