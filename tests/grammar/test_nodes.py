from speechzoo.grammar.nodes import NOTHING, Choice, Grammar, Sequence, Slot, Value, Words


def test_slots_gather_values_through_shared_nodes():
    rooms = Choice((Value("kitchen", Words("kitchen")), Value("bedroom", Choice((Words("bedroom"), Words("my room"))))))
    lights = Sequence((Words("lights on"), Choice((NOTHING, Sequence((Words("in the"), Slot("room", rooms)))))))
    move = Sequence((Words("from"), Slot("origin", rooms), Words("to"), Slot("target", rooms)))
    grammar = Grammar("home", {"lightsOn": lights, "move": move})
    assert grammar.slots() == {name: ["kitchen", "bedroom"] for name in ("room", "origin", "target")}
