"""The tokens of Whisper's two vocabularies: for English alone, and for all its languages (OpenAI, MIT)."""

import functools
import gzip
from importlib import resources

VOCABULARIES = ("whisper_en", "whisper_multilingual")
"""`VOCABULARIES` are the names of both; the package brings their units of text, and the special tokens follow."""

END, START, NO_TIMESTAMPS = "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"
_NO_SPEECH = "<|nocaptions|>"
_TIMESTAMPS = [f"<|{number / 50:.2f}|>" for number in range(1501)]  # to 30 s
# ISO 639-1 where there is one, in the order of their tokens (openai-whisper, whisper/tokenizer.py).
_LANGUAGES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su").split()
# As some converters call what is the same.
_OTHER_NAMES = {"<|iw|>": "<|he|>", "<|nospeech|>": _NO_SPEECH}


@functools.cache
def whisper_vocabulary(name: str) -> list[str]:
    """One of the `VOCABULARIES`, all tokens in their order.

    Example:
        >>> tokens = whisper_vocabulary("whisper_en")
        >>> len(tokens), tokens[318], tokens[50256], tokens[-1]
        (51864, 'Ġis', '<|endoftext|>', '<|30.00|>')
    """
    data = (resources.files("speechzoo.text") / f"{name}.txt.gz").read_bytes()
    special = [END, START, *[f"<|{language}|>" for language in _LANGUAGES], "<|translate|>", "<|transcribe|>",
               "<|startoflm|>", "<|startofprev|>", _NO_SPEECH, NO_TIMESTAMPS, *_TIMESTAMPS]
    return gzip.decompress(data).decode("utf-8").split("\n") + special


def recognize_vocabulary(tokens: list[str]) -> str | list[str]:
    """The name of the vocabulary that a list of tokens is, or the list, with special tokens named as here.

    Args:
        tokens: As a published model lists them.
    """
    tokens = [_OTHER_NAMES.get(token, token) for token in tokens]
    return next((name for name in VOCABULARIES if whisper_vocabulary(name) == tokens), tokens)
