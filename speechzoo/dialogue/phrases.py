"""What every dialogue understands and says, unless its file says otherwise."""

from speechzoo.text.language import primary_language

SENTENCES = {
    "yes": ["(yes|yeah|yep|sure|okay|right|correct|exactly) [please]", "yes (it is|that's right|do|go ahead)",
            "that's (right|correct)", "(do it|go ahead)"],
    "no": ["(no|nope) [(thanks|thank you)]", "no it (isn't|is not)", "that's (wrong|not right)"],
    "cancel": ["cancel [(it|that)]", "(forget|never mind) [(it|that|about it)]", "stop [it]"],
    "repeat": ["(repeat that|say that again|say it again|pardon|come again)", "(what did you say|what was that)"],
    "correct": ["(no|actually|sorry|no sorry|no actually) [(i mean|i meant|make (it|that))]",
                "(i mean|i meant|make (it|that))"],
    "again": ["(and|and now|also)", "[and] (what|how) about"],
}
"""`SENTENCES` are templates; `correct` and `again` are beginnings, which an answer to a question follows."""
REPLIES = {"sorry": "Sorry?", "cancelled": "All right.", "gave_up": "Never mind."}
"""`REPLIES` are said where nothing was understood, after "cancel", and after too many attempts."""


def defaults(language: str) -> tuple[dict, dict]:
    """The sentences and replies of a language tag; of others than English, none."""
    return (SENTENCES, REPLIES) if primary_language(language) == "en" else ({}, {})
