"""Built-in slots: numbers of any language, and percentages, ordinals, durations and times of day as people say them in
English."""

import contextlib
import functools

from speechzoo.grammar.nodes import Node, Sequence, Value, Words, choice
from speechzoo.text.language import primary_language
from speechzoo.text.normalize import normalize_words
from speechzoo.text.numbers import cardinal, ordinal, ways_to_say


def number_slot(numbers: range, halves: bool = False, tenths: bool = False, multiplier: float = 1,
                language: str = "en") -> Node:
    """Values "25" (spoken "twenty five") of a range of numbers.

    Args:
        numbers: The whole ones; below 0 "minus five".
        halves: Each of them plus a half too, as hassil counts: -2, -1.5, -1, -0.5; "two point five", "two and a half".
        tenths: Each of them plus one to nine tenths too: "two point one".
        multiplier: The value is the spoken number times this.
        language: Language tag of the words.

    Raises:
        ValueError: Numbers aren't spelled out in this language, or not without a package.
    """
    ways = _english if primary_language(language) == "en" else functools.partial(spelled, language=language)
    values = []
    for number in numbers:
        for tenth in (0, *(range(1, 10) if tenths else (5,) if halves else ())):
            exact = number * 10 + tenth
            said = ways(exact)
            if said:
                values.append(_value(_figures(exact / 10 * multiplier), said))
    return choice(values)


def _english(tenths):
    """Ways to say a number of tenths: 15 -> "one point five", "one and a half"."""
    whole, tenth = divmod(abs(tenths), 10)
    wholes = ways_to_say(whole)
    if tenth:
        halves = ["a half"] if whole == 0 else [f"{way} and a half" for way in wholes[:2]]
        wholes = [f"{way} point {cardinal(tenth)}" for way in wholes[:2]] + halves * (tenth == 5)
    return ["minus " * (tenths < 0) + way for way in wholes]


@functools.lru_cache(maxsize=20_000)
def spelled(tenths: int, language: str) -> tuple[str, ...]:
    """Ways to say a number of tenths in any language that Unicode's CLDR spells numbers in, in all genders and cases.

    Args:
        tenths: The number times ten.
        language: Language tag, such as `zh-TW`.

    Returns:
        The ways; none of a fraction below 0 where the word for minus doesn't stand before the number.

    Raises:
        ValueError: The language isn't among them, or the package `unicode-rbnf` isn't installed.
    """
    engine = _engine(language)
    if tenths % 10 == 0:
        found = _spelled(engine, tenths // 10)
    elif tenths > 0:
        found = _spelled(engine, tenths / 10)
    else:  # the engine loses what follows the point of these
        one, minus_one = engine.format_number(1).text, engine.format_number(-1).text
        minus = minus_one.removesuffix(one)
        found = [minus + way for way in _spelled(engine, -tenths / 10)] if minus != minus_one else []
    words = [normalize_words(way, language) for way in found]
    return tuple(dict.fromkeys(filter(None, words)))


def _spelled(engine, number):
    return list(engine.format_number(number).text_by_ruleset.values())


# Whose numbers are under another tag in CLDR: Chinese by its script, Bokmal by what inherits from it.
_SPELLED_AS = {"zh-HK": "zh-Hant", "zh-MO": "zh-Hant", "zh-TW": "zh-Hant", "nb": "no"}


@functools.cache
def _engine(language):
    try:
        import unicode_rbnf
    except ImportError:
        raise ValueError(f"numbers in '{language}' need the package unicode-rbnf; pip install speechzoo[grammars]"
                         ) from None
    for tag in (language, primary_language(language)):
        with contextlib.suppress(ValueError):
            engine = unicode_rbnf.RbnfEngine.for_language(_SPELLED_AS.get(tag, tag).replace("-", "_"))
            engine.format_number(1)  # some languages are there without a rule
            return engine
    raise ValueError(f"nothing here spells numbers out in '{language}'; list them as values of a slot")


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
    figures = f"{number:.6f}".rstrip("0").rstrip(".")
    return "0" if figures == "-0" else figures


def _value(value, spoken):
    return Value(value, _words(spoken))


def _words(ways):
    return choice([Words(way) for way in dict.fromkeys(ways)])
