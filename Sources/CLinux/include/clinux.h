/* clinux.h: the system calls that Swift on Linux cannot import, each under its own name with the
 * prefix `cl_`, returning what the call returns and leaving errno as the call left it. */
#ifndef CLINUX_H
#define CLINUX_H

#include "sandbox.h"

#include <fcntl.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>

/** renameat2(2) with RENAME_NOREPLACE: fails with EEXIST where `to` exists. */
int cl_rename_noreplace(const char *from, const char *to);

/** renameat2(2) with RENAME_EXCHANGE: both exist, and change places at once. */
int cl_rename_exchange(const char *from, const char *to);

/** memfd_create(2), close-on-exec. */
int cl_memfd(const char *name);

/** eventfd(2), close-on-exec, non-blocking. */
int cl_eventfd(void);

/** pidfd_open(2). */
int cl_pidfd_open(pid_t pid);

/** flock(2) LOCK_EX | LOCK_NB. */
int cl_flock_exclusive(int descriptor);

/** openat(2) with a mode. */
int cl_open(const char *path, int flags, mode_t mode);

/** syncfs(2). */
int cl_syncfs(int descriptor);

/** The device number's major and minor, f_type of statfs(2); 0 or -1. */
int cl_filesystem_type(const char *path, int64_t *type);

/** socketpair(2): AF_UNIX, SOCK_SEQPACKET, close-on-exec. */
int cl_seqpacket_pair(int descriptors[2]);

/** sendmsg(2) of one message from two buffers (either may be empty) with `count` (0 to 253) descriptors by
 *  SCM_RIGHTS, MSG_NOSIGNAL plus `flags`. */
ssize_t cl_send(int socket, const void *head, size_t head_size, const void *body, size_t body_size,
                const int *descriptors, int count, int flags);

/** recvmsg(2) of one message, MSG_CMSG_CLOEXEC plus `flags`. `*count` is the room at `descriptors` on entry and
 *  their number on return; descriptors that found no room are closed. Returns -1 with EMSGSIZE if the message was
 *  truncated. */
ssize_t cl_receive(int socket, void *buffer, size_t size, int *descriptors, int *count, int flags);

/** SO_PEERCRED of a connected unix socket. */
int cl_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid);

/** sched_getaffinity(2) of the caller: how many processors it may use; -1 where that cannot be told. */
int cl_processors(void);

/** sched_setscheduler(2): SCHED_IDLE for process `pid` (0: the caller), or with `idle` 0 back to SCHED_OTHER, which
 *  needs CAP_SYS_NICE or an RLIMIT_NICE of at least 20. */
int cl_set_idle(pid_t pid, int idle);

/** ioprio_set(2), idle class, for the calling thread. */
int cl_set_io_idle(void);

/** Blocks SIGTERM, SIGINT and SIGHUP in this thread and those it starts, ignores SIGPIPE. */
int cl_block_signals(void);

/** sigwait(3) for the signals that cl_block_signals blocks: the signal's number. */
int cl_wait_signal(void);

/** posix_spawn(3) attributes: default dispositions, nothing blocked, own process group if `own_group`. */
int cl_spawn_attributes(posix_spawnattr_t *attributes, int own_group);

/** prctl(2) PR_SET_NAME: names the calling thread, at most 15 bytes. */
void cl_name_thread(const char *name);

#endif
