"""What the options of decoding make of an output."""

import argparse

import numpy as np
import pytest

from speechzoo.cli.decoder_options import add_decoder_arguments, add_grammar_arguments, read_decoder_options
from speechzoo.decoding.ctc.greedy import greedy_decode

SPEC = {"type": "ctc", "label": "transcript", "kind": "characters", "units": [" ", "a", "e", "h", "y"],
        "frame_seconds": 0.04}


@pytest.mark.parametrize("options, text", [
    ([], "hay"),
    (["--boost", "hey"], "hey"),
    (["--boost", "hey jude", "--boost", "hey", "--beam", "4"], "hey"),
    (["--boost", "ha"], "hay"),  # another word
])
def test_a_phrase_turns_a_close_call(options, text):
    parser = argparse.ArgumentParser()
    add_decoder_arguments(parser)
    add_grammar_arguments(parser)
    logits = np.full((3, 6), -9.0)
    logits[[0, 1, 1, 2], [4, 2, 3, 5]] = 9.0, 9.0, 7.0, 9.0  # "hay", and "hey" two nats behind
    settings = read_decoder_options(parser.parse_args(options))
    assert (settings.transcripts({"heads": {"transcript": SPEC}}) or greedy_decode)(logits, SPEC).text == text
