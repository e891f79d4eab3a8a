/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOREVER INT64_MAX
#define LEAVE_NS KRYOS_MILLISECONDS(700)
#define RECHECK_NS KRYOS_SECONDS(60)   /* a queue is asked again though nobody said it has records */
#define BUSY_NS KRYOS_MILLISECONDS(50) /* the transport, or the disk, said: not now */
#define REASON_NS KRYOS_SECONDS(1)     /* for the transport to report why it is not connected any more */
#define TRUST_POLL_NS KRYOS_SECONDS(2)
#define TRUST_GRACE_NS KRYOS_SECONDS(60) /* for stored stamps to be corrected after the clock was set */
#define TIME_POLL_NS KRYOS_SECONDS(10)
#define VOUCH_NS KRYOS_SECONDS(30) /* for the kernel to vouch for a clock that was set just now */
#define TAKEOVERS 3

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void kri_link_init(struct kri_link *link, int64_t now)
{
	uint64_t seed = link->config.seed;

	link->state = KRI_LINK_IDLE;
	link->retry_ns = now;
	link->lookup = -1;
	kri_backoff_init(&link->backoff, link->config.backoff_min_ns, link->config.backoff_max_ns, kri_jitter(&seed));
	kri_bucket_init(&link->bucket, link->config.rate, link->config.burst, link->config.live_percent, now);
	link->poison.seed = kri_jitter(&seed);
}

void kri_link_fini(struct kri_link *link)
{
	if (link->opened)
		link->transport->close(link->priv);
	link->opened = false;
	free(link->buffer);
	link->buffer = NULL;
}

void kri_link_poke(struct kri_link *link)
{
	link->dry = 0;
}

enum kryos_link kri_link_public(const struct kri_link *link)
{
	switch (link->state) {
	case KRI_LINK_RESOLVING:
	case KRI_LINK_CONNECTING:
		return KRYOS_LINK_CONNECTING;
	case KRI_LINK_UP:
	case KRI_LINK_LEAVING:
		return KRYOS_LINK_UP;
	default:
		return link->waiting ? KRYOS_LINK_WAITING : KRYOS_LINK_DOWN;
	}
}

static void announce(struct kri_link *link, bool up)
{
	int now = up ? 1 : link->waiting ? 3 : 2;

	if (link->announced == now || (link->announced == 3 && now == 2))
		return;
	link->announced = now;
	link->env.announce(link->env.data, up, up ? 0 : link->error, up ? "" : link->text);
}

static void disconnect(struct kri_link *link)
{
	if (link->state == KRI_LINK_CONNECTING || link->state == KRI_LINK_UP || link->state == KRI_LINK_LEAVING)
		link->transport->disconnect(link->priv);
	kri_port_clear(link->port);
}

/* What was in flight is owed again; a record that was condemned is not. */
static void settle(struct kri_link *link, bool near)
{
	char reason[200];
	int64_t seq = kri_poison_lost(&link->poison, link->sent, link->sent_count, near);

	if (seq) {
		snprintf(reason, sizeof(reason),
		         "the link broke %d times in a row right after this record was sent alone: %.100s",
		         KRI_POISON_TRIALS, link->text);
		if (link->env.reject(link->env.data, seq, reason) >= 0)
			link->rejected_total++;
		kri_poison_clear(&link->poison, seq);
	}
	link->sent_count = 0;
	link->env.release_all(link->env.data);
}

static void explain(struct kri_link *link, int code, const char *text, bool tls)
{
	unsigned int trust = tls ? link->env.trust(link->env.data) : KRYOS_TRUST_SYNCED;
	int n;

	link->error = code;
	link->waiting = trust < KRYOS_TRUST_RTC;
	if (link->waiting)
		snprintf(link->text, sizeof(link->text), "the clock is not set (trust %s): %s", kryos_trust_name(trust),
		         text);
	else
		snprintf(link->text, sizeof(link->text), "%s", text);
	if (link->waiting)
		link->error = KRYOS_ECLOCK;
	if (link->takeovers >= TAKEOVERS) {
		n = (int)strlen(link->text);
		snprintf(link->text + n, sizeof(link->text) - (size_t)n,
		         "; %u links in a row were closed soon: perhaps another client has the id \"%.64s\"",
		         link->takeovers, link->config.client_id);
	}
}

