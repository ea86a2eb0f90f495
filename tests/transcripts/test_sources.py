"""Folders and lists of recordings, and the files that belong to them."""

import io
from pathlib import Path

import pytest

from speechzoo.transcripts.sources import find_recordings, output_paths


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_folders_lists_and_files_in_their_order(tmp_path, monkeypatch):
    make(tmp_path, "a/2.WAV", "a/1.flac", "a/b/3.ogg", "a/notes.txt", "4.mp3", "-5.wav")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("\ufeff4.mp3\n\n-5.wav\na/1.flac\n", encoding="utf-8")
    assert find_recordings(["a", "4.mp3"], "list.txt") == [str(Path("a/1.flac")), str(Path("a/2.WAV")), str(Path("a/b/3.ogg")),
                                                           "4.mp3", "4.mp3", "-5.wav", "a/1.flac"]
    monkeypatch.setattr("sys.stdin", io.StringIO("4.mp3\n"))
    assert find_recordings(["-"], "-") == ["-", "4.mp3"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="^none: no recordings in it"):
        find_recordings(["none"])


def test_files_keep_their_folders_and_never_share_a_name(tmp_path):
    recordings = [str(tmp_path / name) for name in ("x/a.wav", "x/a.flac", "x/y/a.wav", "z/b.wav")]
    paths = output_paths(recordings, tmp_path / "out", "srt")
    assert [str(path.relative_to(tmp_path / "out")) for path in paths.values()] == [
        str(Path(name)) for name in ("x/a.wav.srt", "x/a.flac.srt", "x/y/a.wav.srt", "z/b.wav.srt")]
    assert output_paths([str(tmp_path / "x" / "a.wav")], tmp_path / "out", "json") == {
        str(tmp_path / "x" / "a.wav"): tmp_path / "out" / "a.wav.json"}
    assert output_paths([], tmp_path, "json") == {}
