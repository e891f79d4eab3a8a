/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* kryos_door_ask waits, so it runs beside the loop. */
struct asking {
	const char *path, *request;
	int64_t timeout_ns;
	char *answer;
	int result;
	char sentence[400];
	volatile bool done;
	pthread_t thread;
};

static void *ask(void *data)
{
	struct asking *asking = data;

	asking->result = kryos_door_ask(asking->path, asking->request, asking->timeout_ns, &asking->answer);
	if (asking->result < 0)
		snprintf(asking->sentence, sizeof(asking->sentence), "%s", kryos_strerror(asking->result));
	__atomic_store_n(&asking->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_done(void *data)
{
	return __atomic_load_n(&((struct asking *)data)->done, __ATOMIC_ACQUIRE);
}

static void ask_beside(struct bench *bench, struct asking *asking)
{
	assert_int_equal(pthread_create(&asking->thread, NULL, ask, asking), 0);
	assert_true(process_until(bench->ctx, is_done, asking, 10000));
	pthread_join(asking->thread, NULL);
}

static void assert_answers(struct bench *bench)
{
	struct asking asking = { .path = bench->socket,
		                 .request = "{\"command\":\"version\"}",
		                 .timeout_ns = INT64_MAX };

	ask_beside(bench, &asking);
	if (asking.result < 0)
		fail_msg("%s", asking.sentence);
	assert_non_null(strstr(asking.answer, "{\"ok\":true,"));
	free(asking.answer);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* What has come after the loop ran for a while; "" and *ret_closed when the other side hung up. */
static size_t receive(struct bench *bench, int fd, char *buffer, size_t size, bool *ret_closed)
{
	size_t count = 0;
	ssize_t got;

	*ret_closed = false;
	for (int i = 0; i < 20 && count < size - 1; i++) {
		process_for(bench->ctx, 5);
		got = recv(fd, buffer + count, size - 1 - count, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno == ECONNRESET)) {
			*ret_closed = true;
			break;
		}
		count += got > 0 ? (size_t)got : 0;
	}
	buffer[count] = 0;
	return count;
}

static unsigned int count_lines(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void a_line_is_answered_by_a_line(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	struct stat status;

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	assert_int_equal(stat(bench->socket, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 0777, 0660);
	assert_answers(bench);
	assert_answers(bench);
	kryos_door_close(door);
	assert_int_equal(stat(bench->socket, &status), -1);
}

static void pieces_and_bundles_of_lines_are_taken_apart(void **state)
{
	static const char first[] = "{\"command\":", second[] = "\"version\"}\n{\"command\":\"version\"}\n\n{\"comm";
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	char buffer[8192];
	bool closed;
	int fd;

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	fd = connect_to(bench->socket);
	assert_int_equal(send(fd, first, sizeof(first) - 1, 0), sizeof(first) - 1);
	assert_int_equal(receive(bench, fd, buffer, sizeof(buffer), &closed), 0);
	assert_false(closed);
	assert_int_equal(send(fd, second, sizeof(second) - 1, 0), sizeof(second) - 1);
	receive(bench, fd, buffer, sizeof(buffer), &closed);
	assert_int_equal(count_lines(buffer), 3); /* the empty line is no request, and is told so */
	assert_non_null(strstr(buffer, "\"ok\":false"));
	assert_int_equal(send(fd, "and\":\"version\"}\n", 16, 0), 16);
	receive(bench, fd, buffer, sizeof(buffer), &closed);
	assert_int_equal(count_lines(buffer), 1);
	assert_true(strncmp(buffer, "{\"ok\":true", 10) == 0);
	close(fd);
	process_for(bench->ctx, 10);
	assert_answers(bench);
	kryos_door_close(door);
}

static void a_line_over_4096_bytes_ends_the_talk(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	char line[5000], buffer[8192];
	bool closed;
	int fd;

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	fd = connect_to(bench->socket);
	memset(line, ' ', sizeof(line));
	memcpy(line + 4095 - 21, "{\"command\":\"version\"}", 21);
	line[4095] = '\n';
	assert_int_equal(send(fd, line, 4096, 0), 4096);
	receive(bench, fd, buffer, sizeof(buffer), &closed);
	assert_non_null(strstr(buffer, "\"ok\":true"));
	assert_false(closed);
	memset(line, ' ', sizeof(line));
	assert_int_equal(send(fd, line, 5000, 0), 5000);
	receive(bench, fd, buffer, sizeof(buffer), &closed);
	assert_non_null(strstr(buffer, "longer than 4096 bytes"));
	assert_true(closed);
	close(fd);
	assert_answers(bench);
	kryos_door_close(door);
}

static void a_nul_does_not_hide_what_follows(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	char buffer[8192];
	bool closed;
	int fd;

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	fd = connect_to(bench->socket);
	assert_int_equal(send(fd, "{\"command\":\"version\"}\0x\n", 24, 0), 24);
	receive(bench, fd, buffer, sizeof(buffer), &closed);
	assert_string_equal(buffer, "{\"ok\":false,\"error\":\"JSON: a NUL byte\"}\n");
	close(fd);
	kryos_door_close(door);
}

static void the_ninth_peer_is_turned_away_until_one_leaves(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	char buffer[8192];
	bool closed;
	int fds[9];

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	for (int i = 0; i < 9; i++) {
		fds[i] = connect_to(bench->socket);
		process_for(bench->ctx, 5);
	}
	receive(bench, fds[8], buffer, sizeof(buffer), &closed);
	assert_non_null(strstr(buffer, "8 others are connected"));
	assert_true(closed);
	close(fds[8]);
	close(fds[0]);
	process_for(bench->ctx, 10);
	assert_answers(bench);
	for (int i = 1; i < 8; i++)
		close(fds[i]);
	kryos_door_close(door);
}

static void a_peer_that_takes_no_answers_is_not_asked_for_more(void **state)
{
	static const char request[] = "{\"command\":\"status\"}\n";
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	size_t asked = 0, got = 0;
	char buffer[65536];
	bool closed = false;
	int fd;

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	fd = connect_to(bench->socket);
	for (int i = 0; i < 20000; i++) {
		ssize_t sent = send(fd, request, sizeof(request) - 1, MSG_DONTWAIT);

		if (sent == (ssize_t)sizeof(request) - 1)
			asked++;
		else if (sent < 0)
			break;
		else
			fail_msg("a piece was sent");
		process_for(bench->ctx, 0);
	}
	assert_in_range(asked, 10, 19999);
	assert_answers(bench);
	for (int i = 0; i < 2000 && got < asked && !closed; i++) {
		receive(bench, fd, buffer, sizeof(buffer), &closed);
		got += count_lines(buffer);
	}
	assert_int_equal(got, asked);
	close(fd);
	kryos_door_close(door);
}

static void a_socket_left_behind_is_replaced_and_a_living_one_is_not(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL, *second = NULL;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* As a daemon that was killed leaves it. */
	strcpy(address.sun_path, bench->socket);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	assert_answers(bench);
	assert_fails(-EADDRINUSE, kryos_door_open(&second, bench->station, bench->socket));
	assert_says(-EADDRINUSE, "somebody answers there already");
	assert_null(second);
	process_for(bench->ctx, 10);
	assert_answers(bench);
	kryos_door_close(door);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	char deep[300], longer[200];
	FILE *file = fopen(bench->socket, "w");

	fclose(file);
	assert_fails(-EEXIST, kryos_door_open(&door, bench->station, bench->socket));
	assert_int_equal(access(bench->socket, F_OK), 0);
	snprintf(deep, sizeof(deep), "%.90s/no/control", bench->folder);
	assert_fails(-ENOENT, kryos_door_open(&door, bench->station, deep));
	assert_says(-ENOENT, "its folder must exist");
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[150] = 0;
	assert_fails(-ENAMETOOLONG, kryos_door_open(&door, bench->station, longer));
	assert_fails(-EINVAL, kryos_door_open(&door, NULL, bench->socket));
	assert_null(door);
}

static void a_socket_that_became_anothers_is_not_unlinked(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	FILE *file;

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	assert_int_equal(unlink(bench->socket), 0);
	file = fopen(bench->socket, "w");
	fclose(file);
	kryos_door_close(door);
	assert_int_equal(access(bench->socket, F_OK), 0);
}

static void a_door_outlives_its_station_shut(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	char *answer = NULL;
	int fd;

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	fd = connect_to(bench->socket);
	process_for(bench->ctx, 10);
	kryos_station_close(bench->station);
	bench->station = NULL;
	assert_fails(-ENOENT, kryos_door_ask(bench->socket, "{}", KRYOS_SECONDS(1), &answer));
	process_for(bench->ctx, 10);
	kryos_door_close(door);
	close(fd);
	/* And the context closes one that is still open, with its station; once after a reload, which makes it older.
	 */
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->file, KRYOS_STATION_CONFIG(.manual = 1)));
	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	assert_ok(kryos_station_reload(bench->station));
	assert_answers(bench);
	bench->station = NULL;
	kryos_ctx_free(bench->ctx);
	bench->ctx = NULL;
	assert_int_equal(access(bench->socket, F_OK), -1);
}

static void who_asked_is_the_peers_login_name(void **state)
{
	struct asking asking = { .request = "{\"command\":\"flush\"}", .timeout_ns = KRYOS_SECONDS(5) };
	const struct passwd *user = getpwuid(geteuid());
	const struct kryos_record *record;
	struct kryos_reader *reader = NULL;
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	unsigned int audits = 0;
	char expected[64];

	if (user)
		snprintf(expected, sizeof(expected), "%s", user->pw_name);
	else
		snprintf(expected, sizeof(expected), "uid %lu", (unsigned long)geteuid());
	asking.path = bench->socket;
	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	ask_beside(bench, &asking);
	assert_non_null(asking.answer);
	assert_non_null(strstr(asking.answer, "\"ok\":true"));
	free(asking.answer);
	assert_ok(kryos_reader_open(&reader, bench->ctx, bench->store));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type == KRYOS_EVENT_AUDIT && strcmp(record->event->name, expected) == 0)
			audits++;
	}
	assert_int_equal(audits, 1);
	kryos_reader_close(reader);
	kryos_door_close(door);
}