/* The connection, or the attempt at one, is over. near: see kri_poison_lost(). */
static void lose(struct kri_link *link, int64_t now, int code, const char *text, bool near, bool tls)
{
	bool was_up = link->state == KRI_LINK_UP;

	explain(link, code, text && *text ? text : "the link was lost", tls);
	disconnect(link);
	link->state = KRI_LINK_IDLE;
	if (was_up)
		settle(link, near);
	link->lookup = -1;
	link->failures++;
	link->retry_ns = now + kri_backoff_next(&link->backoff);
	announce(link, false);
}

static int send(struct kri_link *link, int64_t now, const char *topic, const void *payload, size_t count, bool retain,
                int64_t seq, bool event)
{
	struct kryos_message message = { .size = sizeof(message),
		                         .retain = retain,
		                         .token = ++link->token,
		                         .topic = topic,
		                         .payload = payload,
		                         .payload_count = count };
	int r = link->transport->publish(link->priv, &message);

	if (r < 0)
		return r;
	link->sent[link->sent_count++] =
		(struct kri_sent){ .token = message.token, .seq = seq, .sent_ns = now, .event = event };
	return 0;
}

static int send_state(struct kri_link *link, int64_t now, const char *state)
{
	if (link->sent_count == KRI_ARRAY_SIZE(link->sent))
		return -EAGAIN;
	return send(link, now, link->config.state_topic, state, strlen(state), true, 0, false);
}

/* The transport may know already that the link is gone, and say why a moment later. */
static bool awaits_reason(struct kri_link *link, int64_t now, int r)
{
	if (r != -ENOTCONN)
		return false;
	if (!link->gone_ns)
		link->gone_ns = now;
	return now - link->gone_ns < REASON_NS;
}

static void begin(struct kri_link *link, int64_t now)
{
	int r = 0;

	if (!link->opened) {
		r = link->transport->open(link->priv, link->relay_config, link->port, link->userdata);
		link->opened = r >= 0;
	}
	link->deadline_ns = now + link->config.connect_timeout_ns;
	link->lookup = ++link->token;
	link->state = KRI_LINK_RESOLVING;
	if (r >= 0)
		r = link->env.resolve(link->env.data, link->lookup);
	if (r < 0)
		lose(link, now, r, kryos_strerror(r), false, false);
}

static void on_resolved(struct kri_link *link, int64_t now, const struct kri_report *report)
{
	int r;

	if (link->state != KRI_LINK_RESOLVING)
		return;
	/* A late answer to an earlier question is as good, if it is one. */
	if (report->code < 0 && report->token != link->lookup)
		return;
	if (report->code < 0) {
		lose(link, now, report->code, report->text, false, false);
		return;
	}
	link->state = KRI_LINK_CONNECTING;
	link->deadline_ns = now + link->config.connect_timeout_ns;
	r = link->transport->connect(link->priv, link->config.state_topic);
	if (r < 0)
		lose(link, now, r, kryos_strerror(r), false, false);
}

static void on_up(struct kri_link *link, int64_t now)
{
	int r;

	if (link->state != KRI_LINK_CONNECTING)
		return;
	link->state = KRI_LINK_UP;
	link->up_ns = now;
	link->last_sent_ns = 0;
	link->hold_ns = 0;
	link->gone_ns = 0;
	link->busy = false;
	link->stable = false;
	link->dry = 0;
	link->recheck_ns = now + RECHECK_NS;
	link->connects++;
	link->error = 0;
	link->text[0] = 0;
	link->env.set_live(link->env.data);
	announce(link, true);
	r = send_state(link, now, "online");
	if (r < 0 && !awaits_reason(link, now, r))
		lose(link, now, r, kryos_strerror(r), false, false);
}

static bool take_sent(struct kri_link *link, int64_t token, struct kri_sent *ret_sent)
{
	for (unsigned int i = 0; i < link->sent_count; i++) {
		if (link->sent[i].token != token)
			continue;
		*ret_sent = link->sent[i];
		link->sent_count--;
		memmove(&link->sent[i], &link->sent[i + 1], (link->sent_count - i) * sizeof(link->sent[0]));
		return true;
	}
	return false; /* acknowledged twice, or of an earlier link: harmless */
}

