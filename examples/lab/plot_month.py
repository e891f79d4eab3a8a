# SPDX-License-Identifier: Apache-2.0
"""Plots a fridge's month, with the alarms that the rules find in it: of a store, a bundle, or any logger's CSV file.

    python3 plot_month.py /var/lib/kryos --channel fridge.temperature --profile who-refrigerator -o month.png
"""
import argparse
import tempfile
from datetime import timedelta
from pathlib import Path

import matplotlib.dates
import matplotlib.pyplot as pyplot

import kryos

COLOURS = {"heat": "tab:red", "freeze": "tab:blue"}


def from_store(path, channel, profile):
    """A channel's good readings, and what the rules say of them: through the same door as anybody's log."""
    with kryos.open(path) as reader:
        table = reader.to_pandas(long=True)
    table = table[(table["quality"] == "good") & (table["unit"] == "Cel")]
    channels = sorted(set(table["channel"]))
    if channel is None and len(channels) == 1:
        channel = channels[0]
    if channel not in channels:
        raise SystemExit("plot_month: --channel: a temperature with good readings is needed: "
                         f"{', '.join(channels) or 'there is none'}")
    series = table.loc[table["channel"] == channel, "value"]
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as log:
        log.write("time,celsius\n")
        log.writelines(f"{time.isoformat()},{value:.6f}\n" for time, value in series.items())
        log.flush()
        return series, kryos.evaluate(log.name, profile=profile, repair=True)


def from_log(path, channel, profile):
    log = kryos.evaluate(path, profile=profile, channel=channel)
    return log.to_pandas().iloc[:, 0], log


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a store's folder, a bundle (.tar), or a log (.csv)")
    parser.add_argument("--channel")
    parser.add_argument("--profile", default="who-refrigerator", help=", ".join(kryos.profiles()))
    parser.add_argument("--days", type=float, default=31, help="the last ones")
    parser.add_argument("-o", "--output", default="month.png")
    options = parser.parse_args()

    source = from_log if Path(options.source).suffix == ".csv" else from_store
    try:
        series, log = source(options.source, options.channel, options.profile)
    except kryos.Error as error:
        raise SystemExit(f"plot_month: {error}") from None
    since = log.end - timedelta(days=options.days)
    series = series[series.index >= since]

    # A line over a gap would be a lie.
    series = series.resample(log.interval, origin="start").mean()
    figure, axes = pyplot.subplots(figsize=(11, 4))
    axes.plot(series.index, series.values, color="black", linewidth=0.8)
    axes.axhspan(2, 8, color="tab:green", alpha=0.1)
    shown = [episode for episode in log.episodes if (episode.end or log.end) >= since]
    for episode in shown:
        axes.axvspan(max(episode.start, since), episode.end or log.end, color=COLOURS.get(episode.kind, "tab:grey"),
                     alpha=0.3)
    axes.set_ylabel("Celsius")
    axes.set_title(f"{options.source}: {log.rules}, {len(shown)} alarms, mean kinetic "
                   + ("-" if log.mkt_c is None else f"{log.mkt_c:.1f} C"))
    axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(axes.xaxis.get_major_locator()))
    figure.savefig(options.output, dpi=150, bbox_inches="tight")
    print(f"{options.output}: {series.count()} readings, {len(shown)} alarms")


if __name__ == "__main__":
    main()
