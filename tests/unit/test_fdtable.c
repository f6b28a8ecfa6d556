#include "capture/fdtable.h"

#include "unit.h"

/* Sockets of the test are in no table of sockets: they are plain memory with counters. */
static struct sock socks[4];

static int fresh(void **state)
{
	(void)state;
	memset(socks, 0, sizeof(socks));
	for (size_t i = 0; i < COUNT(socks); i++)
		socks[i].refs = 1;
	return 0;
}

/* What the caller does with a socket that left the table. */
static void drop(struct sock *sock)
{
	if (sock)
		sock->refs--;
}

static void expect_counts(const struct sock *sock, unsigned int refs, unsigned int fds)
{
	assert_int_equal(sock->refs, refs);
	assert_int_equal(sock->fds, fds);
}

static void three_states(void **state)
{
	struct fdtable *table = fdtable_new();
	struct sock *found = NULL;

	(void)state;
	assert_int_equal(fdtable_find(table, 5, &found), FD_UNKNOWN);
	assert_null(found);
	assert_null(fdtable_set_other(table, 5));
	assert_int_equal(fdtable_find(table, 5, &found), FD_OTHER);
	assert_null(found);
	assert_null(fdtable_set_socket(table, 5, &socks[0]));
	assert_int_equal(fdtable_find(table, 5, &found), FD_SOCKET);
	assert_ptr_equal(found, &socks[0]);
	expect_counts(&socks[0], 2, 1);
	assert_ptr_equal(fdtable_forget(table, 5), &socks[0]);
	expect_counts(&socks[0], 2, 0);
	drop(&socks[0]);
	assert_int_equal(fdtable_find(table, 5, &found), FD_UNKNOWN);
	assert_null(fdtable_forget(table, 5));
	assert_null(fdtable_set_other(table, 6));
	assert_null(fdtable_forget(table, 6));
	fdtable_put(table);
	expect_counts(&socks[0], 1, 0);
}

static void any_descriptor_number(void **state)
{
	static const int fds[] = { 0, 1, 1 << 20, INT32_MAX, -1, INT32_MIN };
	struct fdtable *table = fdtable_new();
	struct sock *found = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(fds); i++)
		assert_int_equal(fdtable_find(table, fds[i], &found), FD_UNKNOWN);
	for (size_t i = 0; i < COUNT(fds); i++)
		fdtable_set_socket(table, fds[i], &socks[0]);
	expect_counts(&socks[0], 1 + COUNT(fds), COUNT(fds));
	for (size_t i = 0; i < COUNT(fds); i++)
		drop(fdtable_forget(table, fds[i]));
	expect_counts(&socks[0], 1, 0);
	fdtable_put(table);
}

static void replacing_hands_back_the_old_one(void **state)
{
	struct fdtable *table = fdtable_new();

	(void)state;
	fdtable_set_socket(table, 3, &socks[0]);
	assert_ptr_equal(fdtable_set_socket(table, 3, &socks[1]), &socks[0]);
	expect_counts(&socks[0], 2, 0);
	expect_counts(&socks[1], 2, 1);
	drop(&socks[0]);
	/* dup2 of a descriptor onto one of the same socket. */
	assert_ptr_equal(fdtable_set_socket(table, 3, &socks[1]), &socks[1]);
	expect_counts(&socks[1], 3, 1);
	drop(&socks[1]);
	assert_ptr_equal(fdtable_set_other(table, 3), &socks[1]);
	expect_counts(&socks[1], 2, 0);
	drop(&socks[1]);
	fdtable_put(table);
	expect_counts(&socks[0], 1, 0);
	expect_counts(&socks[1], 1, 0);
}

