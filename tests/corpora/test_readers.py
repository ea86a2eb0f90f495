import hashlib
import re

import numpy as np
import pytest

from speechzoo.audio import load_audio
from speechzoo.config import ConfigError
from speechzoo.corpora import CORPORA, CorpusError, audio_root, make_reader, read_corpus
from speechzoo.corpora.speech_commands import which_set
from speechzoo.data.manifest import check_utterance, validate_manifest, write_manifest
from tests.corpora import trees
from tests.helpers import tone, write_wav

TREES = {name: getattr(trees, name) for name in CORPORA if hasattr(trees, name)}


def read(name, root, **options):
    """Utterances by id, without the corpus' name in front of it."""
    utterances = read_corpus(name, TREES[name](root), **options)
    return {utterance["id"].partition("/")[2]: utterance for utterance in utterances}


def test_every_corpus_has_a_tree():
    assert set(CORPORA) - set(TREES) == {"folder", "manifest"}


@pytest.mark.parametrize("name", TREES)
def test_keeps_the_contract(tmp_path, name):
    source = TREES[name](tmp_path / "corpus")
    reader = make_reader(name)
    utterances = list(reader.read(source))
    assert utterances == list(reader.read(str(source)))
    assert len({utterance["id"] for utterance in utterances}) == len(utterances) > 1
    found = set()
    for utterance in utterances:
        assert utterance["corpus"] == name
        found |= utterance.keys() - {"id", "corpus", "split", "audio", "start", "duration"}
        if "speaker" in utterance:
            assert utterance["speaker"].startswith(("sc_", f"{name}_"))
    assert found == set(reader.labels)
    if reader.has_audio:
        manifest = source / "manifest.jsonl"
        write_manifest(manifest, utterances)
        assert validate_manifest(manifest) == []
        piece = utterances[-1]
        assert len(load_audio(source / piece["audio"], start=piece.get("start", 0.0), duration=piece.get("duration")))
    else:
        assert all(field == "audio" for utterance in utterances for field, _ in check_utterance(utterance))


@pytest.mark.parametrize("name", CORPORA)
def test_another_folder_is_an_error_of_one_line(tmp_path, name):
    for source in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ValueError, match=str(source)) as error:
            list(read_corpus(name, source))
        assert "\n" not in str(error.value)


def test_librispeech(tmp_path):
    utterances = read("librispeech", tmp_path)
    assert list(utterances) == ["174-50561-0000", "84-121123-0000", "84-121123-0001"]
    assert utterances["84-121123-0001"] == {
        "id": "librispeech/84-121123-0001", "audio": "dev-clean/84/121123/84-121123-0001.flac", "corpus": "librispeech",
        "split": "dev-clean", "transcript": "but it's", "speaker": "librispeech_84", "gender": "female",
        "language": "en"}
    assert utterances["174-50561-0000"]["gender"] == "male"
    # The folder of one subset works too.
    subset = list(read_corpus("librispeech", tmp_path / "dev-clean"))
    assert [(u["split"], u["gender"]) for u in subset] == [("dev-clean", "male")] + [("dev-clean", "female")] * 2


def test_librispeech_recordings_without_transcripts(tmp_path):
    trees.librispeech(tmp_path / "original")
    write_wav(tmp_path / "some" / "librispeech_train-clean-100" / "84-5-0000.flac", tone(0.1))
    utterance, = read_corpus("librispeech", tmp_path / "some", speakers=tmp_path / "original" / "SPEAKERS.TXT")
    assert utterance == {"id": "librispeech/84-5-0000", "audio": "librispeech_train-clean-100/84-5-0000.flac",
                         "corpus": "librispeech", "split": "train-clean-100", "speaker": "librispeech_84",
                         "gender": "female", "language": "en"}
    with pytest.raises(CorpusError, match="no such file"):
        list(read_corpus("librispeech", tmp_path / "some", speakers=tmp_path / "nothing"))


