"""Imported wav2vec 2.0 and HuBERT against transformers: same files, same numbers, same text.

Tolerances are ten times what was observed, as a share of the greatest value; rounding is all of the difference.
"""

import json

import numpy as np
import pytest

from speechzoo.layers.transformer import normalize_channels
from speechzoo.published.importing import import_published
from speechzoo.registry import load
from tests.published.tiny_wav2vec2 import KINDS, VOCABULARY, arrays, babble, config, write_settings

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="no PyTorch: pip install speechzoo[parity]")
transformers = pytest.importorskip("transformers", reason="no transformers: pip install speechzoo[parity]")

# Observed: at most 1.04e-7.
FEATURES_TOLERANCE = 1.04e-6
# Observed: at most 2.3e-6, blocks and logits.
TOLERANCE = 2.3e-5
CLASSES = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert"}
MODELS = [(model_type, kind) for model_type in CLASSES for kind in KINDS]


@pytest.fixture(scope="module", params=MODELS, ids=["-".join(names) for names in MODELS])
def published(request, tmp_path_factory):
    """(kind, transformers' model, its processor of audio, its tokenizer, ours from the files that they wrote)."""
    model_type, kind = request.param
    settings = config(kind, model_type)
    del settings["model_type"]
    name = CLASSES[model_type]
    model = getattr(transformers, f"{name}ForCTC")(getattr(transformers, f"{name}Config")(**settings)).eval()
    state = {key: torch.tensor(array) for key, array in arrays(kind, model_type).items()}
    assert not any(model.load_state_dict(state))  # every name is theirs
    folder = tmp_path_factory.mktemp("published")
    write_settings(folder, {})
    model.save_pretrained(folder)
    # The base models were published without a mask, the large ones with one.
    processor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=kind == "large")
    processor.save_pretrained(folder)
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    tokenizer.save_pretrained(folder)
    report = import_published(folder, folder / "imported")
    assert sorted([*report.used, *report.left_out]) == sorted(state)
    return kind, model, processor, tokenizer, load(folder / "imported")


def difference(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def run(model, processor, audio):
    """Features, what each block gives (the last behind the encoder's norm) and logits of one recording."""
    blocks = []
    inner = getattr(model, "wav2vec2", None) or model.hubert
    hooks = [layer.register_forward_hook(lambda _, __, output: blocks.append(output[0].numpy()))
             for layer in inner.encoder.layers]
    samples = torch.tensor(processor(audio, sampling_rate=16000)["input_values"][0])[None]
    with torch.no_grad():
        logits = model(samples).logits[0].numpy()
        blocks[-1] = inner(samples).last_hidden_state[0].numpy()
    for hook in hooks:
        hook.remove()
    return samples[0].numpy(), blocks[:len(hooks) - 1] + blocks[-1:], logits


@pytest.mark.parametrize("samples", [400, 16000, 48137])
def test_equals_transformers(published, samples):
    kind, model, processor, _, ours = published
    audio = babble(4.0, seed=samples)[:samples] + np.float32(0.05)
    features, blocks, logits = run(model, processor, audio)
    windows = np.lib.stride_tricks.sliding_window_view(features, 10)[::5]
    assert difference(ours.frontend(audio[None])[0][0], windows) < FEATURES_TOLERANCE
    frames, _ = ours.features({"audio": audio[None], "audio_length": np.array([samples], np.int32)})
    if kind == "large":
        blocks = [*(np.asarray(normalize_channels(block)) for block in blocks[:-1]), blocks[-1]]
    found = [difference(frame[0], block) for frame, block in zip(frames, blocks, strict=True)]
    found.append(difference(ours({"audio": audio[None]})["transcript"][0], logits))
    assert max(found) < TOLERANCE, found


def test_the_text_is_that_of_transformers(published):
    _, model, processor, tokenizer, ours = published
    letters = set()
    for seed in (1, 2):
        audio = babble(1.0, seed)
        text = tokenizer.decode(run(model, processor, audio)[2].argmax(1))
        for token in ("<s>", "</s>", "<unk>"):  # which write nothing here
            text = text.replace(token, "")
        assert ours.recognize(audio, 16000).transcript == " ".join(text.lower().split())
        letters |= {*text}
    assert len(letters) > 2


def test_padded_batches(published):
    """Ours gives what transformers gives of a row alone. So does its large model, which has a mask, in a batch; its
    base model has none and hears the zeros behind a row, too."""
    kind, model, processor, _, ours = published
    audios = [babble(1.0, 5), babble(0.6, 6)]
    batch = processor(audios, sampling_rate=16000, padding=True, return_tensors="pt")
    with torch.no_grad():
        padded = model(**batch).logits.numpy()
    lengths = np.array([len(audio) for audio in audios], np.int32)
    joined = np.stack([np.pad(audio, (0, lengths.max() - len(audio))) for audio in audios])
    logits = np.asarray(ours({"audio": joined, "audio_length": lengths})["transcript"])
    for row, audio in enumerate(audios):
        alone = run(model, processor, audio)[2]
        assert difference(logits[row, :len(alone)], alone) < TOLERANCE
        if kind == "large" or not row:
            assert difference(padded[row, :len(alone)], alone) < TOLERANCE
        else:
            assert difference(padded[row, :len(alone)], alone) > 1e-2


def test_files_of_pytorch(published, tmp_path):
    """`pytorch_model.bin`, with the old names of weight normalisation."""
    kind, model, _, _, ours = published
    state = {name.replace("parametrizations.weight.original0", "weight_g").replace(
        "parametrizations.weight.original1", "weight_v"): tensor for name, tensor in model.state_dict().items()}
    write_settings(tmp_path, json.loads(model.config.to_json_string(use_diff=False)), VOCABULARY)
    torch.save(state, tmp_path / "pytorch_model.bin")
    import_published(tmp_path, tmp_path / "imported")
    audio = babble(0.5, 1)
    twin = load(tmp_path / "imported")
    np.testing.assert_array_equal(twin({"audio": audio[None]})["transcript"], ours({"audio": audio[None]})["transcript"])
