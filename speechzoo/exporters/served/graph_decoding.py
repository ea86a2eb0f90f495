"""Decoding inside the graph: what a server answers to somebody who only has curl.

The same answers as `speechzoo.decoding` gives with its greedy decoder, in TensorFlow operations that every model server
has: no lookup tables, no custom operators.
"""

import tensorflow as tf

from speechzoo.decoding.ctc.segments import PADDING_LOGIT
from speechzoo.serving.signatures import raw_output_names
from speechzoo.text.units import BLANK_INDEX, units_of


def decode_outputs(outputs: dict[str, tf.Tensor], spec: dict) -> dict[str, tf.Tensor]:
    """Adds text and scores to what the heads give; names as in `serving.signatures.output_names`.

    Args:
        outputs: Head -> output of the model, with batch axis.
        spec: The model's: `MultiTaskModel.spec`.

    Raises:
        ValueError: A head of an unknown type, or of one whose answers are not made in graphs.
    """
    check_servable(spec)
    decoded = {}
    for head, raw in raw_output_names(spec).items():
        head_spec = spec["heads"][head]
        decoded[raw] = outputs[head]
        decoded.update(GRAPH_ANSWERS[head_spec["type"]](head, outputs[head], head_spec))
    return decoded


def check_servable(spec: dict):
    """Raises ValueError when graphs can't make the answers of a head."""
    for head, head_spec in spec["heads"].items():
        if head_spec["type"] not in GRAPH_ANSWERS:
            raise ValueError(f"head '{head}': answers of type '{head_spec['type']}' can't be served; graphs answer "
                             f"{', '.join(GRAPH_ANSWERS)}: leave the head out")


def decode_ctc(logits: tf.Tensor, head_spec: dict) -> tuple[tf.Tensor, tf.Tensor]:
    """CTC best path (Graves et al. 2006, section 3.2) with the confidence of `decoding.ctc.greedy.greedy_decode`.

    Args:
        logits: (batch, frames, units + 1); blank with probability one in the padding.
        head_spec: Spec of the `ctc` head.

    Returns:
        Text (batch,) with single spaces, and confidence (batch,): the mean over words of the geometric mean of their
        units' highest probabilities; without words, how sure the blank is where it is least sure.
    """
    units = units_of(head_spec)
    log_probs = tf.nn.log_softmax(logits)
    best = tf.argmax(logits, axis=-1, output_type=tf.int32)
    best_log_prob = tf.reduce_max(log_probs, axis=-1)
    changes = tf.concat([tf.ones_like(best[:, :1], tf.bool), best[:, 1:] != best[:, :-1]], axis=1)
    written = changes & (best != BLANK_INDEX)

    # The texts of the units, with the space that phones and the first pieces of words bring along.
    texts = [units.written(unit) for unit in units.names]
    text = tf.where(written, tf.gather(tf.constant(["", *texts]), best), "")
    text = tf.strings.strip(tf.strings.regex_replace(tf.strings.reduce_join(text, axis=1), " +", " "))

    # Runs of one unit, then words, are numbered along each row; segments gather what belongs together.
    batch, frames = tf.unstack(tf.shape(best))
    first_segment = (tf.range(batch) * (frames + 1))[:, None]
    num_segments = batch * (frames + 1)
    run = first_segment + tf.cumsum(tf.cast(changes, tf.int32), axis=1)
    peak = tf.gather(tf.math.unsorted_segment_max(best_log_prob, run, num_segments), run)
    boundary = tf.constant([False, *map(units.starts_word, units.names)])
    letter = tf.constant([False, *(bool(units.text(unit)) for unit in units.names)])
    word = first_segment + tf.cumsum(tf.cast(written & tf.gather(boundary, best), tf.int32), axis=1)
    in_word = tf.cast(written & tf.gather(letter, best), tf.float32)
    letters = tf.reshape(tf.math.unsorted_segment_sum(in_word, word, num_segments), (batch, frames + 1))
    total = tf.reshape(tf.math.unsorted_segment_sum(in_word * peak, word, num_segments), (batch, frames + 1))
    is_word = tf.cast(letters > 0, tf.float32)
    words = tf.reduce_sum(is_word, axis=1)
    of_words = tf.reduce_sum(is_word * tf.exp(tf.math.divide_no_nan(total, letters)), axis=1)
    of_silence = tf.exp(tf.reduce_min(log_probs[:, :, BLANK_INDEX], axis=1))
    return text, tf.where(words > 0, tf.math.divide_no_nan(of_words, words), of_silence)


