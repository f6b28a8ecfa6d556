/* The verdict as JUnit XML and as a page of HTML. */
#include "base/utf8.h"
#include "golden/report.h"

#include <string.h>

/* XML 1.0 has no other controls, escaped or not. */
static void add_xml(struct buf *out, struct span text)
{
	size_t len;
	uint32_t code;

	for (size_t at = 0; at < text.len; at += len ? len : 1) {
		uint8_t c = text.data[at];

		len = utf8_decode(text.data + at, text.len - at, &code);
		if (!len || (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || code == 0xfffe ||
		    code == 0xffff)
			buf_adds(out, "\xef\xbf\xbd");
		else if (strchr("<>&\"'", c))
			buf_addf(out, "&#%u;", c);
		else
			buf_add(out, text.data + at, len);
	}
}

static void add_attribute(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, " %s=\"", name);
	add_xml(out, span_text(text));
	buf_addc(out, '"');
}

static struct span hunk_of(const struct comparison *comparison, size_t number)
{
	const struct hunk *hunk = number ? &comparison->hunks[number - 1] : NULL;

	return hunk ? span_of(comparison->diff.data + hunk->at, hunk->len) : (struct span){ 0 };
}

/*** JUnit ***/

static const char *const kind_words[CASE_KINDS] = { "the same", "the exchange changed",
						    "the exchange is new", "the exchange is gone" };

/* Of one hunk; a page of text is more than anybody reads there. */
#define HUNK_MAX (64U << 10)

static void add_case(struct buf *out, const struct comparison *comparison, size_t number)
{
	const struct compare_case *one = &comparison->cases[number - 1];

	buf_adds(out, "    <testcase");
	add_attribute(out, "classname", one->peer);
	add_attribute(out, "name", one->title);
	if (one->kind == CASE_SAME) {
		buf_adds(out, "/>\n");
		return;
	}
	buf_adds(out, "><failure");
	add_attribute(out, "message", kind_words[one->kind]);
	buf_addc(out, '>');
	/* What would not fit is named all the same. */
	for (size_t i = one->hunk; i && i <= comparison->hunk_count && out->len < REPORT_JUNIT_MAX;
	     i++) {
		struct span hunk = hunk_of(comparison, i);

		if (i > one->hunk && comparison->hunks[i - 1].first != number)
			break;
		add_xml(out, span_cut(hunk, 0, HUNK_MAX));
	}
	buf_adds(out, "</failure></testcase>\n");
}

static void add_problems(struct buf *out, const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->problem_count; i++) {
		buf_adds(out, "    <testcase classname=\"iotrace\" name=\"run\"><error");
		add_attribute(out, "message", verdict->problems[i]);
		buf_adds(out, "/></testcase>\n");
	}
}

static void add_peers(struct buf *out, const char *what, char *const *peers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_adds(out, "    <testcase classname=\"peers\"");
		add_attribute(out, "name", peers[i]);
		buf_addf(out, "><failure message=\"%s peer\"/></testcase>\n", what);
	}
}

void report_junit(struct buf *out, const struct verdict *verdict)
{
	const struct comparison *comparison = verdict->comparison;
	struct buf body auto_buf = { 0 };
	size_t tests = verdict->problem_count, failures = 0, left_out = 0;

	add_problems(&body, verdict);
	if (comparison) {
		add_peers(&body, "new", comparison->new_peers, comparison->new_peer_count);
		add_peers(&body, "gone", comparison->gone_peers, comparison->gone_peer_count);
		failures = comparison->new_peer_count + comparison->gone_peer_count;
		tests += failures;
		for (size_t i = 0; i < comparison->case_count; i++) {
			if (body.len >= REPORT_JUNIT_MAX) {
				left_out++;
				continue;
			}
			add_case(&body, comparison, i + 1);
			failures += comparison->cases[i].kind != CASE_SAME;
			tests++;
		}
	}
	buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite");
	add_attribute(out, "name", verdict->name);
	buf_addf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\">\n", tests,
		 failures, verdict->problem_count, verdict->seconds);
	buf_add(out, body.data, body.len);
	if (left_out)
		buf_addf(out, "    <system-out>%zu more exchanges are left out</system-out>\n",
			 left_out);
	buf_adds(out, "  </testsuite>\n</testsuites>\n");
}

/*** HTML ***/

