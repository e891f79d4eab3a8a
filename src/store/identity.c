/* SPDX-License-Identifier: Apache-2.0 */
/* Which board and which device this is, so that a card moved to another board is noticed. */
#include "private.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_line(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	if (count <= 0)
		return false;
	text[count] = '\0';
	text[strcspn(text, "\r\n")] = '\0'; /* the device tree's ends in NUL, the others in a newline */
	return text[0] != '\0';
}

int kri_board_name(const char *given, char board[128])
{
	static const char *const sources[] = {
		"/sys/firmware/devicetree/base/serial-number", /* boards with a device tree */
		/* Not the DMI's uuid: only root can read it, and the answer must not depend on who asks. */
		"/etc/machine-id",
	};

	if (given) {
		if (strlen(given) > 127 || strchr(given, '\n'))
			return kryos_fail(-EINVAL, "config.board: one line of at most 127 bytes is allowed");
		strcpy(board, given);
		return 0;
	}
	for (size_t i = 0; i < KRI_ARRAY_SIZE(sources); i++)
		if (read_line(sources[i], board, 128))
			return 0;
	strcpy(board, "unknown");
	return 0;
}

static void random_device(char device[33])
{
	uint8_t bytes[16];

	memset(bytes, 0, sizeof(bytes));
	if (kri_random(bytes, sizeof(bytes)) >= 0)
		kri_hex(bytes, sizeof(bytes), device);
}

static int open_key(struct kryos_store *store, const char *path, char device[33])
{
	char fingerprint[2 * KRI_SHA256_SIZE + 1];
	bool created;
	int r = kri_key_open(&store->key, path, &created);

	if (r == -EOPNOTSUPP)
		return 0; /* built without libcrypto: segments are closed unsealed, status says so */
	if (r == KRYOS_ECORRUPT) {
		char aside[PATH_MAX + 8];

		/* A key that can't be read signs nothing any more; keep it for a person to look at. */
		kri_store_report(store, KRYOS_EVENT_STORE, r, kryos_strerror(r));
		snprintf(aside, sizeof(aside), "%s.bad", path);
		if (rename(path, aside))
			return kryos_fail(-errno, "%s: can't be moved aside: %s", path, strerror(errno));
		r = kri_key_open(&store->key, path, &created);
	}
	if (r < 0)
		return r;
	r = kri_key_fingerprint(store->key, fingerprint);
	if (r < 0)
		return r;
	/* The id is the key's: 128 bits of its fingerprint. */
	snprintf(device, 33, "%.32s", fingerprint);
	free(store->public_pem);
	store->public_pem = strdup(kri_key_public_pem(store->key));
	return store->public_pem ? 0 : -ENOMEM;
}

/* The device id belongs to a board, never to an image or a card: a known card in another board gets a new one. */
int kri_store_identify(struct kryos_store *store, bool *ret_new_device)
{
	char path[PATH_MAX], aside[PATH_MAX + 40], device[33] = "", board[128] = "", text[512];
	bool other_board;
	int r;

	snprintf(path, sizeof(path), "%s%s", store->config.key_path ? store->config.key_path : store->folder,
	         store->config.key_path ? "" : "/device.key");
	r = kri_state_get_meta(store->state, "device", device, sizeof(device));
	if (r < 0 && r != -ENOENT)
		return r;
	r = kri_state_get_meta(store->state, "board", board, sizeof(board));
	if (r < 0 && r != -ENOENT)
		return r;
	other_board = board[0] && strcmp(board, store->board) != 0;
	snprintf(store->device, sizeof(store->device), "%s", other_board ? "" : device);
	if (!store->device[0])
		random_device(store->device);
	r = open_key(store, path, store->device);
	if (r >= 0 && store->key && other_board && strcmp(store->device, device) == 0) {
		kri_key_free(store->key);
		store->key = NULL;
		snprintf(aside, sizeof(aside), "%s.%s", path, device);
		if (rename(path, aside))
			return kryos_fail(-errno, "%s: can't be moved aside: %s", path, strerror(errno));
		r = open_key(store, path, store->device);
	}
	if (r < 0)
		return r;
	*ret_new_device = device[0] && strcmp(store->device, device) != 0;
	if (*ret_new_device) {
		snprintf(text, sizeof(text), "%s %s of board %s goes on as device %s on board %s",
		         other_board ? "another board's store: device" : "the key is another one: device", device,
		         board, store->device, store->board);
		kri_store_report(store, KRYOS_EVENT_AUDIT, 0, text);
	}
	if (strcmp(board, store->board) != 0)
		r = kri_state_put_meta(store->state, "board", store->board);
	if (r >= 0 && strcmp(device, store->device) != 0)
		r = kri_state_put_meta(store->state, "device", store->device);
	return r;
}
