"""What the options of decoding make of an output."""

import argparse
from types import SimpleNamespace

import numpy as np
import pytest

from speechzoo.cli.decoder_options import add_decoder_arguments, add_grammar_arguments, read_decoder_options
from speechzoo.decoding.ctc.beam import BeamSearch
from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.decoding.settings import DecoderSettings

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


SEQ2SEQ = {"type": "seq2seq", "label": "transcript"}


def decoder_of(options, head_spec):
    parser = argparse.ArgumentParser()
    add_decoder_arguments(parser)
    add_grammar_arguments(parser)
    return read_decoder_options(parser.parse_args(options)).transcripts({"heads": {"transcript": head_spec}})


def test_options_of_decoders_that_attend(tmp_path):
    search = decoder_of(["--beam", "5", "--spoken-language", "de", "--task", "translate"], SEQ2SEQ)
    assert (search.beam, search.language, search.task) == (5, "de", "translate")
    assert decoder_of([], SEQ2SEQ).beam == 1
    words = tmp_path / "words.txt"
    words.write_text("hey\n")
    for option in (["--boost", "hey"], ["--words", str(words)]):
        with pytest.raises(ValueError, match="are for ctc heads; the transcript of this model comes from a decoder"):
            decoder_of(option, SEQ2SEQ)
    for option in (["--spoken-language", "de"], ["--task", "translate"]):
        with pytest.raises(ValueError, match="are for models whose transcript comes from a decoder, a seq2seq head"):
            decoder_of(option, SPEC)


def test_a_ctc_head_beside_a_decoder_takes_its_options_alone():
    spec = {"heads": {"transcript": SEQ2SEQ, "letters": SPEC}}
    settings = DecoderSettings(boost=["hey"])
    with pytest.raises(ValueError, match="a task; ask for the head 'letters' alone$"):
        settings.transcripts(spec)
    assert isinstance(settings.transcripts(spec, ["letters"]), BeamSearch)


def test_a_threshold_of_commands():
    parser = argparse.ArgumentParser()
    add_decoder_arguments(parser)
    add_grammar_arguments(parser)
    assert read_decoder_options(parser.parse_args(["--grammar", "g.yaml", "--command-threshold", "-1.5"])).threshold == -1.5
    with pytest.raises(ValueError, match="--command-threshold is for commands: add --grammar FILE"):
        read_decoder_options(parser.parse_args(["--command-threshold", "-1.5"]))
