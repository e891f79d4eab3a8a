# SPDX-License-Identifier: Apache-2.0
"""The host's part of "watchdog_reset": one machine, two boots."""

ALONE = True
ON_DEVICE = "KRYOS_TEST_WATCHDOG"
TIMEOUT = 15  # s, in the station file too
PERIOD = 5    # from pet to pet
BUSY = 2      # s, what an emulated processor on a busy host may add


def play(case):
    with case.boot("-device", "i6300esb", "-action", "watchdog=reset", reboots=True) as machine:
        machine.qmp("query-status")
        first, booted = machine.expect("^# bootstatus 0$|# SKIP$", 120)
        if "SKIP" in first[0]:
            return case.finish(machine)
        _, killed = machine.expect("^# killed$", 120)
        at = machine.event("RESET", TIMEOUT + 60)
        while at is not None and at < booted:  # the firmware resets some devices once more
            at = machine.event("RESET", TIMEOUT + 60)
        took = (at or machine.seconds()) - killed
        case.ok(at is not None and TIMEOUT - PERIOD - BUSY <= took <= TIMEOUT + 1 + BUSY,
                "killed, and %s after %.1f s" % ("reset" if at else "not reset", took))
        machine.expect("^# bootstatus 32$", 120)
        case.finish(machine, 120)