static void asking_says_why_there_is_no_answer(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct kryos_door *door = NULL;
	char longer[200], *answer = NULL;
	int fd;

	assert_fails(-ENOENT, kryos_door_ask(bench->socket, "{}", KRYOS_SECONDS(1), &answer));
	assert_says(-ENOENT, "is cryo_daemon running?");
	memset(longer, 'x', sizeof(longer));
	longer[150] = 0;
	assert_fails(-ENAMETOOLONG, kryos_door_ask(longer, "{}", KRYOS_SECONDS(1), &answer));
	assert_fails(-EINVAL, kryos_door_ask(bench->socket, "{}\n{}", KRYOS_SECONDS(1), &answer));
	assert_fails(-EINVAL, kryos_door_ask(NULL, "{}", KRYOS_SECONDS(1), &answer));

	/* Nobody runs the loop: connected, and no answer. */
	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	assert_fails(-ETIMEDOUT, kryos_door_ask(bench->socket, "{}", KRYOS_MILLISECONDS(50), &answer));
	assert_says(-ETIMEDOUT, "no answer in time");
	kryos_door_close(door);

	/* A dead daemon's socket. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, bench->socket);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_fails(-ECONNREFUSED, kryos_door_ask(bench->socket, "{}", KRYOS_SECONDS(1), &answer));
	close(fd);
	assert_null(answer);
}

/* Bytes of every kind, in pieces, and hanging up at any moment. */
static void random_peers_never_hurt_the_door(void **state)
{
	static const char alphabet[] = "{}\"command:status,arguments\n\n\\\0\xff";
	uint64_t random = seed_from_environment(5);
	struct bench *bench = *state;
	struct kryos_door *door = NULL;

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	for (int round = 0; round < 300; round++) {
		int fd = connect_to(bench->socket);
		unsigned int pieces = (unsigned int)(next_random(&random) % 6);

		for (unsigned int i = 0; i < pieces; i++) {
			char bytes[600];
			size_t count = next_random(&random) % sizeof(bytes);

			for (size_t j = 0; j < count; j++)
				bytes[j] = alphabet[next_random(&random) % (sizeof(alphabet) - 1)];
			(void)!send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
			process_for(bench->ctx, 0);
		}
		close(fd);
		process_for(bench->ctx, 0);
	}
	assert_answers(bench);
	kryos_door_close(door);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_line_is_answered_by_a_line),
		TEST(pieces_and_bundles_of_lines_are_taken_apart),
		TEST(a_line_over_4096_bytes_ends_the_talk),
		TEST(a_nul_does_not_hide_what_follows),
		TEST(the_ninth_peer_is_turned_away_until_one_leaves),
		TEST(a_peer_that_takes_no_answers_is_not_asked_for_more),
		TEST(a_socket_left_behind_is_replaced_and_a_living_one_is_not),
		TEST(what_is_no_socket_is_left_alone),
		TEST(a_socket_that_became_anothers_is_not_unlinked),
		TEST(a_door_outlives_its_station_shut),
		TEST(who_asked_is_the_peers_login_name),
		TEST(asking_says_why_there_is_no_answer),
		TEST(random_peers_never_hurt_the_door),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