static void sockets_in_ascending_order(void **state)
{
	static const int order[] = { 900, 3, 70, 4, 65536 }, sorted[] = { 3, 4, 70, 900, 65536 };
	struct fdtable *table = fdtable_new();
	size_t count = 99;
	int *fds = fdtable_sockets(table, &count);

	(void)state;
	assert_int_equal(count, 0);
	free(fds);
	assert_false(fdtable_has_socket(table));
	for (int fd = 5; fd < 60; fd++)
		fdtable_set_other(table, fd);
	assert_false(fdtable_has_socket(table));
	for (size_t i = 0; i < COUNT(order); i++)
		fdtable_set_socket(table, order[i], &socks[i % COUNT(socks)]);
	assert_true(fdtable_has_socket(table));
	fds = fdtable_sockets(table, &count);
	assert_int_equal(count, COUNT(sorted));
	assert_memory_equal(fds, sorted, sizeof(sorted));
	for (size_t i = 0; i < count; i++)
		drop(fdtable_forget(table, fds[i]));
	free(fds);
	assert_false(fdtable_has_socket(table));
	fdtable_put(table);
}

static void descriptors_of_one_socket(void **state)
{
	struct fdtable *table = fdtable_new();

	(void)state;
	assert_int_equal(fdtable_count(table, &socks[0]), 0);
	for (int fd = 0; fd < 10; fd++)
		fdtable_set_socket(table, fd, &socks[fd % 3]);
	fdtable_set_other(table, 20);
	assert_int_equal(fdtable_count(table, &socks[0]), 4);
	assert_int_equal(fdtable_count(table, &socks[1]), 3);
	assert_int_equal(fdtable_count(table, &socks[3]), 0);
	for (int fd = 0; fd < 10; fd++)
		drop(fdtable_forget(table, fd));
	assert_int_equal(fdtable_count(table, &socks[0]), 0);
	fdtable_put(table);
}

static void others_are_forgotten(void **state)
{
	struct fdtable *table = fdtable_new();
	struct sock *found;

	(void)state;
	for (int fd = 0; fd < 100; fd++) {
		if (fd == 50)
			fdtable_set_socket(table, fd, &socks[0]);
		else
			fdtable_set_other(table, fd);
	}
	fdtable_forget_others(table);
	for (int fd = 0; fd < 100; fd++)
		assert_int_equal(fdtable_find(table, fd, &found),
				 fd == 50 ? FD_SOCKET : FD_UNKNOWN);
	drop(fdtable_forget(table, 50));
	fdtable_put(table);
	expect_counts(&socks[0], 1, 0);
}

static void copies_have_their_own_references(void **state)
{
	struct fdtable *table = fdtable_new(), *copy;
	struct sock *found;

	(void)state;
	fdtable_set_socket(table, 3, &socks[0]);
	fdtable_set_socket(table, 4, &socks[0]);
	fdtable_set_socket(table, 5, &socks[1]);
	fdtable_set_other(table, 6);
	copy = fdtable_copy(table);
	expect_counts(&socks[0], 5, 4);
	expect_counts(&socks[1], 3, 2);
	for (int fd = 3; fd < 6; fd++)
		drop(fdtable_forget(table, fd));
	fdtable_put(table);
	expect_counts(&socks[0], 3, 2);
	expect_counts(&socks[1], 2, 1);
	assert_int_equal(fdtable_find(copy, 4, &found), FD_SOCKET);
	assert_ptr_equal(found, &socks[0]);
	for (int fd = 3; fd < 6; fd++)
		drop(fdtable_forget(copy, fd));
	fdtable_put(copy);
	expect_counts(&socks[0], 1, 0);
	expect_counts(&socks[1], 1, 0);
}

static void shared_until_the_last(void **state)
{
	struct fdtable *table = fdtable_new();

	(void)state;
	assert_ptr_equal(fdtable_get(table), table);
	fdtable_set_socket(table, 3, &socks[0]);
	/* Not the last: there may be sockets in it. */
	fdtable_put(table);
	drop(fdtable_forget(table, 3));
	fdtable_put(table);
	fdtable_put(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(three_states, fresh),
		cmocka_unit_test_setup(any_descriptor_number, fresh),
		cmocka_unit_test_setup(replacing_hands_back_the_old_one, fresh),
		cmocka_unit_test_setup(sockets_in_ascending_order, fresh),
		cmocka_unit_test_setup(descriptors_of_one_socket, fresh),
		cmocka_unit_test_setup(others_are_forgotten, fresh),
		cmocka_unit_test_setup(copies_have_their_own_references, fresh),
		cmocka_unit_test_setup(shared_until_the_last, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