static void on_acked(struct kri_link *link, int64_t now, int64_t token)
{
	struct kri_sent sent;

	if (!take_sent(link, token, &sent))
		return;
	if (link->busy)
		link->hold_ns = 0;
	link->busy = false;
	if (!sent.seq) {
		kri_poison_control_acked(&link->poison, now);
		return;
	}
	kri_poison_clear(&link->poison, sent.seq);
	link->env.ack(link->env.data, sent.seq);
	link->acked_total++;
	link->last_ack_ns = now;
}

static void reject(struct kri_link *link, int64_t seq, const char *reason)
{
	kri_poison_clear(&link->poison, seq);
	if (link->env.reject(link->env.data, seq, reason) >= 0)
		link->rejected_total++;
}

static void on_refused(struct kri_link *link, int64_t token, const char *text)
{
	struct kri_sent sent;

	if (take_sent(link, token, &sent) && sent.seq)
		reject(link, sent.seq, text && *text ? text : "the receiver refused it");
}

static bool in_flight(const struct kri_link *link, int64_t token)
{
	for (unsigned int i = 0; i < link->sent_count; i++)
		if (link->sent[i].token == token)
			return true;
	return false;
}

static void on_down(struct kri_link *link, int64_t now, const struct kri_report *report)
{
	bool near = link->last_sent_ns && now - link->last_sent_ns <= KRI_POISON_MOMENT;

	if (link->state == KRI_LINK_LEAVING) {
		link->deadline_ns = now;
		return;
	}
	if (link->state != KRI_LINK_CONNECTING && link->state != KRI_LINK_UP)
		return;
	if (link->state == KRI_LINK_UP && !link->stable)
		link->takeovers++;
	lose(link, now, report->code < 0 ? report->code : -ECONNRESET, report->text, near,
	     link->state == KRI_LINK_CONNECTING && report->token == KRI_REPORT_TLS);
}

static void on_report(struct kri_link *link, int64_t now, const struct kri_report *report)
{
	switch (report->news) {
	case KRI_NEWS_RESOLVED:
		on_resolved(link, now, report);
		break;
	case KRYOS_TRANSPORT_UP:
		on_up(link, now);
		break;
	case KRYOS_TRANSPORT_ACKED:
		on_acked(link, now, report->token);
		break;
	case KRYOS_TRANSPORT_REFUSED:
		on_refused(link, report->token, report->text);
		break;
	case KRYOS_TRANSPORT_FAILED:
		/* Sending on would break the order of its stream; starting anew keeps it, and backs off. */
		if (link->state == KRI_LINK_UP && in_flight(link, report->token))
			lose(link, now, report->code < 0 ? report->code : -EIO, report->text, true, false);
		break;
	case KRYOS_TRANSPORT_DOWN:
		on_down(link, now, report);
		break;
	default:
		break;
	}
}

/* Finds the next record that order, shares and rate allow: 1; 0: none now. */
static int lend(struct kri_link *link, const struct kryos_record **ret_record, enum kri_share *ret_share)
{
	static const struct {
		unsigned int stream;
		enum kri_share share;
	} order[] = {
		{ KRYOS_STREAM_EVENTS, KRI_SHARE_REST }, { KRYOS_STREAM_EVENTS, KRI_SHARE_LIVE },
		{ KRYOS_STREAM_LIVE, KRI_SHARE_LIVE },   { KRYOS_STREAM_BACKLOG, KRI_SHARE_REST },
		{ KRYOS_STREAM_LIVE, KRI_SHARE_REST },
	};

	for (size_t i = 0; i < KRI_ARRAY_SIZE(order); i++) {
		int r;

		if ((link->dry & order[i].stream) || !kri_bucket_has(&link->bucket, order[i].share))
			continue;
		r = link->env.next(link->env.data, order[i].stream, ret_record);
		if (r < 0)
			return r;
		*ret_share = order[i].share;
		if (r > 0)
			return 1;
		link->dry |= order[i].stream;
	}
	return 0;
}

