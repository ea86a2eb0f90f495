"""Built-in slots: numbers, percentages, ordinals, durations and times of day, as people say them in English."""

import functools

from speechzoo.grammar.nodes import Node, Sequence, Value, Words, choice
from speechzoo.text.numbers import cardinal, ordinal, ways_to_say


def number_slot(numbers: range, halves: bool = False, tenths: bool = False, multiplier: float = 1) -> Node:
    """Values "25" (spoken "twenty five") of a range of numbers.

    Args:
        numbers: From 0 on, or negative ("minus five").
        halves: "two point five" and "two and a half" too.
        tenths: "two point one" to "two point nine" too.
        multiplier: The value is the spoken number times this.
    """
    values = []
    for number in numbers:
        spoken = [("minus " if number < 0 else "") + way for way in ways_to_say(abs(number))]
        values.append(_value(_figures(number * multiplier), spoken))
        for tenth in range(1, 10) if tenths else (5,) if halves else ():
            said = [f"{way} point {cardinal(tenth)}" for way in spoken[:2]]
            said += [f"{way} and a half" for way in spoken[:2] if tenth == 5 and number > 0]
            fraction = number - tenth / 10 if number < 0 else number + tenth / 10
            values.append(_value(_figures(fraction * multiplier), said))
    return choice(values)


@functools.cache
def percentage_slot() -> Node:
    """Values "0" to "100", spoken "twenty five percent"."""
    return choice([Value(str(number), Sequence((_words(ways_to_say(number)), Words("percent"))))
                   for number in range(101)])


@functools.cache
def ordinal_slot() -> Node:
    """Values "1" to "31", spoken "twenty first": days of a month, places in a list."""
    return choice([_value(str(number), [ordinal(number)]) for number in range(1, 32)])


def durations(adjective: bool = False) -> dict[int, list[str]]:
    """Durations and the ways to say them.

    Args:
        adjective: As they stand before a noun: "five minute", "two and a half hour".

    Returns:
        Seconds -> ways: 1 to 99 seconds, 1 to 99 minutes, 1 to 24 hours, halves and quarters, and, unless as adjective,
        hours with every fifth minute and minutes with seconds.
    """
    found: dict[int, list[str]] = {}

    def add(seconds, *ways):
        found.setdefault(int(seconds), []).extend(ways)

    units = (("second", 1, 99), ("minute", 60, 99), ("hour", 3600, 24))
    for unit, size, most in units:
        article = "an" if unit == "hour" else "a"
        many = unit if adjective else unit + "s"
        add(size, f"one {unit}", *([] if adjective else [f"{article} {unit}"]))
        for number in range(2, most + 1):
            add(number * size, f"{cardinal(number)} {many}")
        if unit == "second":
            continue
        add(size / 2, f"half {unit}") if adjective else add(size / 2, f"half {article} {unit}", f"a half {unit}")
        for number in range(1, 11):
            add((number + 0.5) * size, f"{cardinal(number)} and a half {many}")
        if not adjective:
            add(1.5 * size, f"{article} {unit} and a half", f"one {unit} and a half")
            add(2.5 * size, f"two {many} and a half")
    if adjective:
        return found
    add(900, "a quarter of an hour", "quarter of an hour")
    add(2700, "three quarters of an hour")
    add(4500, "an hour and a quarter", "one and a quarter hours")
    for size, more, most, parts in ((3600, 60, 12, range(5, 60, 5)), (60, 1, 10, (10, 15, 20, 30, 40, 45, 50))):
        first, second = ("hour", "minutes") if size == 3600 else ("minute", "seconds")
        for number in range(1, most + 1):
            for part in parts:
                wholes = [f"{cardinal(number)} {first}" + "s" * (number > 1)]
                wholes += [f"{'an' if size == 3600 else 'a'} {first}"] * (number == 1)
                add(number * size + part * more,
                    *(f"{whole} {joint}{cardinal(part)} {second}" for whole in wholes for joint in ("and ", "")))
    return found


@functools.cache
def duration_slot(adjective: bool = False) -> Node:
    """Values in whole seconds, such as "5400" for "an hour and a half"; see `durations`."""
    return choice([_value(str(seconds), spoken) for seconds, spoken in sorted(durations(adjective).items())])


@functools.cache
def time_slot() -> Node:
    """Times of day, every five minutes: values "7:30", or "7:30 am" and "7:30 pm" where the half of the day is said."""
    values = []
    for hour in range(1, 13):
        for minute in range(0, 60, 5):
            plain, alone = _clock(hour, minute)
            values.append(_value(f"{hour}:{minute:02}", plain + alone))
            for half in ("am", "pm"):
                parts = choice([Sequence((_words(plain), Words(f"{half[0]} m"))),
                                Sequence((_words(plain + alone), _words(_parts_of_day(hour, half))))])
                spoken = [parts, *(Words(name) for name in _named(hour, minute, half))]
                values.append(Value(f"{hour}:{minute:02} {half}", choice(spoken)))
    return choice(values)


def _clock(hour, minute):
    """Ways to say a time that "a m" may follow, and the others."""
    name, following = cardinal(hour), cardinal(hour % 12 + 1)
    if minute == 0:
        return [name], [f"{name} o'clock"]
    plain = [f"{name} oh {cardinal(minute)}" if minute < 10 else f"{name} {cardinal(minute)}"]
    if minute == 15:
        return plain, [f"{article}quarter {after} {name}" for article in ("", "a ") for after in ("past", "after")]
    if minute == 30:
        return plain, [f"half past {name}"]
    if minute == 45:
        return plain, [f"quarter to {following}", f"a quarter to {following}"]
    if minute < 30:
        return plain, [f"{cardinal(minute)} past {name}", f"{cardinal(minute)} after {name}"]
    return plain, [f"{cardinal(60 - minute)} to {following}"]


def _parts_of_day(hour, half):
    if half == "am":
        return ["at night"] if hour == 12 else ["in the morning"]
    return (["in the afternoon"] * (hour == 12 or hour < 6) + ["in the evening"] * (5 <= hour < 12)
            + ["at night"] * (9 <= hour < 12))


def _named(hour, minute, half):
    if (hour, minute) != (12, 0):
        return []
    return ["midnight"] if half == "am" else ["noon", "midday", "twelve noon"]


# Lists that a template may name without defining them.
BUILT_IN = {
    "number": functools.cache(lambda: number_slot(range(101))),
    "percentage": percentage_slot,
    "ordinal": ordinal_slot,
    "duration": duration_slot,
    "duration_adjective": functools.cache(lambda: duration_slot(adjective=True)),
    "time": time_slot,
}


def _figures(number):
    return f"{round(number, 6):g}" if abs(number) < 10**6 else str(int(number))


def _value(value, spoken):
    return Value(value, _words(spoken))


def _words(ways):
    return choice([Words(way) for way in dict.fromkeys(ways)])
