import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.grammar.errors import GrammarError
from speechzoo.grammar.nodes import Words
from speechzoo.grammar.reading import MAX_WORDS, list_grammars, load_grammar, parse_grammar
from speechzoo.grammar.sampling import count_sentences, enumerate_sentences

HOME = """\
language: en
intents:
  lightsOn:
    - "[please] turn on the light[s] [in the {room}]"
    - "light[s] on"
  dim:
    sentences: "dim to <amount>"
  shuffle:
    - sentences: [shuffle, "shuffle <on>"]
      slots: {state: on}
    - {sentences: don't shuffle, slots: {state: off}}
rules:
  amount: "{0..100,50:brightness} percent"
  on: [on, please]
slots:
  room:
    - kitchen
    - living room: [living room, lounge]
    - {in: "bed[room]", out: bedroom}
"""

RHINO = """\
context:
  expressions:
    orderDrink:
      - "[can I get, I'd like] [a, an] (@hot) $size:size $drink:beverage (please)"
      - "make $pv.SingleDigitInteger:count of them, $drink"
  slots:
    size: ["small", "twelve ounce"]
    drink:
      - "Americano"
      - "iced mocha"
  macros:
    hot: ["hot", "really hot"]
"""


def said(grammar):
    """Text -> (intent, slots)."""
    return {sentence.text: (sentence.intent, sentence.slots) for sentence in enumerate_sentences(grammar)}


def test_our_format():
    found = said(parse_grammar(HOME))
    assert found["please turn on the lights in the lounge"] == ("lightsOn", {"room": "living room"})
    assert found["turn on the light in the bed"] == ("lightsOn", {"room": "bedroom"})
    assert found["lights on"] == ("lightsOn", {})
    assert found["dim to fifty percent"] == ("dim", {"brightness": "50"})
    assert found["shuffle on"] == found["shuffle"] == ("shuffle", {"state": "on"})
    assert found["don't shuffle"] == ("shuffle", {"state": "off"})
    assert count_sentences(parse_grammar(HOME)) == 2 * 2 * (1 + 5) + 2 + 4 + 3 + 1
    assert parse_grammar(HOME).slots() == {
        "room": ["kitchen", "living room", "bedroom"], "brightness": ["0", "50", "100"], "state": ["on", "off"]}


def test_rhino_contexts():
    grammar = parse_grammar(RHINO)
    found = said(grammar)
    assert found["i'd like a really hot twelve ounce iced mocha please"] == (
        "orderDrink", {"size": "twelve ounce", "beverage": "iced mocha"})
    assert found["make three of them americano"] == ("orderDrink", {"count": "3", "drink": "Americano"})
    assert count_sentences(grammar) == 2 * 2 * 3 * 2 * 2 * 2 + 10 * 2


def test_home_assistant_files():
    """The layout of its custom sentences."""
    found = said(parse_grammar("""\
        language: "en"
        intents:
          HassTurnOn:
            data:
              - sentences: ["<turn> on [the] {area} light[s]"]
                slots: {domain: light}
                requires_context: {area: {slot: true}}
        lists:
          area: {values: [{in: "(lounge|living room)", out: living_room}]}
          level: {range: {type: percentage, from: 0, to: 100}}
        expansion_rules:
          turn: "(turn|switch)"
        responses: {errors: {}}
        """))
    assert found["switch on the lounge lights"] == ("HassTurnOn", {"area": "living_room", "domain": "light"})
    assert len(found) == 16


def test_built_in_slots_and_ranges():
    found = said(parse_grammar("""\
        intents:
          timer: ["timer for {duration:length}", "at {time}", "to {1..3:level}", "to {percentage}", "number {number}"]
          heat: "to {sweet}"
        slots:
          sweet: {range: {from: 20, to: 21, fractions: halves}}
        """))
    assert found["timer for an hour and a half"] == ("timer", {"length": "5400"})
    assert found["at half past seven"] == ("timer", {"time": "7:30"})
    assert found["to twenty and a half"] == ("heat", {"sweet": "20.5"})
    assert found["to ten percent"] == ("timer", {"percentage": "10"})
    assert found["number forty two"] == ("timer", {"number": "42"})


