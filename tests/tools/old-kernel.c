/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * old-kernel VERSION PROGRAM [ARGUMENT]...: becomes PROGRAM, for which there are no more system
 * calls than that version of Linux has. What came later is answered as that version answers it.
 *
 * Known versions are those that an agent is built for: 2.6.32, of RHEL 6, and 3.2, the oldest that
 * glibc is for.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOW_HALF(argument) (offsetof(struct seccomp_data, args) + (argument) * sizeof(__u64))

/* Calls of x86-64 are numbered in the order in which they came. */
static const struct {
    const char *version;
    __u32 last;
    int refuses_empty_path; /* a file by its descriptor alone, by a call that takes a path too, is
                               since 2.6.39 */
} kernels[] = {
    {"2.6.32", SYS_perf_event_open, 1},
    {"3.2", SYS_process_vm_writev, 0},
};

static void filter(__u32 last, int refuses_empty_path)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), /* no programs of 32 bits here */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_HALF(3)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, refuses_empty_path ? AT_EMPTY_PATH : 0, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog whole = {sizeof(program) / sizeof(*program), program};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) != 0) {
        perror("old-kernel: cannot filter system calls");
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof(kernels) / sizeof(*kernels); i++) {
        if (strcmp(argv[1], kernels[i].version) != 0)
            continue;
        filter(kernels[i].last, kernels[i].refuses_empty_path);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        return EXIT_FAILURE;
    }
    fprintf(stderr, "usage: old-kernel 2.6.32|3.2 PROGRAM [ARGUMENT]...\n");
    return EXIT_FAILURE;
}
