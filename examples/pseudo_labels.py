"""Writes what a model heard into a manifest, for recordings that nobody transcribed: more voices to train on.

    speechzoo recognize mtl_conformer_small RECORDINGS/*.flac --dictation --json > heard.jsonl
    python examples/pseudo_labels.py prepared/mine/manifest.jsonl heard.jsonl prepared/mine/heard.jsonl
    speechzoo align prepared/mine/heard.jsonl

Utterances that were understood well enough get `transcript` and, from CMUdict, `phones`; the others, and those that have a
transcript, stay as they are. A model that trains on its own words hears them in noise, in rooms and faster than they were
said, from people it has no transcripts of (noisy student training, Xie et al. 2020).
"""

import argparse
import json
from pathlib import Path

from speechzoo.data.manifest import audio_path, read_manifest, write_manifest
from speechzoo.text.lexicon import load_lexicon
from speechzoo.text.phones import phones_of


def add_labels(utterance: dict, heard: dict, lexicon: dict, least_confidence: float) -> bool:
    """Adds what was heard to the utterance; False if it was understood too badly, or says something already."""
    confidences = [word["confidence"] for word in heard.get("words", [])]
    if "transcript" in utterance or not confidences or sum(confidences) < least_confidence * len(confidences):
        return False
    utterance["transcript"] = heard["transcript"]
    phones = phones_of(heard["transcript"], lexicon)
    if phones is not None:
        utterance["phones"] = phones
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("heard", type=Path, help="lines of `speechzoo recognize --dictation --json`")
    parser.add_argument("out", type=Path, help="manifest to write, in the folder of the other")
    parser.add_argument("--confidence", type=float, default=0.6, help="least mean confidence of the words, %(default)s")
    arguments = parser.parse_args()
    lexicon = load_lexicon("cmudict")
    heard = {Path(line["audio"]).resolve(): line
             for line in map(json.loads, arguments.heard.read_text(encoding="utf-8").splitlines())}
    utterances = read_manifest(arguments.manifest)
    added = sum(add_labels(utterance, heard.get(audio_path(arguments.manifest, utterance).resolve(), {}), lexicon,
                           arguments.confidence) for utterance in utterances)
    write_manifest(arguments.out, utterances)
    print(f"{arguments.out}: {added} of {len(utterances)} utterances transcribed")


if __name__ == "__main__":
    main()
