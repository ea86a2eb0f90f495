"""Amounts of money and units of measure in English words."""

from speechzoo.text.numbers import cardinal, number_in_words

# Sign -> one, many, one and many of its hundredth part.
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "¥": ("yen", "yen"),
    "¢": ("cent", "cents"),
}
SCALES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion", "thousand": "thousand",
          "million": "million", "billion": "billion", "trillion": "trillion"}
# What is written behind a figure -> one, many. Single letters mean too much: 5 m is five metres, minutes, millions.
UNITS = {
    "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"), "mm": ("millimeter", "millimeters"),
    "ft": ("foot", "feet"),
    "km²": ("square kilometer", "square kilometers"), "m²": ("square meter", "square meters"),
    "cm²": ("square centimeter", "square centimeters"), "m³": ("cubic meter", "cubic meters"),
    "cm³": ("cubic centimeter", "cubic centimeters"),
    "kg": ("kilogram", "kilograms"), "mg": ("milligram", "milligrams"), "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"), "ml": ("milliliter", "milliliters"),
    "mph": ("mile per hour", "miles per hour"), "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"), "m/s": ("meter per second", "meters per second"),
    "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "min": ("minute", "minutes"), "mins": ("minute", "minutes"),
    "sec": ("second", "seconds"), "secs": ("second", "seconds"), "ms": ("millisecond", "milliseconds"),
    "kb": ("kilobyte", "kilobytes"), "mb": ("megabyte", "megabytes"), "gb": ("gigabyte", "gigabytes"),
    "tb": ("terabyte", "terabytes"),
    "hz": ("hertz", "hertz"), "khz": ("kilohertz", "kilohertz"), "mhz": ("megahertz", "megahertz"),
    "ghz": ("gigahertz", "gigahertz"), "kw": ("kilowatt", "kilowatts"), "kwh": ("kilowatt hour", "kilowatt hours"),
    "db": ("decibel", "decibels"),
    "°": ("degree", "degrees"), "°c": ("degree celsius", "degrees celsius"),
    "°f": ("degree fahrenheit", "degrees fahrenheit"),
}


def money_in_words(sign: str, amount: str, scale: str | None = None, to: str | None = None) -> str:
    """An amount of money in words.

    Args:
        sign: A key of `CURRENCIES`.
        amount: Figures, as `number_in_words` takes them.
        scale: A key of `SCALES` that was written behind them.
        to: Figures of the upper end, where the amount is a range.

    Example:
        >>> money_in_words("$", "2.50"), money_in_words("£", "3", "m")
        ('two dollars and fifty cents', 'three million pounds')
    """
    one, many, *hundredth = CURRENCIES[sign]
    whole, _, parts = amount.partition(".")
    if hundredth and not scale and not to and len(parts) == 2:
        words = []
        if whole.strip("0,") or not parts.strip("0"):
            words.append(f"{number_in_words(whole or '0')} {one if whole == '1' else many}")
        if parts.strip("0"):
            words.append(f"{cardinal(int(parts))} {hundredth[int(parts) != 1]}")
        return " and ".join(words)
    words = number_in_words(amount) + (f" to {number_in_words(to)}" if to else "")
    if scale:
        return f"{words} {SCALES[scale]} {many}"
    return f"{words} {one if amount == '1' and not to else many}"
