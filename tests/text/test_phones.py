from collections import Counter

from speechzoo.text.letter_to_sound import GuessingLexicon
from speechzoo.text.phones import phones_of


def test_phones_of():
    lexicon = {"read": [["R", "EH", "D"], ["R", "IY", "D"]], "it's": [["IH", "T", "S"]]}
    assert phones_of("It's read.", lexicon) == "IH T S R EH D"
    assert phones_of("it's red", lexicon) is None
    assert phones_of("", lexicon) == ""


def test_words_that_no_lexicon_has_are_guessed_and_counted():
    guessed = Counter()
    lexicon = GuessingLexicon({"it's": [["IH", "T", "S"]]})
    assert phones_of("It's spotify, spotify.", lexicon, guessed=guessed) == "IH T S" + " S P AO T AH F AY" * 2
    assert guessed == {"spotify": 2}
    assert phones_of("it's \u0434\u0432\u0430", lexicon, "ru", guessed) is None and guessed == {"spotify": 2}
