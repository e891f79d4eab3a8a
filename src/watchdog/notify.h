/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notify: sd_notify(3) without libsystemd, one datagram to the socket that the service manager names in
 * $NOTIFY_SOCKET. Nothing blocks. Any thread, as long as nobody changes the environment meanwhile.
 */
#ifndef KRI_NOTIFY_H
#define KRI_NOTIFY_H

/* 1 and a connected socket in *ret_fd; 0: no manager asks, which is not an error; -errno with a sentence. */
int kri_notify_open(int *ret_fd);
/* Sends state ("WATCHDOG=1") to such a socket. -EAGAIN: the manager is not reading. */
int kri_notify_send(int fd, const char *state);

/* Opens, sends, closes: "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...", "STATUS=...". 1: sent; 0: no
 * manager asks; -errno. */
int kri_notify(const char *state);

#endif
