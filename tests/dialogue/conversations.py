"""Twelve scripted conversations with `examples/dialogue/home.yaml`, for tests by text and by voice.

A turn is (what is said, or None for a silence; what the assistant says; what is done, or None). Where a person is named,
several talk: "anna> ...".
"""

from pathlib import Path

HOME = Path(__file__).parents[2] / "examples" / "dialogue" / "home.yaml"


def timer(seconds, **slots):
    return "setTimer", {"duration": str(seconds), **slots}


CONVERSATIONS = {
    "all in one": [("set a timer for ten minutes", "The timer is set for ten minutes.", timer(600))],
    "a missing slot is asked for": [
        ("set a pasta timer", "For how long?", None),
        ("for nine minutes", "The pasta timer is set for nine minutes.", timer(540, timer="pasta"))],
    "two missing slots": [
        ("set the heating", "In which room?", None),
        ("the bathroom", "To how many degrees?", None),
        ("twenty degrees", "Twenty degrees in the bathroom.", ("heat", {"room": "bathroom", "degrees": "20"}))],
    "corrected while the next slot is asked for": [
        ("set the heating", "In which room?", None),
        ("in the bathroom", "To how many degrees?", None),
        ("no the kitchen", "To how many degrees?", None),
        ("to twenty", "Twenty degrees in the kitchen.", ("heat", {"room": "kitchen", "degrees": "20"}))],
    "corrected after it was done": [
        ("set a timer for twelve minutes", "The timer is set for twelve minutes.", timer(720)),
        ("no, ten minutes", "The timer is set for ten minutes.", timer(600))],
    "confirmed": [
        ("unlock the front door", "Unlock the front door?", None),
        ("yes please", "The front door is open.", ("unlockDoor", {"door": "front"}))],
    "corrected in place of a yes": [
        ("unlock the door", "Which door?", None),
        ("front", "Unlock the front door?", None),
        ("no the back door", "Unlock the back door?", None),
        ("that's right", "The back door is open.", ("unlockDoor", {"door": "back"}))],
    "not confirmed, and cancelled": [
        ("unlock the garage door", "Unlock the garage door?", None),
        ("no", "Which door?", None),
        ("never mind", "All right.", None),
        ("yes", "Sorry?", None)],
    "a silence, a wrong word, and no more patience": [
        ("turn on the light", "In which room?", None),
        (None, "In which room?", None),
        ("ten minutes", "Sorry? In which room?", None),
        (None, "Never mind.", None),
        ("kitchen", "Sorry?", None)],
    "the last turn goes on": [
        ("turn on the light in the lounge", "The light is on in the living room.", ("lightsOn", {"room": "living room"})),
        ("and in the kitchen?", "The light is on in the kitchen.", ("lightsOn", {"room": "kitchen"})),
        ("what about the bedroom", "The light is on in the bedroom.", ("lightsOn", {"room": "bedroom"}))],
    "a second state, and said again": [
        ("good night", "Good night. Shall I lock the doors?", ("goodNight", {})),
        ("what did you say", "Good night. Shall I lock the doors?", None),
        ("yes", "All doors are locked.", ("lockDoors", {}))],
    "two people": [
        ("anna> set a timer", "For how long?", None),
        ("ben> turn off the light", "In which room?", None),
        ("anna> three minutes", "The timer is set for three minutes.", timer(180)),
        ("ben> bedroom", "The light is off in the bedroom.", ("lightsOff", {"room": "bedroom"})),
        ("anna> no, five minutes", "The timer is set for five minutes.", timer(300)),
        ("ben> and in the kitchen", "The light is off in the kitchen.", ("lightsOff", {"room": "kitchen"}))],
}
