#!/usr/bin/env bash
# Prepares every corpus that the zoo's models are trained and measured on (docs/training.md, "Data").
#
#     examples/prepare_corpora.sh SOURCES OUT
#
# SOURCES holds the corpora in their makers' layouts, a folder each, named as below; those that aren't there are passed over.
# What is finished stays, so that the script goes on where it was stopped. WORKERS (all cores) is the number of processes.
set -euo pipefail
[ $# = 2 ] || { echo "usage: $0 SOURCES OUT" >&2; exit 2; }

sources=$1 out=$2 here=$(dirname "$0") workers=${WORKERS:-$(nproc)}
python=${PYTHON:-python}

# prepare NAME SOURCE CORPUS [OPTION ...]: OUT/NAME from SOURCES/SOURCE
prepare() {
    local name=$1 source=$sources/$2 corpus=$3
    shift 3
    if [ ! -e "$source" ]; then
        echo "$source isn't there: no $name" >&2
    elif [ ! -e "$out/$name/manifest.jsonl" ]; then
        "$python" -m speechzoo prepare "$corpus" --source "$source" --out "$out/$name" --workers "$workers" "$@"
    fi
}

# synthesize NAME TEXTS [OPTION ...]: OUT/NAME, spoken by every voice that is installed
synthesize() {
    local name=$1 texts=$2
    shift 2
    [ -e "$out/$name/manifest.jsonl" ] ||
        "$python" -m speechzoo synthesize "$texts" --out "$out/$name" --workers "$workers" "$@"
}

# align NAME ...: when each phone is spoken
align() {
    local name manifest
    for name in "$@"; do
        manifest=$out/$name/manifest.jsonl
        if [ -e "$manifest" ] && [ ! "$out/$name/.aligned" -nt "$manifest" ]; then
            "$python" -m speechzoo align "$manifest" --workers "$workers"
            touch "$out/$name/.aligned"
        fi
    done
}

mkdir -p "$out"

# Speech. A fifth of the speakers of each kind is held out.
more=$sources/LibriSpeech_more
prepare librispeech            LibriSpeech          librispeech    --hold-out 0.2 --lexicon cmudict
prepare librispeech_more       LibriSpeech_more     librispeech    --hold-out 0.2 --lexicon cmudict --option alignments="$more/alignment"
# Four of its readers are also in LibriSpeech_more.
prepare librispeech_speakers   librispeech_speakers librispeech    --hold-out 0.2 --same-split-as "$out/librispeech_more/manifest.jsonl" \
    --lexicon cmudict --option speakers="$more/SPEAKERS.TXT" --option transcripts="$more/librispeech_speakers.trans.txt"
prepare speechocean762         speechocean762       speechocean762 --hold-out 0.2
prepare wake_words             wake_words           wake_words     --hold-out 0.2 --lexicon cmudict
# These two have splits by speaker of their own: validation and val are what is held out.
prepare speech_commands        speech_commands      speech_commands --lexicon cmudict --option background_noise="$sources/noise/speech_commands"
prepare arabic_speech_commands arabic_speech_commands arabic_speech_commands

# Sounds and noises. The six noises of Speech Commands are its silence, too: a household noise is held out.
prepare esc10     esc10     esc10
prepare kitchen20 kitchen20 kitchen20 --hold-out 0.2
prepare noise     noise     folder --label noise --hold-out-names noise/household/washing_machine.wav

# For measuring alone.
prepare fsdd          fsdd       fsdd
prepare emodb         emodb      emodb --hold-out 0.2
prepare coffee_orders coffee_dev coffee_orders

# Synthetic speech: commands, and for their words requests to other devices and pieces of sentences that ask for nothing.
[ ! -e "$out/librispeech/manifest.jsonl" ] || [ -e "$out/fragments.txt" ] ||
    "$python" "$here/fragments.py" "$out/librispeech/manifest.jsonl" "$out/fragments.txt"
synthesize smart_speaker smart_speaker --hours 4 --seed 1
[ ! -e "$sources/text/hwu64" ] ||
    synthesize hwu64_spoken "$sources/text/hwu64" --corpus hwu64 --split train --hours 1.5 --seed 2
[ ! -e "$sources/text/snips" ] ||
    synthesize snips_spoken "$sources/text/snips" --corpus snips --split train --hours 1 --seed 3
[ ! -e "$out/fragments.txt" ] ||
    synthesize fragments_spoken "$out/fragments.txt" --hours 1.5 --seed 4

align librispeech librispeech_more librispeech_speakers speechocean762 wake_words speech_commands \
    smart_speaker hwu64_spoken snips_spoken fragments_spoken

# Clips of "on" and "off" are few: here they are from sentences, and so are other short words, or whatever is cut out of a sentence
# would be taken for "on". Pieces of sentences teach who speaks from short recordings.
wanted="on off one two three four six seven nine an in and our all long man own or it of then him her was were"
for name in librispeech librispeech_more librispeech_speakers speechocean762; do
    for cut in words pieces; do
        if [ -e "$out/$name/manifest.jsonl" ] && [ ! -e "$out/${name}_$cut/manifest.jsonl" ]; then
            case $cut in
                words) "$python" "$here/words_from_sentences.py" "$out/$name/manifest.jsonl" $wanted --out "$out/$name/words.jsonl";;
                pieces) "$python" "$here/pieces_of_sentences.py" "$out/$name/manifest.jsonl" --out "$out/$name/pieces.jsonl";;
            esac
            "$python" -m speechzoo prepare manifest --source "$out/$name/$cut.jsonl" --out "$out/${name}_$cut" --workers "$workers"
        fi
    done
done
