/* A summary for people. */
#include "base/addr.h"
#include "sink/hexdump.h"
#include "sink/summary.h"

#include <stdio.h>
#include <string.h>

/* "1.5 MB"; powers of 1000, as rates are usual. */
static const char *size_text(uint64_t bytes, char text[16])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	snprintf(text, 16, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

static const char *time_text(uint64_t ns, char text[16])
{
	static const struct {
		double ns;
		const char *name;
	} units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" } };
	size_t unit = 0;

	while (unit < 3 && (double)ns < units[unit].ns)
		unit++;
	snprintf(text, 16, (double)ns / units[unit].ns < 9.95 ? "%.1f %s" : "%.0f %s",
		 (double)ns / units[unit].ns, units[unit].name);
	return text;
}

static const char *rate_text(uint64_t bytes, const struct sums *sums, char text[16])
{
	uint64_t ns = sums->last - sums->first;

	if (!ns || !bytes)
		return strcpy(text, "-");
	size_text((uint64_t)((double)bytes * 1e9 / (double)ns), text);
	return text;
}

/* Seconds since the trace began. */
static double since(const struct summary *summary, uint64_t time)
{
	return time > summary->first ? (double)(time - summary->first) / 1e9 : 0;
}

static void add_name(struct buf *buf, const char *comm, int32_t pid)
{
	struct buf name auto_buf = { 0 };

	payload_add_line(&name, comm, strlen(comm));
	buf_addf(&name, "[%d]", pid);
	buf_addf(buf, "%-22s", buf_cstr(&name));
}

static void add_sums(struct buf *buf, const struct summary *summary, const struct sums *sums)
{
	char out[16], in[16], out_rate[16], in_rate[16], gap[16];

	buf_addf(buf, " %8s %8s %9lu %6lu %8.3f %8.3f %8s %8s %8s",
		 size_text(sums->bytes[DIR_OUT], out), size_text(sums->bytes[DIR_IN], in),
		 sums->calls[DIR_OUT] + sums->calls[DIR_IN], sums->errors,
		 since(summary, sums->first), since(summary, sums->last),
		 rate_text(sums->bytes[DIR_OUT], sums, out_rate),
		 rate_text(sums->bytes[DIR_IN], sums, in_rate),
		 sums->gap ? time_text(sums->gap, gap) : "-");
}

#define SUMS_HEAD "      out       in     calls errors    first     last    out/s     in/s      gap"

static bool is_silent(const struct process_row *row)
{
	return !(row->connections || row->sums.calls[DIR_OUT] || row->sums.calls[DIR_IN] ||
		 row->sums.plain[DIR_OUT] || row->sums.plain[DIR_IN] || row->sums.errors);
}

static void add_processes(struct buf *buf, const struct summary *summary)
{
	const struct process_row *row;
	size_t silent = 0;

	buf_adds(buf, "process               " SUMS_HEAD "  connections\n");
	TAILQ_FOREACH(row, &summary->processes, next) {
		silent += is_silent(row);
		if (is_silent(row))
			continue;
		add_name(buf, row->comm, row->pid);
		add_sums(buf, summary, &row->sums);
		buf_addf(buf, "  %lu\n", row->connections);
	}
	if (silent)
		buf_addf(buf, "and %zu without traffic\n", silent);
}

static void add_peer(struct buf *buf, const struct conn_row *row)
{
	char text[ADDR_TEXT_MAX];

	if (addr_is_empty(&row->remote))
		addr_format(&row->local, text);
	else
		addr_format(&row->remote, text);
	buf_addf(buf, "  %s %s%s",
		 event_proto_names[row->proto] ? event_proto_names[row->proto] : "",
		 row->accepts && !addr_is_empty(&row->remote) ? "from " : "", text);
	if (row->other)
		buf_addf(buf, " (other end: #%lu)", row->other);
}

static void add_answers(struct buf *buf, const struct histogram *answers)
{
	static const double parts[] = { 0.5, 0.9, 0.99, 1 };
	char text[16];

	if (!answers) {
		buf_addf(buf, " %8s %8s %8s %8s %8s", "-", "", "", "", "");
		return;
	}
	buf_addf(buf, " %8lu", answers->count);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		buf_addf(buf, " %8s", time_text(histogram_quantile(answers, parts[i]), text));
}

static void add_conns(struct buf *buf, const struct summary *summary)
{
	const struct conn_row *row;

	buf_adds(buf, "\nconn    process               " SUMS_HEAD
		      "  answers      p50      p90      p99      max  peer\n");
	TAILQ_FOREACH(row, &summary->conns, next) {
		if (!conn_row_is_worth(row))
			continue;
		buf_addf(buf, "#%-6lu ", row->conn);
		add_name(buf, row->comm, row->pid);
		add_sums(buf, summary, &row->sums);
		add_answers(buf, row->answers);
		add_peer(buf, row);
		buf_addc(buf, '\n');
	}
	if (!summary->left_out)
		return;
	buf_addf(buf, "%-8s%-22s", "", "the others");
	add_sums(buf, summary, &summary->rest);
	buf_addf(buf, " %8s %8s %8s %8s %8s  %lu connections\n", "-", "", "", "", "",
		 summary->left_out);
}

void summary_add_table(struct buf *buf, const struct summary *summary)
{
	add_processes(buf, summary);
	add_conns(buf, summary);
	buf_addf(buf, "\n%-22s", "total");
	add_sums(buf, summary, &summary->total);
	buf_addc(buf, '\n');
	if (summary->lost_bytes || summary->lost_calls)
		buf_addf(buf, "LOST: %lu bytes in %lu calls\n", summary->lost_bytes,
			 summary->lost_calls);
}
