/* SPDX-License-Identifier: Apache-2.0 */
#include "digest/digest.h"
#include "support.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void crc32c_gives_the_values_of_rfc_3720(void **state)
{
	/* RFC 3720 B.4 writes each CRC as bytes, least significant first. */
	static const uint8_t read_command[48] = {
		0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
		0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0,
	};
	uint8_t data[32];

	(void)state;
	memset(data, 0, sizeof(data));
	assert_int_equal(kri_crc32c(0, data, 32), 0x8a9136aa);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(kri_crc32c(0, data, 32), 0x62a8ab43);
	for (unsigned int i = 0; i < 32; i++)
		data[i] = (uint8_t)i;
	assert_int_equal(kri_crc32c(0, data, 32), 0x46dd794e);
	for (unsigned int i = 0; i < 32; i++)
		data[i] = (uint8_t)(31 - i);
	assert_int_equal(kri_crc32c(0, data, 32), 0x113fdb5c);
	assert_int_equal(kri_crc32c(0, read_command, 48), 0xd9963a56);
	assert_int_equal(kri_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(kri_crc32c(0, NULL, 0), 0);
}

/* One bit at a time, straight from the polynomial. */
static uint32_t slow_crc32c(uint32_t crc, const uint8_t *data, size_t count)
{
	crc = ~crc;
	for (size_t i = 0; i < count; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void crc32c_agrees_with_the_polynomial_at_every_length_alignment_and_split(void **state)
{
	uint64_t seed = seed_from_environment(3720);
	uint8_t data[200];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)next_random(&seed);
	for (size_t from = 0; from < 9; from++)
		for (size_t count = 0; count + from <= sizeof(data); count++) {
			uint32_t whole = slow_crc32c(0, data + from, count);
			size_t split = count ? next_random(&seed) % (count + 1) : 0;
			uint32_t first = kri_crc32c(0, data + from, split);

			assert_int_equal(kri_crc32c(0, data + from, count), whole);
			assert_int_equal(kri_crc32c(first, data + from + split, count - split), whole);
		}
}

static void hex_and_back_is_the_same_and_anything_else_is_refused(void **state)
{
	static const uint8_t data[4] = { 0x00, 0x9f, 0xa0, 0xff };
	uint8_t back[4] = { 1, 2, 3, 4 };
	char text[9];

	(void)state;
	kri_hex(data, sizeof(data), text);
	assert_string_equal(text, "009fa0ff");
	assert_ok(kri_unhex(text, back, sizeof(back)));
	assert_memory_equal(back, data, sizeof(data));
	assert_ok(kri_unhex("009FA0FF", back, sizeof(back)));
	assert_memory_equal(back, data, sizeof(data));

	memset(back, 7, sizeof(back));
	assert_fails(-EINVAL, kri_unhex("009fa0f", back, sizeof(back)));
	assert_says(-EINVAL, "8 are needed");
	assert_fails(-EINVAL, kri_unhex("009fa0ff0", back, sizeof(back)));
	assert_fails(-EINVAL, kri_unhex("009fa0fg", back, sizeof(back)));
	assert_says(-EINVAL, "character 8");
	assert_fails(-EINVAL, kri_unhex("", back, sizeof(back)));
	for (size_t i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], 7);
}

static void random_bytes_differ_each_time(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	assert_ok(kri_random(a, sizeof(a)));
	assert_ok(kri_random(b, sizeof(b)));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_ok(kri_random(a, 0));
}

#if KRYOS_WITH_CRYPTO

static void sha256_says(struct kri_sha256 *sha, const char *message, size_t times, const char *expected)
{
	uint8_t hash[KRI_SHA256_SIZE];
	char text[2 * KRI_SHA256_SIZE + 1];

	assert_ok(kri_sha256_begin(sha));
	while (times-- > 0)
		assert_ok(kri_sha256_update(sha, message, strlen(message)));
	assert_ok(kri_sha256_finish(sha, hash));
	kri_hex(hash, sizeof(hash), text);
	assert_string_equal(text, expected);
}

static void sha256_gives_the_values_of_fips_180_and_is_reusable(void **state)
{
	struct kri_sha256 *sha = NULL;

	(void)state;
	assert_ok(kri_sha256_new(&sha));
	sha256_says(sha, "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_says(sha, "", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_says(sha, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	sha256_says(sha, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 20000,
	            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	/* One that was begun and never finished leaves nothing behind. */
	assert_ok(kri_sha256_begin(sha));
	assert_ok(kri_sha256_update(sha, "lost", 4));
	sha256_says(sha, "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	kri_sha256_free(sha);
	kri_sha256_free(NULL);
}

static char *base64(const uint8_t *data, size_t count, char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *p = text;

	for (size_t i = 0; i < count; i += 3) {
		uint32_t group = (uint32_t)data[i] << 16;
		size_t have = count - i < 3 ? count - i : 3;

		if (have > 1)
			group |= (uint32_t)data[i + 1] << 8;
		if (have > 2)
			group |= data[i + 2];
		for (size_t k = 0; k < 4; k++)
			*p++ = k <= have ? digits[group >> (18 - 6 * k) & 63] : '=';
	}
	*p = '\0';
	return text;
}

/* RFC 8410: the fixed DER prefixes of an Ed25519 private and public key. */
static const char *private_pem(const char *seed_hex, char *pem)
{
	uint8_t der[48];
	char text[80];

	assert_ok(kri_unhex("302e020100300506032b657004220420", der, 16));
	assert_ok(kri_unhex(seed_hex, der + 16, 32));
	sprintf(pem, "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", base64(der, sizeof(der), text));
	return pem;
}

static const char *public_pem(const char *public_hex, char *pem)
{
	uint8_t der[44];
	char text[80];

	assert_ok(kri_unhex("302a300506032b6570032100", der, 12));
	assert_ok(kri_unhex(public_hex, der + 12, 32));
	sprintf(pem, "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n", base64(der, sizeof(der), text));
	return pem;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const struct rfc8032_vector {
	const char *seed, *public, *message, *signature;
} rfc8032[] = {
	{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
	  "b"
	  "e24655141438e7a100b" },
	{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430"
	  "2"
	  "aeeb00d291612bb0c00" },
	{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e"
	  "d"
	  "28dc027beceea1ec40a" },
};

static void ed25519_signs_and_verifies_the_vectors_of_rfc_8032(void **state)
{
	char *folder = scratch_new(), pem[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rfc8032) / sizeof(rfc8032[0]); i++) {
		const struct rfc8032_vector *v = &rfc8032[i];
		struct kri_key *key = NULL, *public = NULL;
		uint8_t message[2], signature[KRI_SIGNATURE_SIZE], expected[KRI_SIGNATURE_SIZE];
		size_t count = strlen(v->message) / 2;
		bool created = true;

		assert_ok(kri_unhex(v->message, message, count));
		assert_ok(kri_unhex(v->signature, expected, sizeof(expected)));
		write_file(in(folder, "vector.key"), private_pem(v->seed, pem));
		assert_ok(kri_key_open(&key, in(folder, "vector.key"), &created));
		assert_false(created);
		assert_string_equal(kri_key_public_pem(key), public_pem(v->public, pem));
		assert_ok(kri_key_from_public(&public, pem, strlen(pem)));
		assert_ok(kri_key_sign(key, message, count, signature));
		assert_memory_equal(signature, expected, sizeof(expected));
		assert_ok(kri_key_verify(public, message, count, signature));

		for (size_t bit = 0; bit < 8 * sizeof(signature); bit += 37) {
			signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_fails(KRYOS_ECRC, kri_key_verify(public, message, count, signature));
			signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_fails(KRYOS_ECRC, kri_key_verify(public, "another", 7, signature));
		assert_says(KRYOS_ECRC, "not made by this key");
		assert_fails(-EOPNOTSUPP, kri_key_sign(public, message, count, signature));
		kri_key_free(key);
		kri_key_free(public);
	}
	scratch_free(folder);
}

static void fingerprint_is_the_hash_of_the_raw_public_key(void **state)
{
	char pem[256], text[2 * KRI_SHA256_SIZE + 1], expected[2 * KRI_SHA256_SIZE + 1];
	uint8_t raw[32], hash[KRI_SHA256_SIZE];
	struct kri_sha256 *sha = NULL;
	struct kri_key *key = NULL;

	(void)state;
	public_pem(rfc8032[0].public, pem);
	assert_ok(kri_key_from_public(&key, pem, strlen(pem)));
	assert_ok(kri_key_fingerprint(key, text));
	assert_ok(kri_unhex(rfc8032[0].public, raw, sizeof(raw)));
	assert_ok(kri_sha256_new(&sha));
	assert_ok(kri_sha256_begin(sha));
	assert_ok(kri_sha256_update(sha, raw, sizeof(raw)));
	assert_ok(kri_sha256_finish(sha, hash));
	kri_hex(hash, sizeof(hash), expected);
	assert_string_equal(text, expected);
	kri_sha256_free(sha);
	kri_key_free(key);
	kri_key_free(NULL);
}

static void key_is_made_once_for_its_owner_only_and_found_again(void **state)
{
	char *folder = scratch_new();
	struct kri_key *first = NULL, *second = NULL;
	uint8_t signature[KRI_SIGNATURE_SIZE];
	bool created = false;
	struct stat status;

	(void)state;
	umask(0);
	assert_ok(kri_key_open(&first, in(folder, "device.key"), &created));
	assert_true(created);
	assert_int_equal(stat(in(folder, "device.key"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_ok(kri_key_open(&second, in(folder, "device.key"), &created));
	assert_false(created);
	assert_string_equal(kri_key_public_pem(first), kri_key_public_pem(second));
	assert_ok(kri_key_sign(first, "data", 4, signature));
	assert_ok(kri_key_verify(second, "data", 4, signature));
	kri_key_free(first);
	kri_key_free(second);
	/* Nothing but the key is left in the folder. */
	assert_int_equal(unlink(in(folder, "device.key")), 0);
	assert_int_equal(rmdir(folder), 0);
	free(folder);
}

static const char rsa_public[] = "-----BEGIN PUBLIC KEY-----\n"
				 "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMACKAl9VPbYvqsjXTQeCDFe4e5OwG4j\n"
				 "2L7q8ug43Ea+bq77cyXeOxv9KLjOLiE5bbpW68xZq15WTY/bQ+Wv7h8CAwEAAQ==\n"
				 "-----END PUBLIC KEY-----\n";
/* Made for this test, in use nowhere. */
static const char ec_private[] = "-----BEGIN EC PRIVATE KEY-----\n"
				 "MHcCAQEEIJnyMnpNb6H22lXFzkM4+2KbrFMgjzUBrfUX69PUT19CoAoGCCqGSM49\n"
				 "AwEHoUQDQgAEMbp24tiLj7Egf+nryvatRTT2KIW7HlvHrlmJ2LhsiOAbdtLg+ybS\n"
				 "ujMDpEPprqim3cCwEC/SLpI6aoaWTcau1w==\n"
				 "-----END EC PRIVATE KEY-----\n";

static void a_file_that_is_no_ed25519_key_is_named_and_left_alone(void **state)
{
	static const char *const bad[] = {
		"", "hello\n", ec_private, rsa_public,
		"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n"
	};
	char *folder = scratch_new(), *big = calloc(1, 20001);
	struct kri_key *key = NULL;
	bool created = false;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(in(folder, "bad.key"), bad[i]);
		assert_fails(KRYOS_ECORRUPT, kri_key_open(&key, in(folder, "bad.key"), &created));
		assert_says(KRYOS_ECORRUPT, in(folder, "bad.key"));
		assert_fails(KRYOS_ECORRUPT, kri_key_from_public(&key, bad[i], strlen(bad[i])));
	}
	memset(big, 'x', 20000);
	write_file(in(folder, "bad.key"), big);
	assert_fails(KRYOS_ECORRUPT, kri_key_open(&key, in(folder, "bad.key"), &created));
	assert_says(KRYOS_ECORRUPT, "longer");
	assert_fails(KRYOS_ECORRUPT, kri_key_from_public(&key, big, 20000));
	assert_fails(-EISDIR, kri_key_open(&key, folder, &created));
	assert_null(key);
	assert_false(created);
	free(big);
	scratch_free(folder);
}

static void an_encrypted_key_is_refused_without_asking_anybody(void **state)
{
	char *folder = scratch_new();
	struct kri_key *key = NULL;
	bool created;

	(void)state;
	write_file(in(folder, "secret.key"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	                                     "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgwNrsNRB/wbgICCAAw\n"
	                                     "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEECTyIxOw34yQXqYQxhFoJUcEQFjz\n"
	                                     "heUdXNzas3v3D0TZpR+x+sOP5hhns+reXXstY+gybNTSFd9+GDsjRZOOTxQmvNoW\n"
	                                     "v6vibmPSsZdS1xh5i1k=\n"
	                                     "-----END ENCRYPTED PRIVATE KEY-----\n");
	assert_fails(KRYOS_ECORRUPT, kri_key_open(&key, in(folder, "secret.key"), &created));
	assert_says(KRYOS_ECORRUPT, "unencrypted");
	scratch_free(folder);
}

static void a_key_that_cannot_be_written_leaves_nothing(void **state)
{
	char *folder = scratch_new();
	struct kri_key *key = NULL;
	bool created = false;

	(void)state;
	assert_fails(-ENOENT, kri_key_open(&key, in(folder, "missing/device.key"), &created));
	assert_says(-ENOENT, "missing/device.key");
	write_file(in(folder, "file"), "");
	assert_fails(-ENOTDIR, kri_key_open(&key, in(folder, "file/device.key"), &created));
	assert_null(key);
	assert_false(created);
	scratch_free(folder);
}

#else

static void without_libcrypto_hashing_and_keys_say_so(void **state)
{
	struct kri_sha256 *sha = NULL;
	struct kri_key *key = NULL;
	bool created = false;

	(void)state;
	assert_fails(-EOPNOTSUPP, kri_sha256_new(&sha));
	assert_says(-EOPNOTSUPP, "KRYOS_WITH_CRYPTO");
	assert_fails(-EOPNOTSUPP, kri_key_open(&key, "device.key", &created));
	assert_fails(-EOPNOTSUPP, kri_key_from_public(&key, "", 0));
	kri_sha256_free(NULL);
	kri_key_free(NULL);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_gives_the_values_of_rfc_3720),
		cmocka_unit_test(crc32c_agrees_with_the_polynomial_at_every_length_alignment_and_split),
		cmocka_unit_test(hex_and_back_is_the_same_and_anything_else_is_refused),
		cmocka_unit_test(random_bytes_differ_each_time),
#if KRYOS_WITH_CRYPTO
		cmocka_unit_test(sha256_gives_the_values_of_fips_180_and_is_reusable),
		cmocka_unit_test(ed25519_signs_and_verifies_the_vectors_of_rfc_8032),
		cmocka_unit_test(fingerprint_is_the_hash_of_the_raw_public_key),
		cmocka_unit_test(key_is_made_once_for_its_owner_only_and_found_again),
		cmocka_unit_test(a_file_that_is_no_ed25519_key_is_named_and_left_alone),
		cmocka_unit_test(an_encrypted_key_is_refused_without_asking_anybody),
		cmocka_unit_test(a_key_that_cannot_be_written_leaves_nothing),
#else
		cmocka_unit_test(without_libcrypto_hashing_and_keys_say_so),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