static int encode(struct kri_link *link, const struct kryos_record *record, size_t *ret_count)
{
	int n = link->codec->encode(record, link->buffer, link->capacity);

	if (n >= 0 && (size_t)n > link->config.max_payload)
		return kryos_fail(KRYOS_EREJECTED, "the record takes %d bytes; %zu are allowed", n,
		                  link->config.max_payload);
	if (n >= 0 && (size_t)n > link->capacity) {
		char *grown = realloc(link->buffer, (size_t)n + 64);

		if (!grown)
			return -ENOMEM;
		link->buffer = grown;
		link->capacity = (size_t)n + 64;
		n = link->codec->encode(record, link->buffer, link->capacity);
		if (n >= 0 && (size_t)n > link->capacity)
			return kryos_fail(KRYOS_EREJECTED, "codec %s: one record gave two lengths", link->codec->name);
	}
	if (n < 0)
		return n;
	*ret_count = (size_t)n;
	return 0;
}

/* For a codec that demands wall time: false: the record waits, or was given up. */
static bool time_is_known(struct kri_link *link, int64_t now, const struct kryos_record *record)
{
	if (!link->codec->needs_wall_time || record->sample.trust >= KRYOS_TRUST_RTC)
		return true;
	if (link->env.trust(link->env.data) < KRYOS_TRUST_RTC)
		link->trusted_ns = 0;
	else if (!link->trusted_ns)
		link->trusted_ns = now;
	if (link->trusted_ns && now - link->trusted_ns >= TRUST_GRACE_NS) {
		reject(link, record->seq, "its time was never known, and the format demands it");
		return false;
	}
	link->env.release(link->env.data, record->seq);
	link->dry |= record->stream;
	link->recheck_ns = earlier(link->recheck_ns, now + TIME_POLL_NS);
	return false;
}

/* Sends one lent record, or gives it back. 0: go on; 1: enough for now. */
static int send_record(struct kri_link *link, int64_t now, const struct kryos_record *record, enum kri_share share)
{
	bool event = record->event != NULL;
	int64_t seq = record->seq;
	size_t count = 0;
	int r;

	switch (kri_poison_ask(&link->poison, record, now)) {
	case KRI_WAIT:
		link->env.release(link->env.data, seq);
		link->hold_ns = link->poison.pause_until;
		return 1;
	case KRI_SEND_CONTROL:
		link->env.release(link->env.data, seq);
		r = send_state(link, now, "online");
		if (r < 0)
			link->hold_ns = now + BUSY_NS;
		return 1;
	case KRI_SEND_RECORD:
		break;
	}
	if (!time_is_known(link, now, record))
		return 0;
	r = encode(link, record, &count);
	if (r >= 0)
		r = send(link, now, event ? link->config.event_topic : link->config.sample_topic, link->buffer, count,
		         false, seq, event);
	if (r == KRYOS_EREJECTED) {
		reject(link, seq, kryos_strerror(r));
		return 0;
	}
	if (r < 0) {
		link->env.release(link->env.data, seq);
		link->hold_ns = now + BUSY_NS;
		link->busy = r == -EAGAIN;
		if (r != -EAGAIN && r != -ENOMEM && !awaits_reason(link, now, r))
			lose(link, now, r, kryos_strerror(r), false, false);
		return 1;
	}
	kri_poison_sent(&link->poison, seq);
	kri_bucket_take(&link->bucket, share);
	link->last_sent_ns = now;
	link->sent_total++;
	return 0;
}

static unsigned int window(const struct kri_link *link)
{
	return kri_poison_careful(&link->poison) ? 1 : link->config.inflight;
}

static void pump(struct kri_link *link, int64_t now)
{
	const struct kryos_record *record;
	enum kri_share share;

	/* TLS was refused for want of the time and works now: the clock was set, and what waits soon has its time. */
	link->waiting =
		link->waiting && now - link->up_ns < VOUCH_NS && link->env.trust(link->env.data) < KRYOS_TRUST_RTC;
	if (link->waiting)
		return;
	kri_bucket_fill(&link->bucket, now);
	link->busy = link->busy && now < link->hold_ns;
	while (link->state == KRI_LINK_UP && now >= link->hold_ns && link->sent_count < window(link)) {
		int r = lend(link, &record, &share);

		if (r < 0) {
			link->hold_ns = now + KRYOS_SECONDS(1);
			return;
		}
		if (r == 0) {
			/* All that was owed went out: a suspect that was not among it is gone. */
			if (link->dry == KRYOS_STREAM_ANY && !link->sent_count)
				kri_poison_clear_all(&link->poison);
			return;
		}
		if (send_record(link, now, record, share))
			return;
	}
}

