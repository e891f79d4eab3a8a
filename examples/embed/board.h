/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for a maker's own board support: a modem that confirms each record a moment after it
 * was sent, and a panel that is the terminal. A real board talks to its hardware behind the same calls.
 */
#ifndef BOARD_H
#define BOARD_H

#include <kryos/kryos.h>

/* Readable when modem_process has something to do; the same at each call. */
int modem_fd(void);
/* Takes the far end's confirmations and acknowledges what they name. */
void modem_process(struct kryos_queue *queue);
/* Whether one more record can be sent before the next confirmation. */
int modem_has_room(void);
void modem_send(const struct kryos_record *record);

void panel_show(const struct kryos_event *event);
/* The last words before the end: what is wrong, in a sentence. */
void panel_fault(const char *text);

#endif
