/* SPDX-License-Identifier: Apache-2.0 */
/* A store whose state.db is the input, as pages or as a good one with rows of the input's, beside a good segment. */
#include "fuzz_sql.h"
#include "store/private.h"
#include <kryos/kryos.h>

static const char *const tables[] = { "meta",  "boot", "queue",      "dead",    "gap",
	                              "event", "seal", "audit_seal", "channel", "state" };

static const char fix[] =
	"UPDATE event SET crc=row_crc(epoch, "
	"'event|'||seq||'|'||epoch||'|'||boot||'|'||t_boot_ns||'|'||t_wall_ns||'|'||trust||'|'||"
	"type||'|'||code||'|'||first_seq||'|'||last_seq||'|'||value_ns||'|'||name||'|'||text);"
	"UPDATE meta SET crc=row_crc('meta|'||key||'|'||value);"
	"UPDATE boot SET crc=row_crc('boot|'||boot||'|'||boot_id||'|'||coalesce(offset_ns,'')||'|'||"
	"coalesce(trust,'')||'|'||device_ns||'|'||coalesce(before_ns,''));"
	"UPDATE queue SET crc=row_crc('queue|'||name||'|'||samples||'|'||events||'|'||acked||'|'||rejected);"
	"UPDATE seal SET crc=row_crc('seal|'||first_seq||'|'||last_seq||'|'||epoch||'|'||device||'|'||hash"
	"||'|'||signature||'|'||bytes||'|'||last_wall_ns||'|'||last_trust||'|'||samples||'|'||dropped||'|'||removed);"
	"UPDATE audit_seal SET crc=row_crc('audit_seal|'||last_seq||'|'||first_seq||'|'||device||'|'||public_key||'|'||"
	"hash||'|'||signature);"
	"UPDATE channel SET crc=row_crc('channel|'||segment||'|'||channel||'|'||since||'|'||name||'|'||"
	"unit||'|'||place);"
	"UPDATE state SET crc=row_crc('state|'||key||'|'||seq||'|'||lower(hex(bytes)));";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_image segment, image;
	struct fuzz_bytes bytes = { data, size };
	const char *folder;
	uint8_t mode;

	if (!image.db)
		fuzz_images(&segment, &image);
	folder = fuzz_folder();
	mode = fuzz_u8(&bytes);
	if (mode & 1) {
		fuzz_write_image(folder, "state.db", &image);
		fuzz_add_rows(folder, "state.db", &bytes, tables, KRI_ARRAY_SIZE(tables), mode & 2 ? fix : NULL);
	} else {
		fuzz_write_pages(folder, "state.db", data, size);
	}
	if (mode & 4)
		fuzz_write_image(folder, FUZZ_SEGMENT, &segment);
	fuzz_use_store(folder, size + 4096, !(mode & 8));
	return 0;
}
