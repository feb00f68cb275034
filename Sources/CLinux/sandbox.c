/* Landlock by raw system calls: Debian 12's linux/landlock.h describes ABI 2, the kernels that Fovea meets are newer.
 * The structure and the numbers below are the kernel's (include/uapi/linux/landlock.h in Linux 6.15); what the running
 * kernel does not know is left out after asking it for its ABI.
 *
 * seccomp is a list of what is forbidden, not of what is allowed: lists of the allowed kept breaking elsewhere with
 * every new libc (glycin went from one to the other). Landlock holds files and TCP; seccomp adds what Landlock does
 * not cover (sockets of other kinds, new processes, tracing, mounts, keys, io_uring and bpf as a way round) and is
 * what remains on a kernel without Landlock. */
#define _GNU_SOURCE
#include "sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same numbers on every architecture. */
enum { landlock_create_ruleset = 444, landlock_add_rule = 445, landlock_restrict_self = 446, close_range_call = 436 };

struct ruleset {
    uint64_t handled_fs;
    uint64_t handled_net; /* ABI 4 */
    uint64_t scoped;      /* ABI 6 */
};

struct __attribute__((packed)) path_beneath {
    uint64_t allowed;
    int32_t parent;
};

enum { execute = 1 << 0, read_file = 1 << 2, read_directory = 1 << 3 };

int cl_close_from(int first) { return (int)syscall(close_range_call, first, ~0u, 0); }

int cl_die_with_parent(pid_t parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return -1;
    if (parent != 0 && getppid() != parent) {
        errno = ESRCH;
        return -1;
    }
    return 0;
}

int cl_no_new_privileges(void) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int cl_landlock_abi(void) { return (int)syscall(landlock_create_ruleset, NULL, 0, 1 /* VERSION */); }

/* The file rights of an ABI are the low bits. */
static uint64_t file_rights(int abi) {
    int bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
    return ((uint64_t)1 << bits) - 1;
}

int cl_landlock_only(const char *const *readable, size_t count) {
    int abi = cl_landlock_abi();
    if (abi < 1) return -1;
    struct ruleset rules = {.handled_fs = file_rights(abi)};
    size_t size = sizeof rules.handled_fs;
    if (abi >= 4) {
        rules.handled_net = 3; /* bind, connect */
        size = 2 * sizeof(uint64_t);
    }
    if (abi >= 6) {
        rules.scoped = 3; /* abstract unix sockets, signals */
        size = 3 * sizeof(uint64_t);
    }
    int ruleset = (int)syscall(landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0) return -1;
    for (size_t i = 0; i < count; i++) {
        int path = open(readable[i], O_PATH | O_CLOEXEC);
        if (path < 0) continue;
        struct stat status;
        struct path_beneath rule = {.allowed = execute | read_file | read_directory, .parent = path};
        if (fstat(path, &status) == 0 && !S_ISDIR(status.st_mode)) rule.allowed &= ~(uint64_t)read_directory;
        long result = syscall(landlock_add_rule, ruleset, 1 /* PATH_BENEATH */, &rule, 0);
        int reason = errno;
        close(path);
        if (result != 0) {
            close(ruleset);
            errno = reason;
            return -1;
        }
    }
    int result = (int)syscall(landlock_restrict_self, ruleset, 0);
    int reason = errno;
    close(ruleset);
    errno = reason;
    return result;
}

int cl_thread_count(void) {
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) return -1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static int statm(unsigned long *size, unsigned long *resident) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) return -1;
    int read = fscanf(file, "%lu %lu", size, resident);
    fclose(file);
    return read == 2 ? 0 : -1;
}

uint64_t cl_address_space(void) {
    unsigned long size, resident;
    return statm(&size, &resident) == 0 ? (uint64_t)size * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t cl_resident(void) {
    unsigned long size, resident;
    return statm(&size, &resident) == 0 ? (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void cl_heap_trim(void) { malloc_trim(0); }

uint64_t cl_heap_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return (uint64_t)info.uordblks + (uint64_t)info.hblkhd;
}

static int limit(int resource, uint64_t value) {
    struct rlimit limits;
    if (getrlimit(resource, &limits) != 0) return -1;
    if (limits.rlim_max == RLIM_INFINITY || value < limits.rlim_max) limits.rlim_max = value;
    limits.rlim_cur = limits.rlim_max;
    return setrlimit(resource, &limits);
}

int cl_limits(uint64_t address_space, uint64_t descriptors) {
    if (limit(RLIMIT_FSIZE, 0) != 0 || limit(RLIMIT_CORE, 0) != 0) return -1;
    if (limit(RLIMIT_NOFILE, descriptors) != 0) return -1;
    return limit(RLIMIT_AS, address_space);
}

int cl_seccomp(void) {
    static const char *const forbidden[] = {
        /* sockets: what came as a descriptor can be used, nothing new can be made */
        "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "socketcall",
        /* files by name */
        "open", "openat", "openat2", "creat", "open_by_handle_at", "name_to_handle_at", "rename", "renameat",
        "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir",
        "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "truncate",
        "ftruncate", "fallocate", "utimensat", "chdir", "fchdir", "chroot", "setxattr", "lsetxattr", "fsetxattr",
        "removexattr", "lremovexattr", "fremovexattr", "inotify_init", "inotify_init1", "fanotify_init",
        "memfd_create", "memfd_secret",
        /* processes */
        "execve", "execveat", "fork", "vfork", "clone3", "ptrace", "process_vm_readv", "process_vm_writev",
        "process_madvise", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp", "unshare", "setns", "prctl",
        "seccomp", "prlimit64", "setrlimit", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid",
        "setgroups", "setsid", "setpgid", "capset", "setpriority", "sched_setscheduler", "sched_setattr",
        "ioprio_set", "personality",
        /* the kernel itself */
        "mount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsmount", "fspick", "mount_setattr",
        "swapon", "swapoff", "reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module",
        "delete_module", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
        "io_uring_register", "add_key", "request_key", "keyctl", "acct", "quotactl", "syslog", "settimeofday",
        "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "iopl", "ioperm", "lookup_dcookie",
        "vhangup", "modify_ldt", "shmget", "shmat", "shmctl", "msgget", "msgsnd", "semget", "semop", "mq_open",
    };
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    if (context == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof forbidden / sizeof *forbidden; i++) {
        int number = seccomp_syscall_resolve_name(forbidden[i]);
        /* Below 0: unknown to this libseccomp, or not a call of this architecture. */
        if (number >= 0) result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), number, 0);
    }
    /* A process is made by a clone without CLONE_VM; abort() and pthread_create are none of our business here, but no
     * thread is needed any more either, so clone is refused altogether. Signals: to oneself only, for abort(). */
    uint64_t self = (uint64_t)getpid();
    if (result == 0) result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 0);
    const int signals[] = {SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(tgkill), SCMP_SYS(rt_sigqueueinfo),
                           SCMP_SYS(rt_tgsigqueueinfo)};
    for (size_t i = 0; result == 0 && i < sizeof signals / sizeof *signals; i++) {
        result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), signals[i], 1, SCMP_A0(SCMP_CMP_NE, self));
    }
    if (result == 0) result = seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1);
    if (result == 0) result = seccomp_load(context);
    seccomp_release(context);
    if (result != 0) {
        errno = -result;
        return -1;
    }
    return 0;
}
