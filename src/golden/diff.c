#include "golden/diff.h"

#include "base/own.h"

#include <string.h>

struct sides {
	const uint64_t *a, *b;
	size_t a_count, b_count;
	size_t *kept;
	size_t a_from, b_from; /* of these sides in the whole */
};

/* Furthest x on diagonal k after d edits; row d has 2d+1 of them. */
struct rows {
	int32_t **rows;
	int count;
};

static int32_t reach(const struct rows *rows, int d, int k)
{
	return k < -d || k > d ? -1 : rows->rows[d][k + d];
}

/* Where the d-th edit on diagonal k leads: down (a line of b) or right (a line of a is gone). */
static int32_t step(const struct rows *rows, int d, int k)
{
	int32_t down, right;

	if (!d)
		return 0;
	down = reach(rows, d - 1, k + 1);
	right = reach(rows, d - 1, k - 1);
	if (k == -d || (k != d && right < down))
		return down;
	return right + 1;
}

/* Adds row d; true when the end is reached on *ret_k. */
static bool add_row(const struct sides *sides, struct rows *rows, int d, int *ret_k)
{
	int32_t a_count = (int32_t)sides->a_count, b_count = (int32_t)sides->b_count;

	rows->rows[d] = own_alloc((2 * (size_t)d + 1) * sizeof(int32_t));
	rows->count = d + 1;
	memset(rows->rows[d], 0xff, (2 * (size_t)d + 1) * sizeof(int32_t));
	for (int k = -d; k <= d; k += 2) {
		int32_t x = step(rows, d, k), y = x - k;

		/* Beyond an end: no way. */
		if (x < 0 || x > a_count || y < 0 || y > b_count)
			continue;
		while (x < a_count && y < b_count && sides->a[x] == sides->b[y]) {
			x++;
			y++;
		}
		rows->rows[d][k + d] = x;
		if (x == a_count && y == b_count) {
			*ret_k = k;
			return true;
		}
	}
	return false;
}

/* Back from the end: what lies between the edits is kept. */
static void walk_back(const struct sides *sides, const struct rows *rows, int d, int k)
{
	int32_t x = (int32_t)sides->a_count;

	for (; d >= 0; d--) {
		int32_t start = step(rows, d, k), down, right;

		for (; x > start; x--)
			sides->kept[sides->a_from + (size_t)x - 1] =
				sides->b_from + (size_t)(x - 1 - k);
		if (!d)
			return;
		down = reach(rows, d - 1, k + 1);
		right = reach(rows, d - 1, k - 1);
		if (k == -d || (k != d && right < down)) {
			k++;
			x = down;
		} else {
			k--;
			x = right;
		}
	}
}

static bool find_way(const struct sides *sides)
{
	struct rows rows = { 0 };
	int k = 0, d = 0;
	bool found = false;

	if (!sides->a_count || !sides->b_count || sides->a_count > INT32_MAX / 2 ||
	    sides->b_count > INT32_MAX / 2)
		return !sides->a_count || !sides->b_count;
	rows.rows = own_alloc((DIFF_EDITS + 1) * sizeof(*rows.rows));
	for (; d <= DIFF_EDITS && !found; d++)
		found = add_row(sides, &rows, d, &k);
	if (found)
		walk_back(sides, &rows, d - 1, k);
	for (int i = 0; i < rows.count; i++)
		free(rows.rows[i]);
	free(rows.rows);
	return found;
}

bool diff_lines(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count,
		size_t *ret_kept)
{
	size_t head = 0, tail = 0;

	for (size_t i = 0; i < a_count; i++)
		ret_kept[i] = DIFF_NONE;
	while (head < a_count && head < b_count && a[head] == b[head]) {
		ret_kept[head] = head;
		head++;
	}
	while (tail < a_count - head && tail < b_count - head &&
	       a[a_count - 1 - tail] == b[b_count - 1 - tail]) {
		ret_kept[a_count - 1 - tail] = b_count - 1 - tail;
		tail++;
	}
	return find_way(&(struct sides){ .a = a + head,
					 .b = b + head,
					 .a_count = a_count - head - tail,
					 .b_count = b_count - head - tail,
					 .kept = ret_kept,
					 .a_from = head,
					 .b_from = head });
}
