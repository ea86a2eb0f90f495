"""A voice that a speech engine has."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Voice:
    """A voice of an engine.

    Attributes:
        engine: Name of the engine in `ENGINES`.
        name: What the engine calls it.
        talker: Who is heard. Two voices of one talker differ in accent or technique only, so they belong on the same
            side of a split.
        language: BCP 47 tag, such as `en-us`.
        gender: `female` or `male`, None when the engine doesn't say.
        path: The file that holds it, where its user names files.
    """

    engine: str
    name: str
    talker: str
    language: str = "en"
    gender: str | None = None
    path: str | None = None

    def __str__(self):
        return f"{self.engine}:{self.name}"


def recorded_talker(name: str) -> str:
    """Who was recorded for a voice of the Festival family: `cmu_us_slt_arctic_hts` and `slt` are one woman.

    Example:
        >>> recorded_talker("cmu_us_slt_arctic_hts"), recorded_talker("kal16"), recorded_talker("kal_diphone")
        ('slt', 'kal', 'kal')
    """
    return re.sub(r"^cmu_[a-z]{2}_", "", name).split("_")[0].rstrip("0123456789")
