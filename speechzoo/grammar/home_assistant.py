"""Home Assistant's sentences, which its community wrote: the optional package `home-assistant-intents`."""

from speechzoo.grammar.located import Located
from speechzoo.names import nearest

PACKAGE = "home_assistant_intents"


def home_assistant_document(language: Located) -> dict:
    """The package's sentences as `read_located` would give them.

    Args:
        language: ISO 639-1, where the grammar asks for it.

    Raises:
        GrammarError: The package isn't installed, or doesn't know the language.
    """
    try:
        import home_assistant_intents
    except ImportError:
        raise language.error("Home Assistant's sentences need the package home-assistant-intents; "
                             "pip install speechzoo[grammars]") from None
    languages = home_assistant_intents.get_languages()
    if language not in languages:
        raise language.error(f"Home Assistant has no language '{language}'; {nearest(language, languages)}")
    return _located(home_assistant_intents.get_intents(language), f"{PACKAGE}:{language}")


def _located(value, source):
    if isinstance(value, dict):
        return {Located(key, source): _located(item, source) for key, item in value.items()}
    if isinstance(value, list):
        return [_located(item, source) for item in value]
    return Located(str(value).lower() if isinstance(value, bool) else str(value), source)