def decode_frames(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """When something is heard, with the confidence of `decoding.ctc.segments.read_segments`.

    Args:
        logits: (batch, frames, 2) of a `frame_classifier` head; the first class with probability one in the padding.

    Returns:
        Probability of the second class (batch, frames), and confidence (batch,): the mean probability of the frames'
        own answers.
    """
    probability = tf.nn.softmax(logits)[:, :, 1]
    valid = tf.cast(logits[:, :, 1] > PADDING_LOGIT, tf.float32)
    sure = tf.reduce_sum(valid * tf.maximum(probability, 1 - probability), axis=1)
    return probability, tf.math.divide_no_nan(sure, tf.reduce_sum(valid, axis=1))


def decode_wav(files: tf.Tensor, sample_rate: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch of WAV files; channels are averaged.

    Args:
        files: (batch,) strings, each a WAV file of 16-bit PCM: all that the graph can decode.
        sample_rate: Hz; a file of another rate fails the request with a message that says so, because there is no
            resampling in the graph.

    Returns:
        audio (batch, samples) float32, zero in the padding, and audio_length (batch,) int32.
    """
    def decode(contents):
        samples, rate = tf.audio.decode_wav(contents)
        message = f"the WAV must have {sample_rate} Hz, resample it before sending; it has Hz:"
        with tf.control_dependencies([tf.debugging.Assert(rate == sample_rate, [message, rate])]):
            return tf.reduce_mean(samples, axis=1)

    audio = tf.map_fn(decode, files, fn_output_signature=tf.RaggedTensorSpec([None], tf.float32))
    return audio.to_tensor(), tf.cast(audio.row_lengths(), tf.int32)


def check_audio(audio: tf.Tensor, audio_length: tf.Tensor) -> tf.Tensor:
    """Refuses what the model can't hear and silences the padding.

    A server that merges requests of unequal lengths pads each with its own first sample; after this step whatever
    stands in the padding makes no difference.

    Args:
        audio: (batch, samples) float32.
        audio_length: (batch,) int32.
    """
    batch, samples = tf.unstack(tf.shape(audio))
    checks = [
        tf.debugging.Assert(tf.reduce_all(tf.shape(audio_length) == batch),
                            ["audio_length must have one entry for each row of audio; shapes:",
                             tf.shape(audio), tf.shape(audio_length)]),
        tf.debugging.Assert(tf.reduce_all((audio_length >= 1) & (audio_length <= samples)),
                            ["audio_length must be from 1 to the samples of audio; samples and lengths:",
                             samples, audio_length]),
    ]
    with tf.control_dependencies(checks):
        audio = tf.where(tf.sequence_mask(audio_length, samples), audio, 0.0)
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(audio)),
                                                      ["audio has samples that are NaN or infinite"])]):
        return tf.identity(audio)


def _best(logits, labels):
    best = tf.argmax(logits, axis=-1, output_type=tf.int32)
    return tf.gather(tf.constant(labels), best), tf.reduce_max(tf.nn.softmax(logits), axis=-1)


def _ctc(head, logits, head_spec):
    text, score = decode_ctc(logits, head_spec)
    return {head: text, f"{head}_score": score}


def _classifier(head, logits, head_spec):
    """As `decoding.answers.classifier`: no answer, which is the empty text, below the threshold and of weak classes."""
    weak = head_spec.get("weak", ())
    name, score = _best(logits, ["" if name in weak else name for name in head_spec["classes"]])
    if threshold := head_spec.get("threshold", 0.0):
        name = tf.where(score < threshold, "", name)
    return {head: name, f"{head}_score": score}


def _slots(head, logits, head_spec):
    decoded, together, offset = {}, tf.ones_like(logits[:, 0]), 0
    for slot, values in head_spec["slots"].items():
        text, score = _best(logits[:, offset:offset + len(values) + 1], ["", *values])
        decoded[f"{head}_{slot}"], decoded[f"{head}_{slot}_score"] = text, score
        together, offset = together * score, offset + len(values) + 1
    return {**decoded, f"{head}_score": together}


def _speaker(head, embedding, head_spec):
    return {}  # the embedding is the answer


def _seq2seq(head, memory, head_spec):
    return {}  # the memory is the answer: who asks runs the decoder's steps


def _enhancement(head, gains, head_spec):
    return {}  # the gains are the answer: who asks applies them


def _frame_classifier(head, logits, head_spec):
    probability, score = decode_frames(logits)
    return {head: probability, f"{head}_score": score}


# Type in a head's spec -> (name, output, spec of a head) -> what is served beside its raw output; each the twin of a
# kind in `speechzoo.decoding.answers.ANSWERS`.
GRAPH_ANSWERS = {"ctc": _ctc, "classifier": _classifier, "slots": _slots, "speaker": _speaker,
                 "frame_classifier": _frame_classifier, "seq2seq": _seq2seq, "enhancement": _enhancement}
