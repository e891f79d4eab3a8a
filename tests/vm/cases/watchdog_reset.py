# SPDX-License-Identifier: Apache-2.0
"""The host's part of "watchdog_reset": one machine, two boots."""

ALONE = True
TIMEOUT = 15  # s, in the station file too


def play(case):
    with case.boot("-device", "i6300esb", "-action", "watchdog=reset", reboots=True) as machine:
        first, booted = machine.expect("^# bootstatus 0$|# SKIP$", 120)
        if "SKIP" in first[0]:
            return case.finish(machine)
        _, killed = machine.expect("^# killed$", 120)
        _, again = machine.expect("^# bootstatus 32$", TIMEOUT + 120)
        # Between the two lines are the time that the watchdog had left, and a boot, of which the first is the measure.
        took = again - killed
        case.ok(TIMEOUT - 5 <= took <= TIMEOUT + 1 + 2 * booted,
                "killed, and up again after %.1f s, of which a boot takes %.1f s" % (took, booted))
        case.finish(machine, 120)
