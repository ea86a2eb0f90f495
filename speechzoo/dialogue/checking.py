"""What could never work in a dialogue: found when it is read, not when somebody speaks."""

from speechzoo.dialogue.definition import END, Dialogue
from speechzoo.dialogue.slots import SlotTable
from speechzoo.names import nearest


def check(dialogue: Dialogue, table: SlotTable, places: dict, states: dict):
    """Refuses states that nothing leads to, dialogues without an end, and prompts with slots that nobody fills.

    Args:
        dialogue: The dialogue.
        table: What its grammar's intents fill.
        places: (state, intent) -> the intent and its keys as they stand in the file.
        states: State -> its name as it stands in the file.

    Raises:
        GrammarError: Names line and column.
    """
    _check_ways(dialogue, states)
    certain, possible = _slots_of_states(dialogue, table)
    for state, answers in dialogue.states.items():
        for intent, answer in answers.items():
            place, keys = places[state, intent]
            filled, may = certain[state] | _certain(table, intent, answer), possible[state] | _possible(table, intent,
                                                                                                       answer)
            for name in ("confirm", "say"):
                _check_prompt(getattr(answer, name), filled, may, next((key for key in keys if key == name), place))
    for slot, question in dialogue.slots.items():
        if question.ask is not None:
            askers = [(state, intent) for state, answers in dialogue.states.items()
                      for intent, answer in answers.items() if slot in answer.needs]
            for state, intent in askers:
                answer = dialogue.states[state][intent]
                before = set(answer.needs[:answer.needs.index(slot)])
                filled = certain[state] | table.certain.get(intent, frozenset()) | before
                _check_prompt(question.ask, filled, possible[state] | _possible(table, intent, answer),
                              places[state, intent][0], f"the question for '{slot}' ")


def _check_ways(dialogue, states):
    ways = {state: {answer.next for answer in answers.values()} for state, answers in dialogue.states.items()}
    reached, waiting = {dialogue.start}, [dialogue.start]
    for state in waiting:
        new = ways[state] - reached - {END}
        reached |= new
        waiting += sorted(new)
    for state in ways:
        if state not in reached:
            raise states[state].error(f"nothing leads to the state '{state}'; name it as 'next:' of an answer, or take "
                                      "it out")
    ending = {state for state in ways if END in ways[state]}
    while more := {state for state in ways if state not in ending and ways[state] & ending}:
        ending |= more
    for state in ways:
        if state not in ending:
            raise states[state].error(f"a dialogue that can never end: no answer leads from '{state}' to '{END}'; "
                                      "leave 'next:' out of one of its answers")


def _certain(table, intent, answer):
    return table.certain.get(intent, frozenset()) | set(answer.needs)


def _possible(table, intent, answer):
    return table.possible.get(intent, frozenset()) | set(answer.needs)


def _slots_of_states(dialogue, table):
    """State -> slots that are surely filled on every way to it, and slots that may be."""
    everything = frozenset().union(*table.possible.values(), dialogue.slots)
    certain = {state: everything for state in dialogue.states} | {dialogue.start: frozenset()}
    possible = {state: frozenset() for state in dialogue.states}
    changed = True
    while changed:
        changed = False
        for state, answers in dialogue.states.items():
            for intent, answer in answers.items():
                if answer.next in (END, dialogue.start):
                    continue
                sure = certain[answer.next] & (certain[state] | _certain(table, intent, answer))
                may = possible[answer.next] | possible[state] | _possible(table, intent, answer)
                if (sure, may) != (certain[answer.next], possible[answer.next]):
                    certain[answer.next], possible[answer.next], changed = sure, may, True
    return certain, possible


def _check_prompt(prompt, filled, may, place, what=""):
    if prompt is None:
        return
    for slot in sorted(prompt.required | prompt.optional):
        if slot not in may:
            raise place.error(f"{what}names the slot '{slot}', which nobody fills; {nearest(slot, may)}")
    for slot in sorted(prompt.required - set(filled)):
        raise place.error(f"{what}names the slot '{slot}', which not every sentence fills; ask for it under 'needs:', "
                          f"or write it in brackets, as in '[ in the {{{slot}}}]'")
