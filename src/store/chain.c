/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"
#include <string.h>

int kri_chain_new(struct kri_chain *chain)
{
	int r;

	memset(chain, 0, sizeof(*chain));
	r = kri_sha256_new(&chain->sha);
	return r == -EOPNOTSUPP ? 0 : r;
}

void kri_chain_free(struct kri_chain *chain)
{
	kri_sha256_free(chain->sha);
	chain->sha = NULL;
}

int kri_chain_begin(struct kri_chain *chain, bool first)
{
	char text[KRI_HASH_TEXT + 1];
	int r;

	if (!chain->sha)
		return 0;
	r = kri_sha256_begin(chain->sha);
	if (r < 0 || first)
		return r;
	kri_hex(chain->hash, KRI_SHA256_SIZE, text);
	text[KRI_HASH_TEXT - 1] = '\n';
	return kri_sha256_update(chain->sha, text, KRI_HASH_TEXT);
}

int kri_chain_add(struct kri_chain *chain, const char *text, size_t length)
{
	return chain->sha ? kri_sha256_update(chain->sha, text, length) : 0;
}

int kri_chain_end(struct kri_chain *chain)
{
	return chain->sha ? kri_sha256_finish(chain->sha, chain->hash) : 0;
}

void kri_chain_text(const struct kri_chain *chain, char text[KRI_HASH_TEXT])
{
	text[0] = '\0';
	if (chain->sha)
		kri_hex(chain->hash, KRI_SHA256_SIZE, text);
}
