"""Tiny corpora, each in its own layout."""

import json

from tests.helpers import tone, write_wav


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def librispeech(root):
    """Two readers of dev-clean, two sentences and one."""
    for name in ("84/121123/84-121123-0000", "84/121123/84-121123-0001", "174/50561/174-50561-0000"):
        write_wav(root / "dev-clean" / f"{name}.flac", tone(0.2))
    write_text(root / "dev-clean/84/121123/84-121123.trans.txt",
               "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT IT'S\n")
    write_text(root / "dev-clean/174/50561/174-50561.trans.txt", "174-50561-0000 FORGOTTEN TOO\n")
    write_text(root / "SPEAKERS.TXT", "; ID |SEX| SUBSET | MINUTES | NAME\n"
               "84   | F | dev-clean        |  8.02 | Christie Nowak\n"
               "174  | M | dev-clean        |  8.04 | Peter Eastman\n")
    return root


def textgrid(path, intervals):
    """A TextGrid with one word and the phones [(start, end, text), ...]."""
    def tier(number, name, intervals):
        lines = "".join(f'\t\t\tintervals [{n}]:\n\t\t\t\txmin = {start}\n\t\t\t\txmax = {end}\n\t\t\t\ttext = "{text}"\n'
                        for n, (start, end, text) in enumerate(intervals, 1))
        return (f'\titem [{number}]:\n\t\tclass = "IntervalTier"\n\t\tname = "{name}"\n\t\txmin = 0.0\n'
                f'\t\txmax = {intervals[-1][1]}\n\t\tintervals: size = {len(intervals)}\n{lines}')

    return write_text(path, 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0.0\n'
                      f'xmax = {intervals[-1][1]}\ntiers? <exists>\nsize = 2\nitem []:\n'
                      + tier(1, "words", [(0.0, intervals[-1][1], "s")]) + tier(2, "phones", intervals))


def speech_commands(root):
    """Clips of five words by three speakers, one long noise."""
    for name in ("yes/0a7c2a8d_nohash_0", "yes/6d818f6c_nohash_1", "forward/0a7c2a8d_nohash_0", "bed/aaaaaaaa_nohash_0",
                 "_unknown_/cat_0a7c2a8d_nohash_3", "_silence_/silent_1"):
        write_wav(root / f"{name}.wav", tone(0.1))
    write_wav(root / "_background_noise_/running_tap.wav", tone(10.5, seed=1) * 0.1)
    write_text(root / "_background_noise_/README.md", "Noises.\n")
    write_text(root / "validation_list.txt", "bed/aaaaaaaa_nohash_0.wav\n")
    return root


def speechocean762(root):
    """A child and an adult, one sentence each."""
    for name in ("SPEAKER0001/000010011", "SPEAKER1027/010270001"):
        write_wav(root / "WAVE" / f"{name}.WAV", tone(0.3))
    write_text(root / "train/wav.scp",
               "000010011\tWAVE/SPEAKER0001/000010011.WAV\n010270001\tWAVE/SPEAKER1027/010270001.WAV\n")
    write_text(root / "train/text", "000010011\tWE CALL IT BEAR\n010270001\tZERO\n")
    write_text(root / "train/utt2spk", "000010011 0001\n010270001 1027\n")
    write_text(root / "train/spk2gender", "0001 m\n1027 f\n")
    write_text(root / "train/spk2age", "0001 6\n1027 37\n")
    write_text(root / "resource/text-phone",
               "000010011.0\tW_B IY0_E\n000010011.1\tK_B AO0_I L_E\n000010011.2\tIH0_B T_E\n"
               "000010011.3\tB_B EH1_I R_E\n"
               "010270001.0\tZ_B IH1_I R_I OW0_E\n")
    return root


def arabic_speech_commands(root):
    for name in ("zoom in/00000021_NO_06", "left/00000002_NO_01"):
        write_wav(root / "dataset" / f"{name}.wav", tone(0.1))
    write_text(root / "train.csv", "file,class\ndataset/zoom in/00000021_NO_06.wav,zoom in\n")
    write_text(root / "val.csv", "file,class\ndataset/left/00000002_NO_01.wav,left\n")
    return root


def fsdd(root):
    for name in ("7_jackson_32", "0_theo_4", "notes"):
        write_wav(root / "recordings" / f"{name}.wav", tone(0.1, sample_rate=8000), 8000)
    write_text(root / "metadata.py",
               "metadata = {\n    'jackson': {\n        'gender': 'male',\n        'accent': 'USA'\n    }\n}\n")
    return root


def wake_words(root):
    for name in ("alexa/1", "jarvis/20"):
        write_wav(root / f"{name}.flac", tone(0.1))
    return root


def coffee_orders(root):
    write_wav(root / "clean" / "a.wav", tone(0.1))
    write_wav(root / "clean" / "b.wav", tone(0.1))
    (root / "label.json").write_text(json.dumps({
        "a.wav": {"intent": "orderDrink", "slots": {"size": "large", "sugarAmount": " sweetener"}},
        "b.wav": {"intent": "orderDrink", "slots": {}}}))
    return root


def esc10(root):
    for name in ("001 - Dog bark/1-30226-A", "003 - Sea waves/5-28135-B"):
        write_wav(root / f"{name}.wav", tone(0.1, sample_rate=44100), 44100)
    return root


def kitchen20(root):
    for name in ("0-158737-A-0", "3-L-Ouvrir-B-10", "5-L-Ouvrir-F-2"):
        write_wav(root / "audio" / f"{name}.wav", tone(0.1))
    write_text(root / "kitchen20.csv", "category,fold,path,usr_id\nblender,1,audio/0-158737-A-0.wav,158737\n"
               "frying-pan,4,audio/3-L-Ouvrir-B-10.wav,L-Ouvrir\nfridge,6,audio/5-L-Ouvrir-F-2.wav,L-Ouvrir\n")
    return root


def emodb(root):
    for name in ("03a04Wc", "14b10Nb"):
        write_wav(root / "wav" / f"{name}.wav", tone(0.1))
    return root


def esc50(root):
    for name in ("1-100032-A-0", "5-9032-A-11"):
        write_wav(root / "audio" / f"{name}.wav", tone(0.1, sample_rate=44100), 44100)
    write_text(root / "meta/esc50.csv", "filename,fold,target,category,esc10,src_file,take\n"
               "1-100032-A-0.wav,1,0,dog,True,100032,A\n5-9032-A-11.wav,5,11,sea_waves,True,9032,A\n")
    return root


def snips(root):
    write_text(root / "train_PlayMusic.json", """{"PlayMusic": [{"data": [{"text": "Play "},
        {"text": "Caf\u00e9 del Mar", "entity": "playlist"}, {"text": " on "},
        {"text": "Spotify ", "entity": "service"}]}]}""")
    (root / "validate_PlayMusic.json").write_bytes(b'{"PlayMusic": [{"data": [{"text": "caf\xe9 music"}]}]}')
    return root


def hwu64(root):
    header = "answerid;scenario;intent;answer_annotation;answer_from_anno;answer_from_user\n"
    write_text(root / "train/alarm_set.csv", header
               + '2575;alarm;set;"set an alarm for [time : nine am] [date : today]";"";""\n'
               'null;alarm;set;"wake me";"";""\nnull;alarm;set;"";"";""\n')
    write_text(root / "test/play_music.csv", header + '9;play;music;"play [artist_name : the doors]";"";""\n')
    return root
