"""A prompt -> the phrases that transcripts should favour."""

import re

from speechzoo.server.errors import RequestError
from speechzoo.server.limits import PROMPT_CHARACTERS
from speechzoo.text.normalize import normalize_transcript

_BETWEEN = re.compile(r"[,;:.!?\n]+(?=\s|$)|\n")


def phrases_of(prompt: str | None, keywords: list[str] = ()) -> list[str]:
    """The phrases of a prompt: what stands between its commas, semicolons, ends of sentences and lines.

    OpenAI's models go on from a prompt as from text that was spoken before; a CTC head has no such memory, and favours
    what the prompt names.

    Args:
        prompt: Names, or sentences in which they occur; None for none.
        keywords: Phrases, one each.

    Returns:
        Words as transcripts have them, each phrase once.

    Raises:
        RequestError: More than anybody could mean.

    Example:
        >>> phrases_of("Hey Jude, 2 Blur songs.")
        ['hey jude', 'two blur songs']
    """
    if len(prompt or "") + sum(map(len, keywords)) > PROMPT_CHARACTERS:
        raise RequestError(400, f"a prompt has at most {PROMPT_CHARACTERS} characters", "prompt")
    written = [normalize_transcript(part) for part in [*_BETWEEN.split(prompt or ""), *keywords]]
    return list(dict.fromkeys(phrase for phrase in written if phrase))