def test_librispeech_transcripts_from_elsewhere(tmp_path):
    write_wav(tmp_path / "some" / "84-5-0000.flac", tone(0.1))
    trees.write_text(tmp_path / "all.text", "84-5-0000 SO IT'S DONE\n84-5-0001 NOT HERE\n")
    utterance, = read_corpus("librispeech", tmp_path / "some", transcripts=tmp_path / "all.text")
    assert utterance["transcript"] == "so it's done"
    with pytest.raises(CorpusError, match="nothing: not found; expected a file of transcripts"):
        list(read_corpus("librispeech", tmp_path / "some", transcripts=tmp_path / "nothing"))


def test_librispeech_alignments(tmp_path):
    grids = tmp_path / "grids" / "84"
    trees.textgrid(grids / "84-121123-0000.TextGrid", [
        (0.0, 0.05, "sil"), (0.05, 0.06, "sp"), (0.06, 0.1, "G"), (0.1, 0.15, "OW1"), (0.15, 0.2, "")])
    trees.textgrid(grids / "84-121123-0001.TextGrid", [(0.0, 0.1, "spn"), (0.1, 0.2, "T")])
    utterances = read("librispeech", tmp_path / "corpus", alignments=grids.parent)
    assert utterances["84-121123-0000"]["alignment"] == [["SIL", 0.06], ["G", 0.1], ["OW", 0.15], ["SIL", 0.2]]
    assert [name for name, u in utterances.items() if "alignment" in u] == ["84-121123-0000"]
    with pytest.raises(CorpusError, match="no TextGrid in it"):
        read("librispeech", tmp_path / "corpus", alignments=tmp_path / "corpus")
    trees.write_text(grids / "174-50561-0000.TextGrid", "nothing")
    with pytest.raises(CorpusError, match="174-50561-0000.TextGrid: no tier 'phones' with intervals"):
        read("librispeech", tmp_path / "corpus", alignments=grids.parent)


def test_kitchen20(tmp_path):
    utterances = read("kitchen20", tmp_path)
    assert utterances["audio/3-L-Ouvrir-B-10.wav"] == {
        "id": "kitchen20/audio/3-L-Ouvrir-B-10.wav", "audio": "audio/3-L-Ouvrir-B-10.wav", "corpus": "kitchen20",
        "split": "fold4", "sound": "frying_pan", "source_recording": "kitchen20_L-Ouvrir"}
    trees.write_text(tmp_path / "kitchen20.csv", "category,fold,path,usr_id\nblender,1\n")
    with pytest.raises(CorpusError, match="kitchen20.csv: expected the columns category, fold, path, usr_id, got"):
        list(read_corpus("kitchen20", tmp_path))


def test_emodb(tmp_path):
    utterances = read("emodb", tmp_path)
    assert utterances["03a04Wc"] == {
        "id": "emodb/03a04Wc", "audio": "wav/03a04Wc.wav", "corpus": "emodb", "emotion": "anger", "speaker": "emodb_03",
        "gender": "male", "language": "de"}
    assert (utterances["14b10Nb"]["emotion"], utterances["14b10Nb"]["gender"]) == ("neutral", "female")


def test_speech_commands(tmp_path):
    utterances = read("speech_commands", tmp_path)
    assert utterances["forward/0a7c2a8d_nohash_0.wav"] == {
        "id": "speech_commands/forward/0a7c2a8d_nohash_0.wav", "audio": "forward/0a7c2a8d_nohash_0.wav",
        "corpus": "speech_commands", "split": which_set("0a7c2a8d_nohash_0.wav"), "keyword": "forward",
        "transcript": "forward", "speaker": "sc_0a7c2a8d", "language": "en"}
    # The set's lists come before the hash.
    assert which_set("aaaaaaaa_nohash_0.wav") != "validation"
    assert utterances["bed/aaaaaaaa_nohash_0.wav"]["split"] == "validation"
    unknown = utterances["_unknown_/cat_0a7c2a8d_nohash_3.wav"]
    assert (unknown["keyword"], unknown["speaker"]) == ("_unknown_", "sc_0a7c2a8d") and "transcript" not in unknown
    silent = utterances["_silence_/silent_1.wav"]
    assert (silent["keyword"], silent["event"], silent["speech"]) == ("_silence_", "none", "none")
    assert not silent.keys() & {"speaker", "transcript", "language"}


