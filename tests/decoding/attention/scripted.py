"""Decoders without a network, for tests of what stands around them."""

import numpy as np

LETTERS = list(" 'abcdefghijklmnopqrstuvwxyz")
SPECIAL = ["<|startoftranscript|>", "<|endoftext|>"]
WHISPER = ["<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>", "<|nospeech|>",
           "<|notimestamps|>", "<|endoftext|>", *[f"<|{number * 0.1:.2f}|>" for number in range(31)]]
FRAME_SECONDS = 0.1


def letters_spec(**more):
    """A head that writes letters, with no more than a start and an end."""
    return {"type": "seq2seq", "label": "transcript", "kind": "characters", "units": SPECIAL + LETTERS, "start": [0],
            "end": 1, "maximum_tokens": 100, "frame_seconds": FRAME_SECONDS, **more}


def whisper_spec(**more):
    """A head that writes letters with everything that Whisper's tokens say; 0 is a letter."""
    units = [*LETTERS, *WHISPER]
    return letters_spec(**{"units": units, "start": [units.index(name) for name in (
        "<|startoftranscript|>", "<|transcribe|>", "<|notimestamps|>")], "end": units.index("<|endoftext|>"), **more})


class Reader:
    """A decoder that reads what a memory has written on it: each frame one token and the next what it is to be followed
    by. `memory[:, 0]` are the tokens, one per frame; after the last comes the end. It looks at the frame it reads."""

    def __init__(self, head_spec, sure=20.0, first=None):
        self.spec, self.sure, self.first = head_spec, sure, first or {}
        self.fed = []

    def __call__(self, tokens, position, memory, state):
        rows, start = len(tokens), len(self.spec["start"]) + (len(self.spec["start"]) > 1)
        self.fed.append(list(tokens))
        assert (state is None) == (position == 0) and memory.dtype == np.float32
        steps = np.zeros((rows, 1)) if state is None else state["steps"] + 1
        assert (steps == position).all() and len(steps) == rows
        written = [*memory[:, 0].astype(int), self.spec["end"]]
        at = min(max(position + 1 - start, 0), len(written) - 1)
        logits = np.zeros((rows, len(self.spec["units"])), np.float32)
        logits[:, written[at]] = self.sure
        if position == 0:
            for token, value in self.first.items():
                logits[:, token] = value
        attention = np.full((rows, len(memory)), 0.01, np.float32)
        attention[:, min(at, len(memory) - 1)] = 1.0
        return logits, {"steps": steps}, attention / attention.sum(axis=1, keepdims=True)


def written_memory(text, head_spec, padding=0):
    """The memory that a Reader reads a text from, with rows of zeros behind it."""
    memory = np.array([[head_spec["units"].index(letter), 1] for letter in text], np.float32).reshape(-1, 2)
    return np.pad(memory, ((0, padding), (0, 0)))


class ToyLanguageModel:
    """Random log-probabilities of the next token, by all tokens before it; the state is what was fed."""

    def __init__(self, tokens, end, seed, sharpness=1.5):
        self.tokens, self.end, self.seed, self.sharpness = tokens, end, seed, sharpness

    def logits(self, prefix):
        random = np.random.default_rng([self.seed, *prefix])
        return self.sharpness * random.standard_normal(self.tokens)

    def __call__(self, tokens, position, memory, state):
        tokens = np.asarray(tokens)[:, None]
        fed = tokens if state is None else np.concatenate([state["fed"], tokens], axis=1)
        assert fed.shape[1] == position + 1
        attention = np.full((len(fed), len(memory)), 1 / len(memory), np.float32)
        return np.stack([self.logits(prefix) for prefix in fed]), {"fed": fed}, attention
