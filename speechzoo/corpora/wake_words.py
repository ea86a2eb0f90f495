"""Wake words: the recordings of Picovoice's wake word benchmark, a folder per word."""

from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, audio_files
from speechzoo.text.normalize import normalize_transcript


@register(CORPORA, "wake_words")
class WakeWords(Corpus):
    """Labels: keyword (the folder), transcript (the same), language. Speakers aren't known; there are no splits."""

    labels = ("keyword", "transcript", "language")

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        files = [path for path in audio_files(source) if path.parent != source]
        if not files:
            raise CorpusError(f"{source}: no recordings in it; expected a folder a word, such as alexa/1.flac")
        for path in files:
            audio = path.relative_to(source).as_posix()
            word = audio.split("/")[0]
            yield {"id": f"wake_words/{audio}", "audio": audio, "corpus": "wake_words", "keyword": word,
                   "transcript": normalize_transcript(word), "language": "en"}
