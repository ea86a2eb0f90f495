"""Numbers in English words."""

from collections.abc import Iterable

_ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
         "seventeen eighteen nineteen").split()
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_GROUPS = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
             "twelve": "twelfth"}
# Denominators that make a fraction in speech; 9/11 and 24/7 are two numbers.
_DENOMINATORS = (*range(2, 11), 16, 32, 64, 100)
# Longer ones without commas are codes and telephone numbers.
_MAXIMUM_DIGITS = 9


def cardinal(number: int, joint: str = "") -> str:
    """A number in words.

    Args:
        number: 0 to below 10**15.
        joint: Word between hundreds and the rest: "" as Americans like it, or "and".

    Example:
        >>> cardinal(1205)
        'one thousand two hundred five'
    """
    if number < 20:
        return _ONES[number]
    if number < 100:
        return " ".join([_TENS[number // 10 - 1], *([_ONES[number % 10]] if number % 10 else [])])
    size, name = next(group for group in _GROUPS if number >= group[0])
    rest = number % size
    words = [cardinal(number // size, joint), name]
    if rest:
        words += ([joint] if joint and rest < 100 else []) + [cardinal(rest, joint)]
    return " ".join(words)


def ordinal(number: int) -> str:
    """A place in a row in words: 21 -> "twenty first"."""
    return _last_as_ordinal(cardinal(number))


def ways_to_say(number: int) -> tuple[str, ...]:
    """The usual ways to say a number from 0 on; that of written figures is the first."""
    ways = [cardinal(number), cardinal(number, "and")]
    if 100 <= number < 200 or 1000 <= number < 2000:
        ways.append("a" + cardinal(number, "and").removeprefix("one"))
    if 1100 <= number < 2000 and number % 1000 // 100:  # fifteen hundred; in ten hundred nobody counts
        rest = number % 100
        ways.append(f"{cardinal(number // 100)} hundred" + (f" and {cardinal(rest)}" if rest else ""))
    return tuple(dict.fromkeys(ways))


def digit_by_digit(figures: Iterable[str]) -> str:
    """Figures one after another: "042" -> "zero four two". Whatever is not a figure is passed over."""
    return " ".join(_ONES[int(figure)] for figure in figures if figure.isdecimal())


def number_in_words(figures: str) -> str:
    """A written number without its sign in words.

    Commas group thousands, points are decimal points. Figures that begin with zero, and more than nine without commas,
    are a code and are read one by one.

    Args:
        figures: "42", "1,205", "2.5", ".5", "007", "1.2.3".

    Example:
        >>> number_in_words("1,205.05")
        'one thousand two hundred five point zero five'
    """
    whole, *parts = figures.split(".")
    # What follows one point are decimals; more points stand in versions and addresses.
    decimals = [digit_by_digit(parts[0])] if len(parts) == 1 else [_whole(part) for part in parts]
    return " point ".join([_whole(whole), *decimals]).strip()


def ordinal_in_words(figures: str) -> str:
    """A written place in a row: "21" -> "twenty first"; figures as of `number_in_words`."""
    return _last_as_ordinal(_whole(figures))


def fraction_in_words(numerator: int, denominator: int) -> str | None:
    """A fraction below one, or None where the two numbers are said one after the other instead.

    Example:
        >>> fraction_in_words(3, 4), fraction_in_words(1, 2), fraction_in_words(24, 7)
        ('three quarters', 'half', None)
    """
    if not 0 < numerator < denominator or denominator not in _DENOMINATORS:
        return None
    name = {2: "half", 4: "quarter"}.get(denominator) or ordinal(denominator)
    if numerator > 1:
        return f"{cardinal(numerator)} {name}s"
    return name if denominator in (2, 4) else f"one {name}"


def year_in_words(year: int) -> str:
    """A year from 1100 to 2099: 1984 -> "nineteen eighty four", 2005 -> "two thousand five"."""
    century, rest = divmod(year, 100)
    if 2000 <= year < 2010:
        return cardinal(year)
    if not rest:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} " + (f"oh {cardinal(rest)}" if rest < 10 else cardinal(rest))


def decade_in_words(figures: str) -> str:
    """Ten years: "1990" -> "nineteen nineties", "80" -> "eighties"."""
    if figures in ("00", "2000"):
        return "two thousands"
    words = year_in_words(int(figures)) if len(figures) == 4 else cardinal(int(figures))
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _whole(figures):
    digits = figures.replace(",", "")
    if not digits:
        return ""
    if digits[0] == "0" and len(digits) > 1 or len(digits) > (15 if "," in figures else _MAXIMUM_DIGITS):
        return digit_by_digit(digits)
    return cardinal(int(digits))


def _last_as_ordinal(words):
    *front, last = words.split()
    last = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join([*front, last])
