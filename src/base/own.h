/* Ownership: allocate or die, and release at the end of the scope. */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include <stddef.h>
#include <stdlib.h>

/* These end the program when there is no memory; the caller frees what they return. */
void *own_alloc(size_t size);
void *own_zalloc(size_t size);
void *own_realloc(void *ptr, size_t size);
char *own_strdup(const char *text);
char *own_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For the cleanup attribute; ptr points to the variable that goes out of scope. */
void own_free_ptr(void *ptr);
void own_close_fd(int *fd);

#define auto_free  __attribute__((cleanup(own_free_ptr)))
#define auto_close __attribute__((cleanup(own_close_fd)))

/* Hands an auto_ variable to the caller: take(&p) empties it and returns its value. */
static inline void *take_ptr(void *ptr)
{
	void **slot = ptr;
	void *value = *slot;

	*slot = NULL;
	return value;
}

static inline int take_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

#endif
