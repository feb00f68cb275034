/* sandbox.h: how a worker gives up its rights. Each function returns 0, or -1 with errno; a kernel that lacks a
 * mechanism answers ENOSYS or EOPNOTSUPP. Nothing here can be taken back by the process. */
#ifndef CLINUX_SANDBOX_H
#define CLINUX_SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** close_range(2): every descriptor from `first` on. */
int cl_close_from(int first);

/** PR_SET_PDEATHSIG: SIGKILL when the thread that spawned this process ends. -1 with ESRCH when it has ended already,
 *  that is when the parent is not `parent` (0: do not look). */
int cl_die_with_parent(pid_t parent);

/** PR_SET_NO_NEW_PRIVS, and PR_SET_DUMPABLE off: no set-uid programs, no core, no ptrace by other processes of this
 *  user. */
int cl_no_new_privileges(void);

/** The Landlock ABI of the running kernel; -1 where there is none. */
int cl_landlock_abi(void);

/** Landlock: from here on the calling thread, and those it starts, may read and execute under `readable` (a path that
 *  does not exist is left out) and nothing else: no writing, no TCP, no signals or abstract unix sockets outside, as
 *  far as the kernel's ABI goes. Layers add up: a later one only takes away. */
int cl_landlock_only(const char *const *readable, size_t count);

/** The entries of /proc/self/task; -1 on error. */
int cl_thread_count(void);

/** Size of the address space in bytes (/proc/self/statm); 0 on error. */
uint64_t cl_address_space(void);

/** Resident bytes (/proc/self/statm); 0 on error. */
uint64_t cl_resident(void);

/** Gives freed memory back to the kernel (malloc_trim(3)), so that cl_resident counts what is in use. */
void cl_heap_trim(void);

/** Bytes that malloc(3) has given out and not got back (mallinfo2(3)), in all arenas. */
uint64_t cl_heap_in_use(void);

/** RLIMIT_AS to `address_space`; RLIMIT_FSIZE and RLIMIT_CORE to 0; RLIMIT_NOFILE to `descriptors`. */
int cl_limits(uint64_t address_space, uint64_t descriptors);

/** seccomp, on all threads. The calls that reach outside the process or make another fail with EPERM; foreign
 *  architectures are killed. */
int cl_seccomp(void);

#endif