static void check_limits(struct kri_link *link, int64_t now)
{
	char text[160];

	switch (link->state) {
	case KRI_LINK_IDLE:
		if (now >= link->retry_ns || (link->waiting && link->env.trust(link->env.data) >= KRYOS_TRUST_RTC))
			begin(link, now);
		break;
	case KRI_LINK_RESOLVING:
		if (now >= link->deadline_ns)
			lose(link, now, -ETIMEDOUT, "the name of the host could not be resolved in time", false, false);
		break;
	case KRI_LINK_CONNECTING:
		if (now >= link->deadline_ns)
			lose(link, now, -ETIMEDOUT, "no connection in time: nobody answers", false, false);
		break;
	case KRI_LINK_UP:
		if (!link->stable && now - link->up_ns >= link->config.stable_ns) {
			link->stable = true;
			link->takeovers = 0;
			kri_backoff_reset(&link->backoff);
		}
		if (now >= link->recheck_ns) {
			link->dry = 0;
			link->recheck_ns = now + RECHECK_NS;
		}
		if (link->sent_count && now - link->sent[0].sent_ns >= link->config.ack_timeout_ns) {
			snprintf(text, sizeof(text), "%u of what was sent is not acknowledged after %lld ms",
			         link->sent_count, (long long)(link->config.ack_timeout_ns / 1000000));
			lose(link, now, -ETIMEDOUT, text, true, false);
		}
		break;
	case KRI_LINK_LEAVING:
		if (!link->sent_count || now >= link->deadline_ns) {
			disconnect(link);
			link->state = KRI_LINK_DONE;
		}
		break;
	case KRI_LINK_DONE:
		break;
	}
}

/* When the next record may go, as far as rate and shares decide it. */
static int64_t next_token(const struct kri_link *link, int64_t now)
{
	const unsigned int first = KRYOS_STREAM_EVENTS | KRYOS_STREAM_LIVE;
	int64_t next = FOREVER;

	if ((link->dry & first) != first)
		next = now + kri_bucket_wait(&link->bucket, KRI_SHARE_LIVE);
	if (link->dry != KRYOS_STREAM_ANY)
		next = earlier(next, now + kri_bucket_wait(&link->bucket, KRI_SHARE_REST));
	return next;
}

static int64_t next_run(const struct kri_link *link, int64_t now)
{
	int64_t next = link->recheck_ns;

	switch (link->state) {
	case KRI_LINK_IDLE:
		return earlier(link->retry_ns, link->waiting ? now + TRUST_POLL_NS : FOREVER);
	case KRI_LINK_RESOLVING:
	case KRI_LINK_CONNECTING:
	case KRI_LINK_LEAVING:
		return link->deadline_ns;
	case KRI_LINK_UP:
		if (!link->stable)
			next = earlier(next, link->up_ns + link->config.stable_ns);
		if (link->sent_count)
			next = earlier(next, link->sent[0].sent_ns + link->config.ack_timeout_ns);
		if (link->waiting)
			next = earlier(next, now + TRUST_POLL_NS);
		else if (link->hold_ns > now)
			next = earlier(next, link->hold_ns);
		else if (link->sent_count < window(link))
			next = earlier(next, next_token(link, now));
		return next;
	default:
		return FOREVER;
	}
}

int64_t kri_link_step(struct kri_link *link, int64_t now)
{
	struct kri_report report;

	while (kri_port_take(link->port, &report)) {
		on_report(link, now, &report);
		free(report.text);
	}
	check_limits(link, now);
	if (link->state == KRI_LINK_UP)
		pump(link, now);
	return next_run(link, now);
}

void kri_link_stop(struct kri_link *link, int64_t now)
{
	if (link->state == KRI_LINK_LEAVING || link->state == KRI_LINK_DONE)
		return;
	if (link->state == KRI_LINK_UP && send_state(link, now, "offline") >= 0) {
		link->state = KRI_LINK_LEAVING;
		link->deadline_ns = now + LEAVE_NS;
		return;
	}
	disconnect(link);
	link->state = KRI_LINK_DONE;
}