def test_lists_are_shared():
    grammar = parse_grammar("intents: {move: ['from {room:origin} to {room:goal}', 'to {room:goal}']}\n"
                            "slots: {room: [hall, attic]}")
    first, second = grammar.intents["move"].options
    assert first.parts[1].spoken is first.parts[3].spoken is second.parts[1].spoken
    assert first.parts[3] is second.parts[1]


def test_words_that_follow_each_other_are_one_node():
    assert parse_grammar("intents: {a: [turn the  lights on]}").intents["a"] == Words("turn the lights on")


def test_other_languages():
    grammar = parse_grammar("language: de\nintents: {an: ['(schalte|mache) {raum} an']}\nslots: {raum: [küche, bad]}")
    assert grammar.language == "de" and "mache küche an" in said(grammar)


ERRORS = [
    # What is missing
    ("intents: {a: ['to {rom}']}\nslots: {room: [x]}", "1:19: no slot 'rom'; did you mean 'room'?"),
    ("intents:\n  a:\n    - turn on\n    - dim <lihgt>\nrules:\n  light: x",
     "4:11: no rule <lihgt>; did you mean 'light'?"),
    ("intents: {a: x}\nrules:\n  r: go {nowhere}", "3:9: no slot 'nowhere'; known: duration"),
    ("intents:\n  a: []", "2:3: the intent 'a' has no sentences"),
    ("intents:\n  a:", "2:3: the intent 'a' has no sentences"),
    ("intents:\n  a: {slots: {x: y}}", "2:3: the intent 'a' has no sentences"),
    ("intents: {}", " no intents"),
    ("slots: {a: [x]}", " no intents"),
    ("intents: {a: x}\nslots:\n  s: []\nrules: {r: '{s}'}", "3:3: the slot 's' has no values"),
    ("context: {expressions: {a: []}}", "1:25: the intent 'a' has no sentences"),
    # What never ends, and what is too much
    ("intents: {a: x <b>}\nrules:\n  b: y <c>\n  c: z <b>", "4:8: a rule that never ends: <b> -> <c> -> <b>"),
    ("intents: {a: x}\nrules:\n  b: y <b>", "3:8: a rule that never ends: <b> -> <b>"),
    ("intents: {a: 'x {0..99999:n}'}", "1:17: a range of 100000 numbers, 10000 at most"),
    ("intents: {a: 'x {9..3:n}'}", "1:17: the range 9..3 in steps of 1 holds nothing"),
    ("intents: {a: '(a;b;c;d;e;f;g;h;i)'}", "1:15: more than 8 parts in any order"),
    ("intents: {a: " + "'x" + "[" * 13 + "a" + "]" * 13 + "'}", "more than 12 brackets inside each other"),
    ("intents: {a: 'x" + "(a|b|c|d)" * 7 + "'}", "more than 4000 words out of brackets that touch"),
    ("intents: {a: <r0>}\nrules:\n" + "".join(f"  r{n}: <r{n + 1}> x\n" for n in range(20)) + "  r20: y",
     "more than 10 rules that name each other"),
    ("intents: {a: <r0>}\nrules:\n  r9: y\n" + "".join(f"  r{n}: {f'<r{n + 1}> ' * 20}\n" for n in range(9)),
     f" 5.12e+11 words with all rules and slots written out, {MAX_WORDS:,} at most"),
    # Words
    ("intents:\n  a: 'turn on the привет'", "2:19: 'привет' has letters other than a to z"),
    ("intents:\n  a: 'costs 5 €'", "2:15: '€' can't be spoken"),
    ("language: de\nintents: {a: um 7}", "2:17: the number '7' must be written in words"),
    ("language: gl\nintents: {a: 'ás {0..3:n}'}", "2:18: nothing here spells numbers out in 'gl'; list them"),
    ("intents: {a: '[please]'}", "1:15: a sentence without a word"),
    ("intents: {a: 'x {s}'}\nslots:\n  s:\n    - y: '[z]'", "4:11: a value that can be said by saying nothing"),
    ("intents: {a: 'x {s}'}\nslots: {s: ['(y|z)']}", "2:14: a value with more than one way to say it needs a name"),
    ("intents: {a: 'x {s}'}\nslots: {s: [{y: 'a {t}'}], t: [z]}", "2:20: the slot 't' inside of another slot's value"),
    # Templates
    ("intents: {a: 'turn (on|off'}", "1:20: '(' is never closed; add ')'"),
    ("intents: {a: 'turn [on|off)'}", "1:27: ')' closes the '[' of column 20; use ']'"),
    ("intents: {a: 'turn on)'}", "1:22: ')' closes nothing"),
    ("intents: {a: 'turn ()'}", "1:20: nothing between '(' and ')'"),
    ("intents: {a: 'turn {on'}", "1:20: '{' begins no slot and no rule; a slot is written {name}"),
    ("intents: {a: 'turn {a b}'}", "1:20: '{' begins no slot"),
    ("intents: {a: 'turn {0..10}'}", "1:20: the range 0..10 fills no slot"),
    ("intents: {a: '(a|b;c)'}", "1:19: both | and ; in one group"),
    ("context: {expressions: {a: ['[x, y']}}", "1:30: '[' is never closed; add ']'"),
    ("context: {expressions: {a: ['$ x']}}", "1:30: '$' begins no slot and no rule; a slot is written $type:name"),
    # Keys
    ("intents: {a: x}\nslot: {}", "2:1: a grammar has no key 'slot'; did you mean 'slots'?"),
    ("intents: {a: {sentence: x}}", "1:15: the intent 'a' has no key 'sentence'; did you mean 'sentences'?"),
    ("intents: {a: 'x {s}'}\nslots: {s: {vales: [x]}}",
     "2:13: the slot 's' has no key 'vales'; did you mean 'values'?"),
    ("intents: {a: 'x {s}'}\nslots: {s: {range: {from: 1, too: 2}}}",
     "2:30: a range has no key 'too'; did you mean 'to'?"),
    ("intents: {a: 'x {s}'}\nslots: {s: {range: {from: 1}}}", "2:13: a range needs the key 'to'"),
    ("intents: {a: 'x {s}'}\nslots: {s: {range: {from: 1, to: ten}}}", "2:30: 'to' must be a whole number"),
    ("intents: {a: 'x {s}'}\nslots: {s: {wildcard: true}}", "2:13: the slot 's' takes any words"),
    ("context: {expressions: {a: [x]}, slot: {}}", "1:34: a Rhino context has no key 'slot'; did you mean 'slots'?"),
    ("intents: {a: x, b: y, a: z}", "1:23: the key 'a' stands in line 1 already"),
    ("intents: [a]", "1:1: 'intents' must be names with what belongs to each"),
    ("intents: {a: [[x]]}", "1:11: a sentence of 'a' must be a text"),
    ("intents: {a: 'x {s}'}\nslots: {s: y}", "2:9: the slot 's' has no values"),
    ("language: english\nintents: {a: x}", "1:1: the language must be two or three letters"),
    ("- a", " expected keys such as 'intents'"),
    ("language: [en]\nintents: {a: x}", "1:1: the language must be a text"),
    ("home_assistant: xx\nintents: {a: x}", "1:17: Home Assistant has no language 'xx'"),
    ("home_assistant: zh\nintents: {a: x}", "1:17: Home Assistant has no language 'zh'; did you mean 'zh-"),
    ("intents: {a: '{s}'}\nslots: {s: {range: {from: 0, to: 2, multiplier: half}}}", "2:37: 'multiplier' must be a number"),
    ("intents: {a: '{s}'}\nslots: {s: {range: {from: 0.5, to: 2}}}", "2:21: 'from' must be a whole number"),
    ("intents: {a: '{s}'}\nslots: {s: {range: {from: 0, to: 2, words_language: klingon}}}",
     "2:53: the language must be two or three letters"),
]


