"""The server as OpenAI's own client asks it, over real sockets."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra [server] is not installed")
openai = pytest.importorskip("openai", reason="OpenAI's client is not installed")

from speechzoo.server.limits import Limits
from tests.decoding.attention.writer import Writer
from tests.fake_model import TEXTS, FakeModel
from tests.helpers import encoded, tone
from tests.listening.test_listener import sound
from tests.server.running import running


class CloseCall(FakeModel):
    """Hears "hay" or "hey", and "hay" a little better."""

    def answer(self, audio):
        units = self.spec["heads"]["transcript"]["units"]
        logits = 20 * np.eye(len(units) + 1)[[units.index("h") + 1, 0, units.index("a") + 1, 0, units.index("y") + 1]]
        logits[2, units.index("e") + 1] = 19
        return {**super().answer(audio), "transcript": logits}


class Keyword(FakeModel):
    """Has no transcript."""

    spec = {**FakeModel.spec, "heads": {"keyword": FakeModel.spec["heads"]["keyword"]}}


@pytest.fixture(scope="module")
def address():
    models = {"fake": FakeModel(), "close": CloseCall(), "whisper-1": Writer(), "keyword": Keyword()}
    with running(models, Limits(upload_bytes=3_000_000, seconds=61)) as (address, _):
        yield address


@pytest.fixture(scope="module")
def client(address):
    with client_of(address) as client:
        yield client


def client_of(address, key="any", **options):
    return openai.OpenAI(base_url=f"http://{address}/v1", api_key=key, max_retries=0, **options)


def flac(number=0, seconds=1.0):
    return encoded(sound(number, seconds), "FLAC")


def test_transcripts(client):
    create = client.audio.transcriptions.create
    for number, text in enumerate(TEXTS):
        answer = create(file=("a.wav", flac(number)), model="fake", temperature=0)
        assert answer.text == text and answer.usage.seconds == 1.0
    assert create(file=flac(2), model="fake", response_format="text", language="en") == "go left now\n"
    assert create(file=flac(1), model="fake", response_format="srt") == "1\n00:00:00,000 --> 00:00:00,833\nstop\n"
    assert create(file=flac(1), model="fake", response_format="vtt").startswith("WEBVTT\n\n00:00:00.000 --> ")
    # Of a decoder that knows languages, and says which it has heard.
    assert create(file=flac(), model="whisper-1", response_format="verbose_json").language == "de"
    assert create(file=flac(), model="whisper-1", language="en", response_format="verbose_json").language == "en"


def test_words_and_segments_with_times(client):
    def ask(**options):
        return client.audio.transcriptions.create(file=flac(2), model="fake", response_format="verbose_json", **options)

    words = FakeModel().recognize(sound(2)).words
    answer = ask(timestamp_granularities=["word"])
    assert [(word.word, word.start, word.end) for word in answer.words] == [
        (word.text, pytest.approx(word.start, abs=5e-4), pytest.approx(word.end, abs=5e-4)) for word in words]
    assert answer.segments is None and answer.duration == 1.0 and answer.language == "en"
    segment, = ask().segments
    assert (segment.text, segment.start, segment.end) == ("go left now", answer.words[0].start, answer.words[-1].end)
    assert -0.1 < segment.avg_logprob <= 0
    both = ask(timestamp_granularities=["word", "segment"])
    assert both.words and both.segments


def test_the_content_decides_what_a_file_is(client):
    ogg = encoded(sound(3), "OGG")
    for name in ("a.wav", "a.txt", "../../etc/passwd", "a"):
        assert client.audio.transcriptions.create(file=(name, ogg, "text/html"), model="fake").text == TEXTS[3]
    with pytest.raises(openai.BadRequestError, match="a text file, not audio"):
        client.audio.transcriptions.create(file=("a.flac", b"no audio at all", "audio/flac"), model="fake")


def test_long_recordings_come_in_pieces(client):
    pieces = list(FakeModel().recognize_pieces(flac(1, 50)))
    assert len(pieces) == 2
    events = list(client.audio.transcriptions.create(file=flac(1, 50), model="fake", stream=True))
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert [event.delta for event in events[:2]] == ["stop", " stop"] and events[2].text == "stop stop"
    answer = client.audio.transcriptions.create(file=flac(1, 50), model="fake", response_format="verbose_json",
                                                timestamp_granularities=["word"])
    assert answer.text == "stop stop" and answer.duration == 50
    assert answer.words[1].start == pytest.approx(pieces[1].recognition.words[0].start, abs=5e-4)


def test_a_prompt_favours_its_words(client):
    def ask(model="close", **options):
        return client.audio.transcriptions.create(file=flac(), model=model, **options).text

    assert ask() == ask(prompt="Something else, hello.") == "hay"
    assert ask(prompt="Names: HEY, you") == ask(keywords=["hey"]) == "hey"
    with pytest.raises(openai.BadRequestError, match="phrases to boost are for ctc heads"):
        ask("whisper-1", prompt="hey")
    with pytest.raises(openai.BadRequestError, match="at most 2000 characters"):
        ask(prompt="hey " * 501)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # so are OpenAI's own models for it
def test_translations(client):
    assert client.audio.translations.create(file=flac(), model="whisper-1").text == "go on"
    verbose = client.audio.translations.create(file=flac(), model="whisper-1", response_format="verbose_json")
    assert verbose.language == "de" and verbose.segments[0].text == "go on"
    with pytest.raises(openai.BadRequestError, match="'fake' can't translate"):
        client.audio.translations.create(file=flac(), model="fake")


def test_models(client):
    assert [model.id for model in client.models.list()] == ["fake", "close", "whisper-1", "keyword"]
    model = client.models.retrieve("whisper-1")
    assert model.languages == ["de", "en"] and model.translates and not model.streams
    with pytest.raises(openai.NotFoundError, match="no model 'whisper-2'; did you mean 'whisper-1'"):
        client.models.retrieve("whisper-2")


@pytest.mark.parametrize("options, error, message", [
    ({"model": "fak"}, openai.NotFoundError, "no model 'fak'; did you mean 'fake'"),
    ({"model": "keyword"}, openai.BadRequestError, "'keyword' writes no transcript; it answers keyword"),
    ({"language": "tlh"}, openai.BadRequestError, "doesn't know the language 'tlh'; it knows: en"),
    ({"response_format": "diarized_json"}, openai.BadRequestError, "response_format: Input should be 'json', 'text'"),
    ({"response_format": "srt", "stream": True}, openai.BadRequestError, "no events of srt"),
    ({"timestamp_granularities": ["word"]}, openai.BadRequestError, "times are in verbose_json only"),
    ({"include": ["logprobs"]}, openai.BadRequestError, "no logprobs"),
    ({"temperature": 2}, openai.BadRequestError, "temperature: Input should be less than or equal to 1"),
    ({"file": b""}, openai.BadRequestError, "empty, 0 bytes"),
    ({"file": flac()[:60]}, openai.BadRequestError, "the audio bytes: "),
    ({"file": flac(seconds=62)}, openai.APIStatusError, "longer than 61 s"),
    ({"file": bytes(4_000_000)}, openai.APIStatusError, "larger than 3 MB"),
])
def test_what_can_not_be_used_gets_a_clear_answer(client, options, error, message):
    with pytest.raises(error) as refused:
        client.audio.transcriptions.create(**{"file": flac(), "model": "fake", **options})
    assert message in refused.value.message
    if error is openai.APIStatusError:
        assert refused.value.status_code == 413


def test_a_recording_longer_than_its_header_says_is_refused_while_it_is_heard(client):
    wav = bytearray(encoded(tone(62, 0.1, 8000), sample_rate=8000))
    wav[40:44] = bytes(4)  # the size that a program leaves which writes to a pipe
    with pytest.raises(openai.APIStatusError, match="longer than 61 s"):
        client.audio.transcriptions.create(file=bytes(wav), model="fake")


class Slow(FakeModel):
    """Takes its time, and remembers its batches."""

    def __init__(self):
        super().__init__()
        self.sizes, self.go = [], threading.Event()

    def batch_outputs(self, audios, heads=None):
        assert self.go.wait(60)
        self.sizes.append(len(audios))
        return super().batch_outputs(audios, heads)


def in_threads(count, function):
    answers = [None] * count

    def work(number):
        try:
            answers[number] = function(number)
        except openai.APIError as error:
            answers[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def waiting(service, count):
    until = time.monotonic() + 60
    while service.metrics.inside._value.get() < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_requests_that_wait_together_are_a_batch_and_more_are_refused():
    model = Slow()
    with running({"slow": model}, Limits(batch=4, waiting=2)) as (address, service), client_of(address) as client:
        def ask(number):
            return client.audio.transcriptions.create(file=flac(number % 4), model="slow").text

        threads, answers = in_threads(6, ask)
        waiting(service, 6)
        with pytest.raises(openai.RateLimitError, match="too many requests wait already") as refused:
            ask(0)
        assert refused.value.response.headers["retry-after"] == "1"
        model.go.set()
        for thread in threads:
            thread.join()
        assert answers == [TEXTS[number % 4] for number in range(6)]
        assert sum(model.sizes) == 6 and 1 < max(model.sizes) <= 4
        assert ask(0) == TEXTS[0]


def test_models_are_warm_before_anybody_asks():
    model = Slow()
    model.go.set()
    with running({"slow": model}) as (_, service):
        service.warm_up()
    assert model.sizes == [1, 2, 1]  # alone, in a batch, and with the decoders


def test_times_are_limited():
    model = Slow()
    with running({"slow": model}, Limits(request_seconds=0.5)) as (address, service), client_of(address) as client:
        try:
            with pytest.raises(openai.APIStatusError, match="no answer within 0.5 s") as refused:
                client.audio.transcriptions.create(file=flac(), model="slow")
        finally:
            model.go.set()
        assert refused.value.status_code == 504


def test_a_client_that_leaves_makes_room():
    model = Slow()
    with running({"slow": model}, Limits(batch=1, waiting=2)) as (address, service):
        with client_of(address, timeout=1.0) as hasty:
            threads, answers = in_threads(3, lambda number: hasty.audio.transcriptions.create(file=flac(), model="slow"))
            for thread in threads:
                thread.join()
        assert all(isinstance(answer, openai.APITimeoutError) for answer in answers)
        until = time.monotonic() + 60
        while service.metrics.inside._value.get():
            assert time.monotonic() < until
            time.sleep(0.05)
        model.go.set()
        with client_of(address) as client:
            assert client.audio.transcriptions.create(file=flac(1), model="slow").text == "stop"
    assert len(model.sizes) <= 2  # what had not begun when its client left was never heard


def test_keys():
    with running({"fake": FakeModel()}, keys=["first", "second"]) as (address, _):
        for key in ("first", "second"):
            with client_of(address, key) as client:
                assert client.models.list().data[0].id == "fake"
        for key in ("third", "firs", "firstsecond"):
            with client_of(address, key) as client, pytest.raises(openai.AuthenticationError, match="wants a key"):
                client.audio.transcriptions.create(file=flac(), model="fake")
