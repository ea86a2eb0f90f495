"""Labels that a model gives to recordings that nobody labelled, where it is sure enough."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from speechzoo.adaptation.recordings import LONGEST_SECONDS, read_recordings, written_beside
from speechzoo.audio import AudioError
from speechzoo.config import ConfigError
from speechzoo.data.manifest import write_manifest
from speechzoo.data.records import RecordError
from speechzoo.decoding.answers import UnknownLabelError, answer_kind
from speechzoo.decoding.recognition import select_heads
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.opening import open_model
from speechzoo.text.phones import phones_of

CONFIDENCE = 0.6
"""`CONFIDENCE` is the least one where nobody has calibrated it."""
LEAST = 10
"""`LEAST` is how many recordings a threshold must let through to be one: fewer say nothing of its errors."""
FIELD = "pseudo_labels"
"""`FIELD` of an utterance lists which of its labels a model gave."""


@dataclass(frozen=True)
class Threshold:
    """How sure a head must be.

    Attributes:
        confidence: Least confidence, 0 to 1.
        error: Errors of what it lets through, on the recordings that it was calibrated on: of classes their share, of
            texts those per word or phone. None where it wasn't calibrated.
        share: Share of these recordings that it lets through; None as before.
    """

    confidence: float
    error: float | None = None
    share: float | None = None


@dataclass
class PseudoLabelReport:
    """What was labelled.

    Attributes:
        manifest: The manifest that was written.
        recordings: Utterances in it.
        thresholds: Label -> its threshold; None where no threshold keeps the errors low, so that nothing was labelled.
        labelled: Label -> how many utterances got it.
        skipped: "id: reason" of recordings that could not be used; they are in the manifest, without new labels.
    """

    manifest: Path
    recordings: int
    thresholds: dict[str, Threshold | None]
    labelled: dict[str, int]
    skipped: list[str] = field(default_factory=list)


def pseudo_label(model: str | Path | Recognizer, recordings: str | Path | list, out: str | Path,
                 heads: list[str] | None = None, confidence: float = CONFIDENCE, dev: str | Path | None = None,
                 dev_split: str | None = None, error: float = 0.1, decoder=None, lexicon: dict | None = None,
                 split: str | None = None, on_progress: Callable[[int, int], None] | None = None) -> PseudoLabelReport:
    """Writes a manifest whose utterances have what the model says of them as labels, where it is sure enough.

    Labels that are there stay, and `pseudo_labels` of an utterance lists those that the model gave. Answers of heads
    that write or choose are labels: texts, classes and slots. With labelled recordings (`dev`) each head's threshold is
    the lowest one at which the recordings that it lets through have at most `error` errors there. They should be of the
    domain that is labelled, or the errors will be more than they say.

    Reference: Lee 2013, "Pseudo-Label"; for a network that trains on them in noise, Xie et al. 2020 (noisy student),
    https://arxiv.org/abs/1911.04252.

    Args:
        model: What labels: zoo name, folder of a run, path of a `.tflite` file, or a model, an `AdaptingRecognizer`
            among them.
        recordings: Folder, manifest, or paths, see `read_recordings`.
        out: Manifest to write.
        heads: Heads that label; all that can when None.
        confidence: Least confidence where `dev` isn't given.
        dev, dev_split: Labelled manifest to calibrate on, and its split.
        error: Most errors there, 0 to 1.
        decoder: Search of transcripts, see `Recognizer.recognize`.
        lexicon: Word -> pronunciations: transcripts all of whose words are in it give `phones`, too, in place of the
            phones that the model hears.
        split: Of a manifest, only the utterances of this split.
        on_progress: Called with how many recordings are done, and of how many.

    Raises:
        ConfigError: Heads that can't label, or numbers that are none of shares.
        ManifestError: A manifest can't be read.
        ValueError, OSError: No recordings, no such model, or `out` can't be written.

    Example:
        report = pseudo_label("mtl_conformer_small", "kitchen", "kitchen.jsonl", heads=["transcript"])
    """
    for name, value in (("confidence", confidence), ("error", error)):
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} {value:g} must be between 0 and 1")
    labeller = _Labeller(open_model(model), heads, decoder)
    found, skipped = read_recordings(recordings, split), []
    thresholds = dict.fromkeys(labeller.labels, Threshold(confidence))
    if dev is not None:
        thresholds = labeller.calibrate(read_recordings(dev, dev_split), error, skipped)
    out, utterances, labelled = Path(out), [], dict.fromkeys(labeller.labels, 0)
    if lexicon is not None and "transcript" in labelled:
        labelled.setdefault("phones", 0)
    for number, recording in enumerate(found, 1):
        values = written_beside(recording, out)
        answers = labeller.answers(recording, skipped)
        given = {label: value for label, (value, sure) in answers.items()
                 if label not in values and thresholds[label] and value and sure >= thresholds[label].confidence}
        if lexicon is not None and "phones" not in values:
            given.pop("phones", None)
            phones = phones_of(given["transcript"], lexicon) if "transcript" in given else None
            given |= {"phones": phones} if phones else {}
        for label in given:
            labelled[label] += 1
        utterances.append({**values, **given, **({FIELD: sorted({*values.get(FIELD, ()), *given})} if given else {})})
        if on_progress:
            on_progress(number, len(found))
    write_manifest(out, utterances)
    return PseudoLabelReport(out, len(found), thresholds, labelled, skipped)


def choose_threshold(confidences: list[float], errors: list[float], units: list[float], most: float,
                     least: int = LEAST) -> Threshold | None:
    """The lowest confidence at which the recordings that are as sure have at most `most` errors per unit.

    Args:
        confidences: Of each recording.
        errors: Errors in each.
        units: Words, phones or decisions in each.
        most: Errors per unit.
        least: Recordings that it must let through.

    Returns:
        The threshold; None where there is none.

    Example:
        >>> choose_threshold([0.9, 0.8, 0.7, 0.2], [0, 0, 1, 1], [1, 1, 1, 1], 0.4, least=2)
        Threshold(confidence=0.7, error=0.3333333333333333, share=0.75)
    """
    order = np.argsort(-np.asarray(confidences, np.float64), kind="stable")
    sure = np.asarray(confidences, np.float64)[order]
    rates = np.cumsum(np.asarray(errors)[order]) / np.maximum(np.cumsum(np.asarray(units)[order]), 1)
    for last in range(len(order) - 1, least - 2, -1):
        if (last + 1 == len(order) or sure[last + 1] < sure[last]) and rates[last] <= most:
            return Threshold(float(sure[last]), float(rates[last]), (last + 1) / len(order))
    return None


class _Labeller:
    """A model whose answers are labels."""

    def __init__(self, model, heads, decoder):
        self.model, self.decoder = model, decoder
        specs = select_heads(model.spec, heads)["heads"]
        can = [name for name, spec in specs.items() if answer_kind(spec).labels_recordings]
        for name in heads or ():
            if name not in can:
                raise ConfigError(f"head '{name}' is of type '{specs[name]['type']}', whose answers are no labels; "
                                  "those of heads that write or choose for a whole recording are")
        if not can:
            raise ConfigError(f"model '{model.spec['name']}' has no head that writes or chooses for a whole recording")
        self.heads, self.specs = can, {}
        for name in can:  # of several heads for one label that called like it, or the first
            label = specs[name]["label"]
            if label not in self.specs or name == label:
                self.specs[label] = specs[name]
        self.labels = list(self.specs)

    def answers(self, recording, skipped) -> dict:
        """Label -> (value, confidence); empty where the recording can't be used."""
        try:
            audio = recording.load(self.model.spec["sample_rate"])
        except (AudioError, RecordError, OSError) as error:
            skipped.append(f"{recording.id}: {error}")
            return {}
        result = self.model.recognize(audio, heads=self.heads, decoder=self.decoder, maximum_seconds=LONGEST_SECONDS)
        found = {label: (result.answer(label), result.confidence.get(label, 0.0)) for label in self.labels}
        return {label: answer for label, answer in found.items() if answer[0] is not None}

    def calibrate(self, recordings, most, skipped) -> dict:
        """Label -> its threshold on labelled recordings, or None."""
        trials = {label: ([], [], []) for label in self.labels}
        for recording in recordings:
            wanted = [label for label in self.labels if label in recording.values]
            answers = self.answers(recording, skipped) if wanted else {}
            for label in set(wanted) & answers.keys():
                answer, sure = answers[label]
                counted = self._errors(label, answer, recording.values)
                if counted is not None and answer:
                    for column, value in zip(trials[label], (sure, *counted)):
                        column.append(value)
        lacking = [label for label, (confidences, _, _) in trials.items() if not confidences]
        if len(lacking) == len(trials):
            raise ConfigError(f"the recordings to calibrate on have no label {', '.join(lacking)} that can be "
                              "compared; give labelled ones, or a confidence")
        return {label: choose_threshold(*columns, most) for label, columns in trials.items()}

    def _errors(self, label, answer, values):
        """(errors, units) of an answer; None where the head has no class for the label."""
        spec = self.specs[label]
        try:
            reference = answer_kind(spec).reference(values[label], spec, values.get("language", "en"),
                                                    values.get("corpus", ""))
        except UnknownLabelError:
            return 1, 1  # whatever it says is wrong
        return answer_kind(spec).errors(reference, answer)