def test_speech_commands_cuts_silence_out_of_noises(tmp_path):
    cuts = [u for u in read("speech_commands", tmp_path).values() if "start" in u]
    assert [(u["start"], u["duration"]) for u in cuts] == [(float(second), 1.0) for second in range(10)]
    assert {u["audio"] for u in cuts} == {"_background_noise_/running_tap.wav"}
    assert {(u["keyword"], u["event"], u["speech"]) for u in cuts} == {("_silence_", "none", "none")}
    assert [u["split"] for u in cuts] == ["training"] * 8 + ["validation", "testing"]
    # Noises may lie elsewhere.
    write_wav(tmp_path / "noises" / "fan.wav", tone(2.0))
    source = tmp_path / "clips"
    write_wav(source / "no" / "0a7c2a8d_nohash_0.wav", tone(0.1))
    utterances = list(read_corpus("speech_commands", source, background_noise=tmp_path / "noises"))
    assert [u["audio"] for u in utterances] == ["no/0a7c2a8d_nohash_0.wav", "../noises/fan.wav", "../noises/fan.wav"]


def test_which_set_is_the_published_function():
    def published(filename, validation_percentage, testing_percentage):  # from the set's README.md
        hash_name = re.sub(r"_nohash_.*$", "", filename.split("/")[-1])
        hash_name_hashed = hashlib.sha1(hash_name.encode("utf-8")).hexdigest()
        percentage_hash = (int(hash_name_hashed, 16) % (2 ** 27 - 1 + 1)) * (100.0 / (2 ** 27 - 1))
        if percentage_hash < validation_percentage:
            return "validation"
        if percentage_hash < testing_percentage + validation_percentage:
            return "testing"
        return "training"

    numbers = np.random.default_rng(1).integers(0, 2 ** 32, 300)
    names = [f"yes/{number:08x}_nohash_{number % 3}.wav" for number in numbers]
    assert [which_set(name) for name in names] == [published(name, 10, 10) for name in names]
    # Clips that stand in the published validation_list.txt and testing_list.txt.
    assert which_set("bed/026290a7_nohash_0.wav") == "validation"
    assert which_set("bed/0c40e715_nohash_0.wav") == "testing"


def test_speechocean762(tmp_path):
    utterances = read("speechocean762", tmp_path)
    assert utterances["000010011"] == {
        "id": "speechocean762/000010011", "audio": "WAVE/SPEAKER0001/000010011.WAV", "corpus": "speechocean762",
        "split": "train", "transcript": "we call it bear", "phones": "W IY K AO L IH T B EH R",
        "speaker": "speechocean762_0001", "gender": "male", "age": 6, "age_group": "child", "language": "en"}
    adult = utterances["010270001"]
    assert (adult["gender"], adult["age_group"], adult["phones"]) == ("female", "adult", "Z IH R OW")


def test_speechocean762_phones_from_scores(tmp_path):
    expected = read("speechocean762", tmp_path)["000010011"]["phones"]
    (tmp_path / "resource" / "text-phone").unlink()
    trees.write_text(tmp_path / "resource" / "scores.json", """{"000010011": {"text": "WE CALL IT BEAR", "words": [
        {"text": "WE", "phones": "W IY0"}, {"text": "CALL", "phones": "K AO0 L"}, {"text": "IT", "phones": "IH0 T"},
        {"text": "BEAR", "phones": ["B", "EH1", "R"]}]}}""")
    utterances = {u["id"]: u for u in read_corpus("speechocean762", tmp_path)}
    assert utterances["speechocean762/000010011"]["phones"] == expected
    assert "phones" not in utterances["speechocean762/010270001"]


