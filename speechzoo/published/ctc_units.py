"""The vocabulary and the last layer of a published CTC model -> a head `ctc`, whose blank is first."""

import re

import numpy as np

HEAD = "transcript"
"""`HEAD` is the name of the head."""
# Of SentencePiece, fairseq, transformers and ESPnet: <unk>, <s>, </s>, <pad>, [UNK], <sos/eos>.
_SPECIAL = re.compile(r"<[^<>|]+>|\[[A-Z]+\]")


def ctc_head(kernel: np.ndarray, bias: np.ndarray, vocabulary: list[str], blank: int, source: str,
             delimiter: str | None = None) -> tuple[dict, dict[str, np.ndarray]]:
    """A head `ctc` that writes a published model's text: its config and its weights, with the rows in our order.

    Text is in lower case here, as transcripts, lexicons and language models are: a vocabulary that has capital letters
    alone becomes one of small letters. Tokens that are no text, such as `<unk>`, become units that write nothing.

    Args:
        kernel: (outputs, channels), as PyTorch has it.
        bias: (outputs,).
        vocabulary: What each output stands for; what stands at `blank` doesn't matter.
        blank: Which output is the blank.
        source: Names the file in messages.
        delimiter: What stands between words, where it is none of the space and SentencePiece's mark.

    Returns:
        The head as a zoo config has it, and weights by their Keras paths.

    Raises:
        ValueError: A vocabulary of another length, with a token twice or without letters, or a blank beyond it.

    Example:
        >>> ctc_head(np.eye(4), np.zeros(4), ["<pad>", "|", "A", "<unk>"], 0, "vocab.json", "|")[0]
        {'type': 'ctc', 'units': [' ', 'a', '<|unk|>']}
    """
    if len(vocabulary) != len(kernel):
        raise ValueError(f"{source}: {len(kernel)} outputs, and {len(vocabulary)} tokens in the vocabulary; take the "
                         "one that came with the weights")
    if not 0 <= blank < len(vocabulary):
        raise ValueError(f"{source}: the blank is output {blank} of {len(vocabulary)}; it is damaged, fetch it again")
    order = [blank, *(number for number in range(len(vocabulary)) if number != blank)]
    units = units_of_tokens([vocabulary[number] for number in order[1:]], source, delimiter)
    weights = {f"{HEAD}/logits/kernel": kernel[order].T, f"{HEAD}/logits/bias": bias[order]}
    return {"type": "ctc", "units": units}, weights


def units_of_tokens(tokens: list[str], source: str, delimiter: str | None = None) -> list[str]:
    """The units of a head that writes a published vocabulary: in lower case, tokens that are no text as special units.

    Args:
        tokens: The vocabulary, or a part of it.
        source, delimiter: As of `ctc_head`.

    Raises:
        ValueError: A token twice, or one without letters.

    Example:
        >>> units_of_tokens(["<unk>", "\u2581THE", "S", "<sos/eos>"], "config.yaml")
        ['<|unk|>', '▁the', 's', '<|sos/eos|>']
    """
    text = "".join(token for token in tokens if not _SPECIAL.fullmatch(token))
    units = [_unit(token, delimiter, text == text.upper()) for token in tokens]
    if len(set(units)) != len(units) or "" in units:
        raise ValueError(f"{source}: its vocabulary has a token twice, or one of no letters; it is damaged, fetch it "
                         "again")
    return units


def _unit(token, delimiter, capitals):
    if token == delimiter:
        return " "
    if _SPECIAL.fullmatch(token):
        return f"<|{token[1:-1]}|>"
    return token.lower() if capitals else token