@pytest.mark.parametrize("text, message", ERRORS, ids=[message[:50] for _, message in ERRORS])
def test_errors_name_the_place_and_the_remedy(text, message):
    if text.startswith("home_assistant"):
        pytest.importorskip("home_assistant_intents")
    with pytest.raises(GrammarError) as caught:
        parse_grammar(text, source="my.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("my.yaml:") and "\n" not in str(caught.value)


def test_all_mistakes_come_together_in_the_order_of_the_file():
    with pytest.raises(GrammarError) as caught:
        parse_grammar("""\
intents:
  a: ["to {rom} <lihgt>", "(x", "<light>"]
  b: {sentence: x}
  c: [x, {sentences: "{room}", slots: {y: {}}}]
  b: y
rules:
  light: "(a|{nowhere})"
  loop: "x <loop>"
slots:
  room: [{vale: x}, "[a]", "(b|c)"]
slto: {}
""", source="my.yaml")
    problems = caught.value.problems
    assert [line.split(": ")[0] for line in problems] == [
        "my.yaml:2:11", "my.yaml:2:17", "my.yaml:2:28", "my.yaml:3:7", "my.yaml:4:40", "my.yaml:5:3", "my.yaml:7:14",
        "my.yaml:8:12", "my.yaml:10:22", "my.yaml:10:29", "my.yaml:11:1"], "\n".join(problems)
    assert str(caught.value) == f"{problems[0]} (and 10 more mistakes; speechzoo grammar FILE shows all)"


def test_all_mistakes_of_a_rhino_context():
    with pytest.raises(GrammarError) as caught:
        parse_grammar("context:\n  expressions:\n    a: ['$x:y', '[b', '@c']\n    d: e\n  slots: {}\n  slot: {}\n")
    assert [line.split(": ")[0] for line in caught.value.problems] == [
        f"grammar:{place}" for place in ("3:10", "3:18", "3:24", "4:5", "6:3")]


def test_blocks_may_have_lists_and_rules_of_their_own():
    found = said(parse_grammar("""\
        intents:
          a:
            data:
              - sentences: ["<go> {room}"]
                lists: {room: {values: [attic]}}
                expansion_rules: {verb: walk}
              - sentences: ["<go> to {room}"]
        lists: {room: {values: [hall]}}
        expansion_rules: {go: "<verb> <now>", verb: run, now: now}
        """))
    assert found == {"walk now attic": ("a", {"room": "attic"}), "run now to hall": ("a", {"room": "hall"})}


def test_anchors_and_merge_keys():
    found = said(parse_grammar("""\
        x-common: &common
          slots: {domain: light, place: here}
          sentences: &on [switch on]
        intents:
          a: [{<<: *common, slots: {domain: fan}}]
          b: {sentences: [turn it on]}
          c: *on
        """))
    assert found["turn it on"] == ("b", {}) and len(found) == 2
    grammar = parse_grammar("intents: {a: {<<: [&x {sentences: go}, {slots: {b: c}, sentences: no}]}, d: [*x]}")
    assert said(grammar) == {"go": ("d", {})} and grammar.slots() == {"b": ["c"]}


def test_language_tags():
    for written, tag in (("en-GB", "en-GB"), ("en_gb", "en-GB"), ("sr-latn", "sr-Latn"), ("fil", "fil")):
        assert parse_grammar(f"language: {written}\nintents: {{a: x}}").language == tag
    assert "set to five" in said(parse_grammar("language: en-GB\nintents: {a: 'set to 5', b: 'at {time}'}"))


def test_words_that_may_be_skipped_stand_before_and_behind_a_sentence():
    found = said(parse_grammar("intents: {a: stop}\nskip_words: [please, for me]"))
    assert set(found) == {f"{before} stop {behind}".strip() for before in ("", "please", "for me")
                          for behind in ("", "please", "for me")}


def test_letters_touch_slots_and_rules():
    found = said(parse_grammar("""\
        intents:
          a: ["{room}'s light", "un{room:from}[es] <the>{room:to}"]
        rules: {the: "[the |pre]"}
        slots: {room: [hall, {living room: ["[big ]living room"]}]}
        """))
    assert found["living room's light"] == ("a", {"room": "living room"})
    assert found["unbig living roomes the hall"] == ("a", {"from": "living room", "to": "hall"})
    assert found["unhall preliving room"] == ("a", {"from": "hall", "to": "living room"})
    assert len(found) == 3 + 3 * 2 * 3 * 3


def test_an_article_with_an_apostrophe_is_written_with_its_word():
    found = said(parse_grammar("""\
        language: it
        intents: {a: "accendi <the> {room}"}
        rules: {the: "(la |l'[ ])"}
        slots: {room: [entrata]}
        """))
    assert set(found) == {"accendi l'entrata", "accendi la entrata"}


def test_scripts_without_blanks():
    found = said(parse_grammar("language: zh-CN\nintents: {a: '打开{room}(灯|的灯)[TV]'}\nslots: {room: [厨房]}"))
    assert set(found) == {f"打 开 厨 房 {light}{tv}" for light in ("灯", "的 灯") for tv in ("", " tv")}


def test_ranges_in_other_languages():
    found = said(parse_grammar("language: de\nintents: {a: 'auf {s}'}\nslots: {s: {range: {from: -2, to: 21, fractions: "
                               "halves, multiplier: 0.5}}}"))
    assert found["auf einundzwanzig"] == ("a", {"s": "10.5"}) and found["auf minus zwei"] == ("a", {"s": "-1"})
    assert found["auf minus eins komma fünf"] == ("a", {"s": "-0.75"})
    assert found["auf zwanzig komma fünf"] == ("a", {"s": "10.25"})
    found = said(parse_grammar("intents: {a: 'x {s}'}\nslots: {s: {range: {from: 3, to: 3, words_language: fr}}}"))
    assert found == {"x trois": ("a", {"s": "3"})}


def test_hassils_captures_fill_no_slot_and_its_values_need_no_name():
    found = said(parse_grammar("intents: {a: 'x {@s} {s:@t}'}\nlists: {s: {values: ['(u|v)', {in: 'w[x]', out: [y, z]}]}}"))
    assert found["x u wx"] == ("a", {}) and len(found) == 16
    grammar = parse_grammar("intents: {a: 'x {s}'}\nlists: {s: {values: ['(u|v)', {in: 'w[x]', out: [y, z]}]}}")
    assert grammar.slots() == {"s": ["u", "y, z"]}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([HOME, RHINO]), st.integers(0, 700), st.integers(0, 5),
       st.text("abr <>[](){}|;:,.'\"#&*-\n\\$@0é", max_size=4))