@pytest.mark.parametrize("table, text, message", [
    ("text", "000010011 WE CALL IT BEAR\n", "text: utterance 010270001 of wav.scp is missing"),
    ("utt2spk", "000010011\n", "utt2spk:1: expected 2 columns"),
    ("spk2age", "0001 six\n", "spk2age: age of speaker 0001 is 'six', expected years"),
    ("spk2gender", "0001 x\n", "spk2gender: gender of speaker 0001 is 'x', expected m or f"),
])
def test_speechocean762_names_the_broken_table(tmp_path, table, text, message):
    trees.speechocean762(tmp_path)
    (tmp_path / "train" / table).write_text(text)
    with pytest.raises(CorpusError, match=message):
        list(read_corpus("speechocean762", tmp_path))


def test_arabic_speech_commands(tmp_path):
    train, val = read_corpus("arabic_speech_commands", trees.arabic_speech_commands(tmp_path))
    assert train == {"id": "arabic_speech_commands/dataset/zoom in/00000021_NO_06.wav",
                     "audio": "dataset/zoom in/00000021_NO_06.wav", "corpus": "arabic_speech_commands",
                     "split": "train", "keyword": "zoom in", "speaker": "arabic_speech_commands_00000021",
                     "language": "ar"}
    assert (val["split"], val["keyword"]) == ("val", "left")


def test_fsdd(tmp_path):
    utterances = read("fsdd", tmp_path)
    assert list(utterances) == ["0_theo_4", "7_jackson_32"]
    assert utterances["7_jackson_32"] == {
        "id": "fsdd/7_jackson_32", "audio": "recordings/7_jackson_32.wav", "corpus": "fsdd", "split": "train",
        "keyword": "seven", "transcript": "seven", "speaker": "fsdd_jackson", "gender": "male", "language": "en"}
    assert utterances["0_theo_4"]["split"] == "test" and "gender" not in utterances["0_theo_4"]


def test_wake_words(tmp_path):
    assert read("wake_words", tmp_path)["alexa/1.flac"] == {
        "id": "wake_words/alexa/1.flac", "audio": "alexa/1.flac", "corpus": "wake_words", "keyword": "alexa",
        "transcript": "alexa", "language": "en"}


def test_coffee_orders(tmp_path):
    orders = read("coffee_orders", tmp_path)
    assert orders["clean/a.wav"] == {
        "id": "coffee_orders/clean/a.wav", "audio": "clean/a.wav", "corpus": "coffee_orders", "intent": "orderDrink",
        "slots": {"size": "large", "sugarAmount": "sweetener"}, "language": "en"}
    assert orders["clean/b.wav"]["slots"] == {}
    (tmp_path / "label.json").write_text('{"a.wav": {"intent": "orderDrink"}}')
    with pytest.raises(CorpusError, match="label.json: expected an object of recordings with their 'intent' and 'slots'"):
        list(read_corpus("coffee_orders", tmp_path))
    (tmp_path / "label.json").unlink()
    with pytest.raises(CorpusError, match="no label.json in it"):
        list(read_corpus("coffee_orders", tmp_path))


def test_esc10_and_esc50_name_their_events_alike(tmp_path):
    ten = list(read_corpus("esc10", trees.esc10(tmp_path / "10")))
    fifty = list(read_corpus("esc50", trees.esc50(tmp_path / "50")))
    assert [(u["event"], u["split"]) for u in ten] == [("dog_bark", "fold1"), ("sea_waves", "fold5")]
    assert [(u["event"], u["split"]) for u in fifty] == [("dog_bark", "fold1"), ("sea_waves", "fold5")]


def test_snips(tmp_path):
    train, validate = read_corpus("snips", trees.snips(tmp_path))
    assert train == {"id": "snips/train/PlayMusic/0", "corpus": "snips", "split": "train", "intent": "PlayMusic",
                     "transcript": "play cafe del mar on spotify", "language": "en",
                     "slots": {"playlist": "cafe del mar", "service": "spotify"}}
    assert (validate["split"], validate["transcript"]) == ("validate", "cafe music") and "slots" not in validate
    # The larger file is read instead of the smaller one.
    trees.write_text(tmp_path / "train_PlayMusic_full.json", '{"PlayMusic": [{"data": [{"text": "music please"}]}]}')
    assert [u["transcript"] for u in read_corpus("snips", tmp_path)] == ["music please", "cafe music"]


