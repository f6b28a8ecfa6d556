/* Small facts from /proc about a process: hostile names, bounded reads. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads a whole small file (at most cap - 1 bytes, NUL added). Returns its length or -errno. */
ssize_t proc_read_file(const char *path, char *data, size_t cap);

/* /proc/PID/NAME; as above. */
ssize_t proc_read(pid_t pid, const char *name, char *data, size_t cap);

/* The number behind "Key:" in /proc/PID/status, -errno where the process or the key is not there.
 */
int64_t proc_status(pid_t pid, const char *key);

/* Sets of signals of a thread: a bit each, SIGHUP's the lowest (proc(5), SigPnd and so on). */
struct proc_signals {
	uint64_t own, shared; /* that wait for the thread, for the process */
	uint64_t blocked, ignored, caught;
};

#define PROC_SIGNAL(sig) (1ULL << ((sig)-1))

/* 0 or -errno. */
int proc_signals(pid_t tid, struct proc_signals *ret_signals);

/* The target of the link /proc/PID/NAME in text (NUL added, cut to cap). Length or -errno. */
ssize_t proc_link(pid_t pid, const char *name, char *text, size_t cap);

/* The socket's inode behind descriptor fd of pid, 0 where it is no socket, -errno on failure. */
int64_t proc_socket_inode(pid_t pid, int fd);

/* The next number of a directory such as /proc/PID/fd or task: calls each(ctx, number). 0 or
 * -errno. */
int proc_each(pid_t pid, const char *dir, void (*each)(void *ctx, int number), void *ctx);

#endif
