/* SPDX-License-Identifier: Apache-2.0 */
/* How long the certificates of a station's relays are good. A file is replaced in place, so it is read again and again.
 */
#include "../digest/certificate.h"
#include "station.h"
#include <stdio.h>
#include <string.h>

#define AGAIN_NS KRYOS_HOURS(1)
/* What a programme needs to bring a new one to a clinic. */
#define SOON_NS KRYOS_DAYS(30)

int kri_section_certificates_until(const struct kri_section *relay, int64_t *ret_wall_ns, const char **ret_path)
{
	/* All of a link's own chain are needed; of several authorities one is. */
	static const struct {
		enum kri_key key;
		bool last;
	} files[] = { { KRI_RELAY_CERT, false }, { KRI_RELAY_CA, true } };
	int64_t until_ns = INT64_MAX, ends_ns;

	*ret_path = "";
	for (size_t i = 0; i < KRI_ARRAY_SIZE(files); i++) {
		const char *path = relay->entries[files[i].key].text;
		int r = path ? kri_certificate_until(path, files[i].last, &ends_ns) : 0;

		if (r < 0) {
			*ret_path = path;
			return r;
		}
		if (!path || ends_ns >= until_ns)
			continue;
		until_ns = ends_ns;
		*ret_path = path;
	}
	*ret_wall_ns = until_ns;
	return 0;
}

int64_t kri_station_certificates_until(struct kryos_station *station, struct kri_station_relay *relay)
{
	const struct kri_section *section = kri_station_find(station->file, KRI_SECTION_RELAY, relay->name);
	int64_t now_ns = kri_boot_ns(station->ctx);
	const char *path;

	if (!section || (relay->cert_read_ns && now_ns - relay->cert_read_ns < AGAIN_NS))
		return section ? relay->cert_until_ns : INT64_MAX;
	relay->cert_read_ns = now_ns ? now_ns : 1;
	/* One that can't be read is the link's to complain of: it tries now, with words of its own. */
	if (kri_section_certificates_until(section, &relay->cert_until_ns, &path) < 0)
		relay->cert_until_ns = INT64_MAX;
	snprintf(relay->cert_path, sizeof(relay->cert_path), "%s", path);
	return relay->cert_until_ns;
}

void kri_station_each_old_certificate(struct kryos_station *station, const struct kryos_time *now,
                                      kri_problem_fn problem, void *data)
{
	char text[400], time[KRYOS_TEXT_MAX];

	if (now->trust < KRYOS_TRUST_RTC)
		return;
	for (struct kri_station_relay *relay = station->relays; relay; relay = relay->next) {
		int64_t until_ns = kri_station_certificates_until(station, relay);

		if (until_ns == INT64_MAX || until_ns - now->t_wall_ns > SOON_NS)
			continue;
		snprintf(text, sizeof(text), "relay %s: the certificate in %s %s %s", relay->name, relay->cert_path,
		         until_ns <= now->t_wall_ns ? "ended on" : "ends on", kri_second_text(until_ns, time));
		problem(data, text);
	}
}