def test_hwu64(tmp_path):
    utterances = read("hwu64", tmp_path)
    assert list(utterances) == ["train/alarm_set/0", "train/alarm_set/1", "test/play_music/0"]
    assert utterances["train/alarm_set/0"] == {
        "id": "hwu64/train/alarm_set/0", "corpus": "hwu64", "split": "train", "intent": "alarm_set", "language": "en",
        "transcript": "set an alarm for nine a m today", "slots": {"time": "nine a m", "date": "today"}}
    assert "slots" not in utterances["train/alarm_set/1"]


def test_folder(tmp_path):
    source = tmp_path / "mine"
    for name in ("top", "yes/a", "yes/deeper/b", "no/c", ".hidden/d"):
        write_wav(source / f"{name}.wav", tone(0.1))
    trees.write_text(source / "top.txt", "Turn it up, 3 times!\n")
    utterances = list(read_corpus("folder", source, language="en", split="train"))
    assert utterances[2] == {"id": "mine/yes/a.wav", "audio": "yes/a.wav", "corpus": "mine", "split": "train",
                             "language": "en", "keyword": "yes"}
    assert [u.get("keyword") for u in utterances] == ["no", None, "yes", "yes"]
    assert utterances[1]["transcript"] == "turn it up three times"
    speakers = [u.get("speaker") for u in read_corpus("folder", source, label="speaker", corpus="ours")]
    assert speakers == ["ours_no", None, "ours_yes", "ours_yes"]
    assert not any("keyword" in u for u in read_corpus("folder", source, label=None))


def test_folder_takes_what_can_be_read_and_names_the_rest(tmp_path):
    source = tmp_path / "mine"
    (source / "yes").mkdir(parents=True)
    for name in ("a.oga", "b.aiff", "c.AIF", "d.au", "e.sph", "f.WAV", "g.opus", "h.caf", "i.m4a", "j.webm", "k.csv", "l.txt",
                 "m", "f.TXT"):
        (source / "yes" / name).write_text("Go up!")
    found = {u["audio"].split("/")[1]: u for u in read_corpus("folder", source)}
    assert set(found) == {path.name for path in (source / "yes").iterdir()} - {"f.TXT"}
    skipped = {name: u["_skip"] for name, u in found.items() if "_skip" in u}
    assert skipped == {"i.m4a": ".m4a can't be read; convert it: ffmpeg -i FILE.m4a FILE.wav",
                       "j.webm": ".webm can't be read; convert it: ffmpeg -i FILE.webm FILE.wav",
                       "k.csv": "no recording, by its ending .csv", "m": "no recording, as its name has no ending",
                       "l.txt": "a text without a recording of the same name"}
    assert found["f.WAV"]["transcript"] == "go up" and found["f.WAV"]["keyword"] == "yes"
    assert "transcript" not in found["a.oga"]


def test_manifest(tmp_path):
    lines = [{"audio": "a.wav", "keyword": "yes", "id": "a"}, {"audio": "/b.wav", "id": "b"}]
    write_manifest(tmp_path / "mine.jsonl", lines)
    assert list(read_corpus("manifest", tmp_path / "mine.jsonl")) == list(read_corpus("manifest", tmp_path)) == lines
    assert audio_root(tmp_path / "mine.jsonl") == audio_root(tmp_path) == tmp_path
    write_manifest(tmp_path / "other.jsonl", lines)
    with pytest.raises(CorpusError, match="2 .jsonl files in it; name the one to read"):
        list(read_corpus("manifest", tmp_path))


def test_unknown_names():
    with pytest.raises(CorpusError, match="unknown corpus 'libri_speech'; did you mean 'librispeech'"):
        make_reader("libri_speech")
    with pytest.raises(ConfigError, match="corpus 'folder' has no option 'lable'; did you mean 'label'"):
        make_reader("folder", lable="speaker")
