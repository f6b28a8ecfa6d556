/* Messages of iotrace itself, on standard error. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * "iotrace: …" in one write, so that lines of several processes do not mix; controls in it are
 * escaped, as names of files and programs can hold anything.
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with strerror(error) behind; returns -error, for `return log_errno(errno, …)`. */
int log_errno(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where the messages go: standard error, unless that is the program's and must not be touched. */
void log_set_fd(int fd);

#endif
