"""Home Assistant's sentences, which its community wrote: the optional package `home-assistant-intents`."""

from speechzoo.grammar.located import Located
from speechzoo.names import nearest
from speechzoo.text.language import language_tag, primary_language

PACKAGE = "home_assistant_intents"


def home_assistant_document(language: Located) -> dict:
    """The package's sentences as `read_located` would give them.

    Args:
        language: Language tag, where the grammar asks for it.

    Raises:
        GrammarError: The package isn't installed, or doesn't know the language.
    """
    try:
        import home_assistant_intents
    except ImportError:
        raise language.error("Home Assistant's sentences need the package home-assistant-intents; "
                             "pip install speechzoo[grammars]") from None
    languages = {tag.lower(): tag for tag in home_assistant_intents.get_languages()}
    try:
        tag = language_tag(language)
    except ValueError as error:
        raise language.error(str(error)) from None
    # What has no sentences of its own has those of its language, as Home Assistant does it.
    known = languages.get(tag.lower()) or languages.get(primary_language(tag))
    if known is None:
        raise language.error(f"Home Assistant has no language '{language}'; {nearest(tag, languages.values())}")
    return _located(home_assistant_intents.get_intents(known), f"{PACKAGE}:{known}")


def _located(value, source):
    if isinstance(value, dict):
        return {Located(key, source): _located(item, source) for key, item in value.items()}
    if isinstance(value, list):
        return [_located(item, source) for item in value]
    if value is None:
        return Located("", source)
    return Located(str(value).lower() if isinstance(value, bool) else str(value), source)
