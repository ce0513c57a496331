"""Writes bike_counts.csv: two months of hourly counts from three bicycle counters of an invented town.

The file is made up, and made up to be as untidy as real ones: a station that writes decimal commas,
outages recorded as -1, lines sent twice, and gaps. Same seed, same bytes.
"""

from __future__ import annotations

import csv
import math
import random
from datetime import datetime, timedelta
from pathlib import Path

STATIONS = {"Harbour": 150.0, "Old Bridge": 210.0, "University": 120.0}
FIRST = datetime(2026, 4, 1)
DAYS = 61


def commute(hour: int) -> float:
    """Share of the busiest hour on a working day: two peaks, 8 h and 17 h."""
    return 0.06 + 0.95 * math.exp(-((hour - 8) ** 2) / 3) + 1.0 * math.exp(-((hour - 17) ** 2) / 6)


def leisure(hour: int) -> float:
    """The same on a free day: one broad hump in the afternoon."""
    return 0.05 + 0.62 * math.exp(-((hour - 14.5) ** 2) / 18)


def weather(dice: random.Random) -> list[tuple[float, float]]:
    """(temperature in deg C, rain in mm) for each hour."""
    hours: list[tuple[float, float]] = []
    raining = False
    for index in range(DAYS * 24):
        raining = dice.random() < (0.82 if raining else 0.035)
        season = 9 + 7 * index / (DAYS * 24)
        daily = 4.5 * math.sin((index % 24 - 9) / 24 * 2 * math.pi)
        rain = round(dice.expovariate(0.9), 1) if raining else 0.0
        hours.append((round(season + daily - (2 if raining else 0) + dice.gauss(0, 0.8), 1), rain))
    return hours


def rows(dice: random.Random) -> list[list[str]]:
    """All lines of the file, in the order the counters sent them."""
    sky = weather(dice)
    lines: list[list[str]] = []
    for index in range(DAYS * 24):
        moment = FIRST + timedelta(hours=index)
        temperature, rain = sky[index]
        for station, busy in STATIONS.items():
            free = moment.weekday() >= 5
            share = leisure(moment.hour) if free else commute(moment.hour)
            if station == "University" and free:
                share *= 0.45
            wet = 0.68 if rain > 0 else 1.0
            mean = busy * share * wet * (1 + 0.018 * (temperature - 12))
            count = max(0, round(dice.gauss(mean, 0.11 * mean + 1)))
            if station == "Harbour" and 30 <= index // 24 < 32:
                count = -1  # two days without power
            written = str(temperature)
            if station == "University":
                written = written.replace(".", ",")
            if dice.random() < 0.012:
                written = ""
            line = [
                moment.isoformat(sep=" ", timespec="minutes"),
                station,
                str(count),
                written,
                str(rain),
            ]
            lines.append(line)
            if dice.random() < 0.01:
                lines.append(line)
    return lines


def main() -> None:
    target = Path(__file__).with_name("bike_counts.csv")
    with target.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", "station", "bikes", "temperature_c", "rain_mm"])
        writer.writerows(rows(random.Random(20260401)))


if __name__ == "__main__":
    main()