static const char style[] =
	"body{font:14px system-ui,sans-serif;margin:1.5em;color:#1b1f24;background:#fff}"
	"table{border-collapse:collapse;width:100%;table-layout:fixed;margin:0 0 1.5em}"
	"td{font:12px/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;"
	"vertical-align:top;padding:0 .5em;width:50%}"
	"th{text-align:left;font:600 13px system-ui,sans-serif;background:#eef1f4;padding:.4em}"
	".o{background:#ffebe9}.n{background:#e6ffec}"
	"@media(prefers-color-scheme:dark){body{color:#d6dae0;background:#14171a}"
	"th{background:#262b31}.o{background:#4b1d1b}.n{background:#12371f}}";

static void add_cell(struct buf *out, const char *class, struct span text)
{
	buf_addf(out, "<td%s>", class);
	add_xml(out, text);
	buf_adds(out, "</td>");
}

/* Lines that go, beside lines that come in their place. */
static void add_rows(struct buf *out, struct span *old, size_t old_count, struct span *new,
		     size_t new_count)
{
	for (size_t i = 0; i < old_count || i < new_count; i++) {
		buf_adds(out, "<tr>");
		add_cell(out, i < old_count ? " class=o" : "",
			 i < old_count ? old[i] : (struct span){ 0 });
		add_cell(out, i < new_count ? " class=n" : "",
			 i < new_count ? new[i] : (struct span){ 0 });
		buf_adds(out, "</tr>\n");
	}
}

/* Lines that are put beside each other; longer runs are in pieces. */
#define BESIDE 64

static void add_hunk(struct buf *out, struct span hunk)
{
	struct span old[BESIDE], new[BESIDE], head = span_split(&hunk, '\n');
	size_t old_count = 0, new_count = 0;

	buf_adds(out, "<table><tr><th colspan=2>");
	add_xml(out, head);
	buf_adds(out, "</th></tr>\n");
	while (hunk.len) {
		struct span line = span_split(&hunk, '\n'), text = span_cut(line, 1, line.len);
		char sign = line.len ? (char)line.data[0] : ' ';

		if (sign == ' ' || old_count == BESIDE || new_count == BESIDE ||
		    (sign == '-' && new_count)) {
			add_rows(out, old, old_count, new, new_count);
			old_count = new_count = 0;
		}
		if (sign == '-') {
			old[old_count++] = text;
		} else if (sign == '+') {
			new[new_count++] = text;
		} else {
			buf_adds(out, "<tr>");
			add_cell(out, "", text);
			add_cell(out, "", text);
			buf_adds(out, "</tr>\n");
		}
	}
	add_rows(out, old, old_count, new, new_count);
	buf_adds(out, "</table>\n");
}

static void add_paragraph(struct buf *out, const char *before, const char *text)
{
	buf_addf(out, "<p>%s", before);
	add_xml(out, span_text(text));
	buf_adds(out, "</p>\n");
}

static void add_comparison(struct buf *out, const struct comparison *comparison)
{
	struct buf totals auto_buf = { 0 };
	size_t i;

	report_totals(&totals, comparison);
	add_paragraph(out, "", buf_cstr(&totals));
	for (i = 0; i < comparison->new_peer_count && i < 1000; i++)
		add_paragraph(out, "New peer: ", comparison->new_peers[i]);
	for (i = 0; i < comparison->gone_peer_count && i < 1000; i++)
		add_paragraph(out, "Gone peer: ", comparison->gone_peers[i]);
	for (i = 0; i < comparison->hunk_count && out->len < REPORT_HTML_MAX; i++) {
		struct span hunk = hunk_of(comparison, i + 1);

		if (hunk.len > REPORT_HTML_MAX)
			break;
		add_hunk(out, hunk);
	}
	if (i < comparison->hunk_count)
		buf_addf(out, "<p>… and %zu more hunks</p>\n", comparison->hunk_count - i);
}

void report_html(struct buf *out, const struct verdict *verdict)
{
	buf_adds(out, "<!doctype html>\n<html lang=en><meta charset=utf-8>\n"
		      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
		      "style-src 'unsafe-inline'\">\n<title>iotrace check ");
	add_xml(out, span_text(verdict->name));
	buf_addf(out, "</title>\n<style>%s</style>\n<h1>", style);
	add_xml(out, span_text(verdict->name));
	buf_adds(out, "</h1>\n");
	for (size_t i = 0; i < verdict->problem_count; i++)
		add_paragraph(out, "", verdict->problems[i]);
	if (verdict->comparison)
		add_comparison(out, verdict->comparison);
	buf_adds(out, "</html>\n");
}
