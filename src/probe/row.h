/*
 * What is probed: one row per function. The rows of TLS libraries are const; the user's own are made
 * from --probe. Adding a library is adding rows (docs/howto/add-a-tls-library.md).
 */
#ifndef PROBE_ROW_H
#define PROBE_ROW_H

#include <stdbool.h>
#include <stdint.h>

enum row_abi { ABI_C, ABI_GO };

/* When a row's values are looked at, and what is done then. */
enum row_kind {
	ROW_CALL,   /* at the return: buffer and length are data; no length: others are within it */
	ROW_FORGET, /* at the entry: the session ends */
	ROW_UNBIND, /* at the entry: the session gets another socket, or begins anew */
	ROW_ROLE,   /* at the entry: the session's hello goes out (a client's) or comes in: `dir` */
	ROW_BIND,   /* at the return: the session has a descriptor, `buffer` */
};

enum row_dir { ROW_OUT, ROW_IN };

/* Where a value is. */
enum place_kind {
	PLACE_NONE,
	PLACE_ARG,    /* argument `index` */
	PLACE_RESULT, /* result `index` */
	PLACE_AT_ARG, /* the word that argument `index` points to, at the return; `size` bytes */
	PLACE_FIELD,  /* the field at `offset` of what argument `index` points to; `size` bytes */
	PLACE_USED,   /* what that field has shrunk by between entry and return */
};

struct place {
	enum place_kind kind;
	uint8_t index;
	uint8_t size; /* 4 or 8 */
	uint16_t offset;
};

enum success {
	IF_POSITIVE, /* the result (32 bits) is a count: more than 0 */
	IF_ONE,      /* the result is 1 */
	IF_NONZERO,  /* the result (32 bits) is not 0 */
	ALWAYS,
};

struct probe_row {
	const char *symbol; /* of the function; the user's may end in '*' */
	const char *maker;  /* for people: the library or language it is from */
	const char *unless; /* not where the module has that function as well; NULL: always */
	const char *within; /* not told inside that function: it is told elsewhere; NULL: always */
	const char *method; /* the symbol returns a table: the function at `slot`, by this name */
	uint8_t slot;
	enum row_abi abi;
	enum row_kind kind;
	enum row_dir dir;
	bool at_entry; /* the buffer is read at the entry, not at the return */
	bool peek;     /* the bytes will be read again */
	bool is_tls;   /* --no-tls switches it off */
	enum success success;
	struct place session, buffer, length;
};

/* Nobody looks at its return. */
static inline bool row_is_entry_only(const struct probe_row *row)
{
	return (row->kind != ROW_CALL && row->kind != ROW_BIND) || row->at_entry;
}

/* Tables, each ended by a row without a symbol. */
extern const struct probe_row openssl_rows[], gnutls_rows[], go_rows[], mono_rows[];

/* All const tables, ended by NULL. */
extern const struct probe_row *const probe_tables[];

/* Named rows for --probe: gzip, zlib, brotli; NULL where there is no such name. */
const struct probe_row *probe_named_rows(const char *name);
extern const char *const probe_names[];

#endif
