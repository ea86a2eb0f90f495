"""How well a model does on labelled recordings: every head, per corpus and overall."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from speechzoo.audio import AudioError, audio_info
from speechzoo.config import SourceConfig
from speechzoo.data.manifest import audio_path, read_manifest
from speechzoo.data.mixing import mix_somewhere, read_noises
from speechzoo.data.records import RecordError
from speechzoo.data.speech_labels import label_of
from speechzoo.data.utterance_audio import read_utterance_audio
from speechzoo.decoding.answers import UnknownLabelError, answer_kind
from speechzoo.decoding.commands.decoder import command_decoder
from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.decoding.decoder import naming_head
from speechzoo.decoding.recognition import Recognition, head_decoders, make_decoders, select_heads
from speechzoo.files import naming
from speechzoo.metrics.understanding import score_commands
from speechzoo.opening import open_model

UNREADABLE = (AudioError, RecordError, OSError)
MAXIMUM_ROWS = 256


def evaluate(model, manifests: str | Path | Iterable[str | Path | SourceConfig], heads: list[str] | None = None, *,
             split: str | None = None, decoder=greedy_decode, batch_seconds: float = 96.0,
             maximum_seconds: float = 120.0, confusions: bool = False, predictions: str | Path | None = None,
             progress: Callable[[int, int], None] | None = None, grammar=None, noise: str | Path | None = None,
             snr: Iterable[float] = (), noise_split: str | None = None) -> dict:
    """Measures every head that has labels in the manifests.

    Transcripts are compared in lower case letters, apostrophe and space; phones without stress. A label that a
    classifier has no class for counts as `_unknown_` where the head has that class, and is skipped where it hasn't.
    For a speaker head, all trials among the utterances are scored.

    Args:
        model: A MultiTaskModel, an EdgeModel, or what `open_model` takes: the name of a zoo model, the folder of a
            training run, or the path of a `.tflite` file.
        manifests: One manifest or several, or sources of a config (`config.dev_sources(root)`), which bring their own
            split and labels; paths of audio in them may be absolute.
        heads: Heads to measure; all with labels when None.
        split: Only utterances of this split.
        decoder: For transcripts; see `recognize_outputs`.
        batch_seconds: Seconds of padded audio in one batch. It bounds memory and changes no result.
        maximum_seconds: Longer recordings are skipped.
        confusions: Add tables of classes and confusion matrices of the classifiers.
        predictions: JSONL file to write every utterance's Recognition to, unlabelled ones' too.
        progress: Called with (utterances done, utterances in all).
        grammar: Spoken commands, measured as `command` on utterances with an intent (`none` where nothing is asked
            for); name or path of a grammar, or whatever else a `CommandDecoder` takes. Heads for `intent` and `slots`
            are measured beside it only where `heads` names them.
        noise: Recording to add to every utterance, at each of the ratios `snr`; see `mix_at_snr`. Or a manifest of
            recordings (`.jsonl`), one of which is added to each utterance.
        snr: Signal-to-noise ratios, dB; every utterance is heard once at each. Speaker heads are not
            measured at several.
        noise_split: Only noises of this split of the manifest.

    Returns:
        `{"overall": {head: {metric: value, "<metric>_interval": [low, high], "n": count}}, "<corpus>": {...}}`; the
        intervals are 95 % bootstrap intervals over speakers (over utterances where no speaker is given). An utterance
        without a corpus counts under its manifest's name. `command` is what `score_commands` says of the grammar's
        answers. What could not be used stands under "_skipped", a key that
        is there only when it is needed: `{"audio": ["id: reason", ...], "labels": {head: {label: count}}}`.

    Raises:
        ManifestError: A manifest can't be read.
        ValueError: The model hasn't the head asked for, or nothing could be measured.
        OSError: `predictions` can't be written.

    Example:
        evaluate("mtl_conformer_small", "dev.jsonl")["overall"]["transcript"]["wer"]
    """
    model = open_model(model)
    everything = model.spec
    spec = select_heads(everything, heads)
    sources = [source if isinstance(source, SourceConfig) else SourceConfig(str(source), split)
               for source in ([manifests] if isinstance(manifests, (str, Path)) else manifests)]
    commands = None if grammar is None else command_decoder(grammar, model.spec)
    if commands and heads is None:  # they answer in place of heads, which know other intents and slots
        spec = {**spec, "heads": {name: head for name, head in spec["heads"].items()
                                  if head["label"] not in commands.labels}}
    snrs = sorted({float(ratio) for ratio in snr})
    if bool(snrs) != (noise is not None):
        raise ValueError("noise and snr go together: give the recording and the ratios")
    if noise_split and noise is None:
        raise ValueError(f"there is no noise to take the split '{noise_split}' of; give a manifest of noises")
    if len(snrs) > 1:  # a recording and itself in another noise are no trial of two recordings
        spec, everything = ({**each, "heads": {name: head for name, head in each["heads"].items()
                                               if not answer_kind(head).compares_recordings}}
                            for each in (spec, everything))
    asked = None if heads is None else list(spec["heads"]) or None
    decoders = make_decoders(everything, asked, decoder, commands, model.decode_steps)
    measured = head_decoders(everything, list(spec["heads"]), decoder, decoders, model.decode_steps)
    noises = None if noise is None else read_noises(noise, noise_split, spec["sample_rate"])
    utterances = [_Utterance(source, values, ratio) for source in sources
                  for values in read_manifest(source.manifest) if source.split in (None, values.get("split"))
                  for ratio in snrs or [None]]
    skipped_labels = {name: Counter() for name in spec["heads"]}
    if not utterances:
        wanted = {source.split for source in sources} - {None}
        raise ValueError(f"{', '.join(str(source.manifest) for source in sources)}: no utterance"
                         + (f" of split {', '.join(sorted(wanted))}" if wanted else " in it"))
    for utterance in utterances:
        utterance.find_references(spec, skipped_labels)
        if commands:
            utterance.find_command()
    if predictions is None:
        utterances = [utterance for utterance in utterances if utterance.references or utterance.command]
    skipped_audio = []
    done = 0
    with contextlib.ExitStack() as stack:
        if predictions:
            stack.enter_context(naming(predictions))
        file = stack.enter_context(open(predictions, "w", encoding="utf-8")) if predictions else None
        for batch in make_batches(utterances, batch_seconds, maximum_seconds, skipped_audio):
            usable, audio = [], []
            for utterance in batch:
                try:
                    audio.append(utterance.load(spec["sample_rate"], maximum_seconds, noises))
                    usable.append(utterance)
                except UNREADABLE as error:
                    skipped_audio.append(f"{utterance.id}: {error}")
            for utterance, outputs in zip(usable, model.batch_outputs(audio)):
                meaning = _decode_once(outputs)
                utterance.keep(meaning, spec, measured, commands)
                if file:
                    file.write(utterance.line(meaning, decoders))
            done += len(batch)
            if progress:
                progress(done, len(utterances))
    return _gather(utterances, spec, confusions, [source.manifest for source in sources], skipped_audio, skipped_labels,
                   predictions is None)


def make_batches(utterances: list, batch_seconds: float, maximum_seconds: float,
                 skipped: list[str]) -> list[list]:
    """Groups utterances of similar length under a budget of padded audio; a longer one stands alone.

    Args:
        utterances: With `id` and `seconds()`.
        batch_seconds: Budget of a batch, seconds.
        maximum_seconds: Longer ones are left out.
        skipped: Receives "id: reason" of those left out.
    """
    timed = []
    for utterance in utterances:
        try:
            seconds = utterance.seconds()
        except UNREADABLE as error:
            skipped.append(f"{utterance.id}: {error}")
            continue
        if seconds > maximum_seconds:
            skipped.append(f"{utterance.id}: {seconds:.0f} s long; at most {maximum_seconds:g} s are evaluated")
        else:
            timed.append((seconds, utterance))
    batches, batch = [], []
    for seconds, utterance in sorted(timed, key=lambda pair: pair[0]):
        if batch and ((len(batch) + 1) * seconds > batch_seconds or len(batch) == MAXIMUM_ROWS):
            batches.append(batch)
            batch = []
        batch.append(utterance)
    return batches + [batch] if batch else batches


@dataclass
class _Utterance:
    """A line of a manifest on its way to figures."""

    source: SourceConfig
    values: dict
    snr: float | None = None  # dB that noise is added at
    command: tuple[str, dict] | None = None  # intent and slots asked for
    understood: tuple[str, dict] | None = None  # intent and slots answered from the grammar
    references: dict = field(default_factory=dict)  # head -> label as the head writes it
    answers: dict = field(default_factory=dict)  # head -> (answer, confidence)

    @property
    def id(self):
        return self.values["id"]

    @property
    def manifest(self):
        return Path(self.source.manifest)

    @property
    def corpus(self):
        return self.values.get("corpus", self.manifest.stem)

    @property
    def group(self):
        """Who speaks; where nobody knows, the utterance stands for itself."""
        return (self.corpus, self.values["speaker"]) if "speaker" in self.values else (self.manifest, self.id)

    def find_references(self, spec, skipped):
        for name, head_spec in spec["heads"].items():
            value = label_of(self.source, self.values, head_spec["label"])
            if value is None:
                continue
            try:
                self.references[name] = answer_kind(head_spec).reference(
                    value, head_spec, self.values.get("language", "en"), self.corpus)
            except UnknownLabelError as error:
                skipped[name].update(error.labels)

    def find_command(self):
        intent = self.source.label_of(self.values, "intent")
        if intent is not None:
            slots = self.source.label_of(self.values, "slots") or {}
            self.command = (str(intent), {str(name): str(value) for name, value in slots.items()})

    def seconds(self):
        if "duration" in self.values:
            return self.values["duration"]
        if "audio" not in self.values:
            return 0.0  # in a TFRecord, which says when it is read what it lacks
        return max(audio_info(audio_path(self.manifest, self.values)).duration - self.values.get("start", 0.0), 0.0)

    def load(self, sample_rate, maximum_seconds, noises):
        audio = read_utterance_audio(self.values, self.manifest.parent, sample_rate, maximum_seconds)
        return audio if self.snr is None else mix_somewhere(audio, noises, self.snr, self.id)

    def keep(self, meaning, spec, measured, commands):
        """Keeps the answers that there are labels for, given what each decoder makes of the outputs."""
        for name in self.references:
            with naming_head(name):
                self.answers[name] = answer_kind(spec["heads"][name]).answer(meaning(measured[name]),
                                                                             spec["heads"][name])
        if self.command:
            result = Recognition()
            commands.write(result, meaning(commands))
            self.understood = (result.intent, result.slots)

    def line(self, meaning, decoders) -> str:
        """All answers, for the file of predictions."""
        answers = Recognition()
        for decoder in decoders:
            decoder.write(answers, meaning(decoder))
        heard = {} if self.snr is None else {"snr": self.snr}
        return json.dumps({"id": self.id, **heard, **answers.to_dict()}, ensure_ascii=False) + "\n"


def _decode_once(outputs):
    """Decoder -> what it makes of the outputs for one utterance, however often that is asked for."""
    meanings = {}

    def meaning(decoder):
        if id(decoder) not in meanings:
            meanings[id(decoder)] = decoder(outputs)
        return meanings[id(decoder)]

    return meaning


def _gather(utterances, spec, confusions, manifests, skipped_audio, skipped_labels, required) -> dict:
    result = {}
    corpora = sorted({utterance.corpus for utterance in utterances})
    for scope in ("overall", *corpora):
        members = [utterance for utterance in utterances if scope in ("overall", utterance.corpus)]
        scores = {}
        for name, head_spec in spec["heads"].items():
            labelled = [utterance for utterance in members if name in utterance.answers]
            figures = answer_kind(head_spec).score(
                [utterance.references[name] for utterance in labelled],
                [utterance.answers[name][0] for utterance in labelled],
                [utterance.answers[name][1] for utterance in labelled],
                [utterance.group for utterance in labelled], head_spec, confusions) if labelled else None
            if figures:
                scores[name] = {**figures, "n": len(labelled)}
        asked = [utterance for utterance in members if utterance.understood]
        if asked:
            scores["command"] = score_commands(
                [utterance.command for utterance in asked], [utterance.understood for utterance in asked],
                [utterance.group for utterance in asked],
                None if asked[0].snr is None else [utterance.snr for utterance in asked])
        if scores or scope == "overall":
            result[scope] = scores
    labels = {name: dict(counts.most_common()) for name, counts in skipped_labels.items() if counts}
    if required and not result["overall"]:
        why = ""
        if skipped_audio:
            why = f"; {len(skipped_audio)} recordings could not be used, the first: {skipped_audio[0]}"
        elif labels:
            why = f"; labels without a class: {labels}"
        raise ValueError(f"nothing to measure in {', '.join(map(str, manifests))}: no usable utterance has a label for "
                         f"{', '.join(spec['heads'])}{why}")
    if skipped_audio or labels:
        result["_skipped"] = {key: value for key, value in (("audio", skipped_audio), ("labels", labels)) if value}
    return result
