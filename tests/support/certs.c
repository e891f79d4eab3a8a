/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

static const char script[] =
	"set -e; cd \"$1\"\n"
	"new() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj \"/CN=$2\" -keyout $1.key "
	"-out $1.csr; }\n"
	"ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj \"/CN=$2\" "
	"-keyout $1.key -out $1.crt; }\n"
	/* sign NAME CA DAYS SAN */
	"sign() { printf 'subjectAltName=%s\\n' \"$4\" > $1.ext; openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key "
	"-CAcreateserial -days $3 -extfile $1.ext -out $1.crt; }\n"
	"ca ca 'Test CA'; ca wrong-ca 'Another CA'\n"
	"new server localhost; sign server ca 3650 IP:127.0.0.1,DNS:localhost\n"
	"new other elsewhere; sign other ca 3650 DNS:elsewhere.example\n"
	"new expired localhost; sign expired ca -1 IP:127.0.0.1,DNS:localhost\n"
	"new client device; sign client ca 3650 DNS:device\n"
	"new stranger stranger; sign stranger wrong-ca 3650 DNS:stranger\n";

bool certs_make(const char *folder)
{
	char *const argv[] = { "sh", "-c", (char *)(uintptr_t)script, "sh", (char *)(uintptr_t)folder, NULL };
	posix_spawn_file_actions_t actions;
	char log[4096];
	pid_t pid;
	int status = -1;

	snprintf(log, sizeof(log), "%s/openssl.log", folder);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, log, O_CREAT | O_WRONLY, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	if (posix_spawnp(&pid, "sh", &actions, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&actions);
	return status == 0;
}
