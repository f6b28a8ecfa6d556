/* A summary as one JSON document; times in nanoseconds, rates in bytes per second. */
#include "base/addr.h"
#include "base/json.h"
#include "sink/summary.h"

#include <string.h>

static void add_pair(struct buf *buf, const char *key, const uint64_t values[DIRS])
{
	json_add_key(buf, key);
	buf_addf(buf, "{\"out\":%lu,\"in\":%lu}", values[DIR_OUT], values[DIR_IN]);
}

static uint64_t rate(uint64_t bytes, const struct sums *sums)
{
	uint64_t ns = sums->last - sums->first;

	return ns ? (uint64_t)((double)bytes * 1e9 / (double)ns) : 0;
}

static void add_sums(struct buf *buf, const struct sums *sums)
{
	const uint64_t rates[DIRS] = { rate(sums->bytes[DIR_OUT], sums),
				       rate(sums->bytes[DIR_IN], sums) };

	add_pair(buf, "bytes", sums->bytes);
	if (sums->plain[DIR_OUT] || sums->plain[DIR_IN])
		add_pair(buf, "plain", sums->plain);
	add_pair(buf, "calls", sums->calls);
	json_add_uint_member(buf, "errors", sums->errors);
	json_add_uint_member(buf, "first", sums->first);
	json_add_uint_member(buf, "last", sums->last);
	add_pair(buf, "rate", rates);
	json_add_uint_member(buf, "gap", sums->gap);
}

static void add_process(struct buf *buf, const struct process_row *row)
{
	buf_addc(buf, '{');
	json_add_int_member(buf, "pid", row->pid);
	json_add_text_member(buf, "comm", row->comm);
	json_add_uint_member(buf, "connections", row->connections);
	add_sums(buf, &row->sums);
	buf_addc(buf, '}');
}

static void add_addr(struct buf *buf, const char *key, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	if (!addr_is_empty(addr))
		json_add_text_member(buf, key, addr_format(addr, text));
}

static void add_answers(struct buf *buf, const struct histogram *answers)
{
	static const struct {
		const char *key;
		double part;
	} quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "max", 1 } };

	if (!answers)
		return;
	json_add_key(buf, "answers");
	buf_addc(buf, '{');
	json_add_uint_member(buf, "count", answers->count);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_add_uint_member(buf, quantiles[i].key,
				     histogram_quantile(answers, quantiles[i].part));
	buf_addc(buf, '}');
}

static void add_conn(struct buf *buf, const struct conn_row *row)
{
	const char *proto = event_proto_names[row->proto];

	buf_addc(buf, '{');
	json_add_uint_member(buf, "conn", row->conn);
	if (row->other)
		json_add_uint_member(buf, "other", row->other);
	json_add_int_member(buf, "pid", row->pid);
	json_add_text_member(buf, "comm", row->comm);
	if (proto)
		json_add_text_member(buf, "proto", proto);
	json_add_text_member(buf, "side", row->accepts ? "accepts" : "connects");
	add_addr(buf, "local", &row->local);
	add_addr(buf, "remote", &row->remote);
	add_sums(buf, &row->sums);
	add_answers(buf, row->answers);
	buf_addc(buf, '}');
}

void summary_add_json(struct buf *buf, const struct summary *summary)
{
	const struct process_row *process;
	const struct conn_row *conn;
	const char *comma = "";

	buf_adds(buf, "{\"processes\":[");
	TAILQ_FOREACH(process, &summary->processes, next) {
		buf_addf(buf, "%s\n ", comma);
		add_process(buf, process);
		comma = ",";
	}
	buf_adds(buf, "],\n\"connections\":[");
	comma = "";
	TAILQ_FOREACH(conn, &summary->conns, next) {
		if (!conn_row_is_worth(conn))
			continue;
		buf_addf(buf, "%s\n ", comma);
		add_conn(buf, conn);
		comma = ",";
	}
	buf_adds(buf, "],\n\"others\":{");
	json_add_uint_member(buf, "connections", summary->left_out);
	add_sums(buf, &summary->rest);
	buf_adds(buf, "},\n\"total\":{");
	add_sums(buf, &summary->total);
	buf_addf(buf, "},\n\"loss\":{\"bytes\":%lu,\"calls\":%lu}}\n", summary->lost_bytes,
		 summary->lost_calls);
}
