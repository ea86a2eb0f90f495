from speechzoo.text.phones import phones_of


def test_phones_of():
    lexicon = {"read": [["R", "EH", "D"], ["R", "IY", "D"]], "it's": [["IH", "T", "S"]]}
    assert phones_of("It's read.", lexicon) == "IH T S R EH D"
    assert phones_of("it's red", lexicon) is None
    assert phones_of("", lexicon) == ""
