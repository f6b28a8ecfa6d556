#include "golden/day.h"

#include "golden/pattern.h"

#define DAY_NS (86400ULL * 1000000000)

/* Longer names are those and more letters. */
static const char *const months[] = { "January",   "February", "March",    "April",
				      "May",       "June",     "July",     "August",
				      "September", "October",  "November", "December" };
static const char *const weekdays[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
					"Thursday", "Friday", "Saturday" };

/*
 * Y: a year of four digits; M, D: month and day of two, m, d: of one or two; B: a month's name, W: a day's,
 * whole or three letters of it.
 */
static const char *const forms[] = {
	"Y-M-D", "Y/M/D",    "Y.M.D",   "Y_M_D",   "YMD",       "d.m.Y",    "d-m-Y",
	"m-d-Y", "d/m/Y",    "m/d/Y",   "d B Y",   "d-B-Y",     "d/B/Y",    "B d, Y",
	"B d Y", "W, d B Y", "W d B Y", "W B d Y", "W, B d, Y", "W, Y-M-D",
};

struct date {
	int64_t year;
	int month, day;
};

/* Of the proleptic Gregorian calendar: years are counted from March, so that leap days are their last. */
static int64_t day_number(const struct date *date)
{
	int64_t year = date->year - (date->month < 3);
	int64_t of_year =
		(153 * (date->month + (date->month < 3 ? 9 : -3)) + 2) / 5 + date->day - 1;

	return 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719468;
}

struct days days_of(uint64_t first, uint64_t last)
{
	return (struct days){ .first = (int64_t)(first / DAY_NS) - 1,
			      .last = (int64_t)(last / DAY_NS) + 1 };
}

bool day_may_begin(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'W');
}

/* From `min` to `max` digits; how many, 0: not so. */
static size_t read_number(struct span text, size_t min, size_t max, int64_t *ret_number)
{
	size_t len = 0;

	*ret_number = 0;
	while (len < max && len < text.len && text.data[len] >= '0' && text.data[len] <= '9')
		*ret_number = *ret_number * 10 + (text.data[len++] - '0');
	return len < min ? 0 : len;
}

/* Number of the name from 1; its length, 0: it is none. */
static size_t read_name(struct span text, const char *const *names, int count, int *ret_number)
{
	for (int i = 0; i < count; i++) {
		struct span name = span_text(names[i]);

		if (!span_starts(text, span_cut(name, 0, 3)))
			continue;
		*ret_number = i + 1;
		return span_starts(text, name) ? name.len : 3;
	}
	return 0;
}

size_t day_month(struct span text, int *ret_month)
{
	return read_name(text, months, 12, ret_month);
}

static size_t read_part(char part, struct span text, struct date *date)
{
	int64_t number = 0;
	int weekday;
	size_t len;

	switch (part) {
	case 'Y':
		return read_number(text, 4, 4, &date->year);
	case 'B':
		return day_month(text, &date->month);
	case 'W':
		return read_name(text, weekdays, 7, &weekday);
	case 'M':
	case 'm':
		len = read_number(text, part == 'M' ? 2 : 1, 2, &number);
		date->month = (int)number;
		return len;
	case 'D':
	case 'd':
		len = read_number(text, part == 'D' ? 2 : 1, 2, &number);
		date->day = (int)number;
		return len;
	default:
		return text.len && text.data[0] == (uint8_t)part;
	}
}

static size_t read_form(const char *form, struct span text, struct date *ret_date)
{
	size_t at = 0, len;

	for (; *form; form++) {
		len = read_part(*form, span_cut(text, at, text.len), ret_date);
		if (!len)
			return 0;
		at += len;
	}
	return at < text.len && pattern_is_word(text.data[at]) ? 0 : at;
}

size_t day_match(const struct days *days, struct span text)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct date date = { 0 };
		size_t len = read_form(forms[i], text, &date);
		int64_t day;

		if (!len || date.month < 1 || date.month > 12 || date.day < 1 || date.day > 31)
			continue;
		day = day_number(&date);
		if (day >= days->first && day <= days->last)
			return len;
	}
	return 0;
}
