"""Classes and slot values that a config takes from a grammar of spoken commands: `grammar:smart_speaker`."""

import functools
from pathlib import Path

from speechzoo.config.errors import ConfigError
from speechzoo.names import nearest

PREFIX = "grammar:"
# Of utterances that ask for nothing: what an `intent` head says of them.
NO_INTENT = "none"


def fill_in(values: dict, folder: Path, where: str):
    """Replaces each `grammar:NAME` in the heads of a config by what the grammar has, in its order.

    As `classes` of a head it stands for `none` and the grammar's intents; as the values of a slot, for those that the
    slot of this name has in the grammar.

    Args:
        values: The plain values of a config, which are changed.
        folder: Folder that the path of a grammar is relative to.
        where: The config's name, for messages.

    Raises:
        ConfigError: A grammar that can't be read, or that doesn't have the slot.
    """
    heads = values.get("heads")
    for name, head in heads.items() if isinstance(heads, dict) else ():
        for options in (head, head.get("options")) if isinstance(head, dict) else ():
            if not isinstance(options, dict):
                continue
            place = f"{where}.heads.{name}"
            if _is_reference(options.get("classes")):
                grammar = _load(options["classes"], folder, f"{place}.classes")
                options["classes"] = [NO_INTENT, *grammar.intents]
            if isinstance(options.get("slots"), dict):
                options["slots"] = {slot: _slot_values(slot, slot_values, folder, f"{place}.slots.{slot}")
                                    for slot, slot_values in options["slots"].items()}


def _slot_values(slot, values, folder, where):
    if not _is_reference(values):
        return values
    slots = _load(values, folder, where).slots()
    if slot not in slots:
        raise ConfigError(f"{where}: {values[len(PREFIX):]} has no slot '{slot}'; {nearest(slot, slots)}")
    return slots[slot]


def _is_reference(value):
    return isinstance(value, str) and value.startswith(PREFIX)


def _load(reference, folder, where):
    from speechzoo.grammar.errors import GrammarError

    name = reference[len(PREFIX):]
    path = folder / name if Path(name).suffix in (".yaml", ".yml") else None
    try:
        return _read(path or name, path.stat().st_mtime_ns if path and path.is_file() else 0)
    except GrammarError as error:
        raise ConfigError(f"{where}: {error}") from None


@functools.lru_cache(maxsize=8)
def _read(name_or_path, modified):
    """A grammar, which is read again once its file was `modified`: reading one takes half a second."""
    from speechzoo.grammar.reading import load_grammar

    return load_grammar(name_or_path)