def test_a_spoilt_file_is_read_or_refused_in_one_line(text, start, length, written):
    try:
        parse_grammar(text[:start] + written + text[start + length:], source="my.yaml")
    except GrammarError as error:
        assert str(error).startswith("my.yaml") and "\n" not in str(error)


def test_ten_million_sentences_are_no_matter():
    grammar = parse_grammar("intents: {a: '" + " ".join(f"(a|b|c|{word})" for word in "defghijklmno") + "'}")
    assert count_sentences(grammar) == 4 ** 12 > 10_000_000


def test_files_and_names(tmp_path):
    path = tmp_path / "my_home.yaml"
    path.write_text(HOME)
    assert load_grammar(path).name == "my_home" and load_grammar(str(path)).name == "my_home"
    assert load_grammar("smart_speaker").name == "smart_speaker"
    assert "smart_speaker" in list_grammars()
    path.write_text("intents: {a: ]")
    with pytest.raises(GrammarError, match=f"{path}:1:14: not valid YAML"):
        load_grammar(path)
    path.write_bytes(b"intents:\n  a: \xff")
    with pytest.raises(GrammarError, match=f"{path}:2: not UTF-8"):
        load_grammar(path)
    with pytest.raises(GrammarError, match="missing.yaml: no such grammar file"):
        load_grammar(tmp_path / "missing.yaml")
    with pytest.raises(GrammarError, match="no grammar 'smart_speker'; did you mean 'smart_speaker'"):
        load_grammar("smart_speker")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(GrammarError, match="folder.yaml: Is a directory"):
        load_grammar(tmp_path / "folder.yaml")
