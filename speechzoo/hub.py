"""Models on the Hugging Face hub: `hf://owner/name`, at a revision that is pinned when it is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SCHEME = "hf://"
_NAME = re.compile(r"hf://([\w.\-]+/[\w.\-]+)(?:@([\w.\-/]+))?", re.ASCII)


@dataclass(frozen=True)
class HubFolder:
    """Files of a model on the hub, on this computer.

    Attributes:
        folder: Where they lie.
        name: `owner/name`.
        revision: The commit that they are of.
    """

    folder: Path
    name: str
    revision: str

    def __str__(self):
        return f"{SCHEME}{self.name}@{self.revision}"


def is_on_hub(source) -> bool:
    """Whether `source` names a model on the hub."""
    return str(source).startswith(SCHEME)


def download(source: str, choose: Callable[[list[str]], list[str]]) -> HubFolder:
    """Fetches files of a model on the hub, or takes them from the hub's cache on this computer.

    What was fetched in part goes on where it stopped. A token is taken from where the hub's own programs keep it
    (`hf auth login`, `HF_TOKEN`), another server from `HF_ENDPOINT`.

    Args:
        source: `hf://owner/name`, or `hf://owner/name@REVISION` for a branch, a tag or a commit.
        choose: Names of the model's files outside of folders -> those to fetch, one at least.

    Raises:
        ValueError: Another form of name; or what `choose` raises.
        ModuleNotFoundError: The hub's package isn't installed; the message says how to.
        OSError: There is no such model or revision, it isn't open to this user, or the hub can't be reached.
    """
    match = _NAME.fullmatch(source)
    if not match:
        raise ValueError(f"{source}: a model on the hub is named hf://owner/name or hf://owner/name@revision")
    name, revision = match.groups()
    client = _client()
    client.utils.disable_progress_bars()
    details = _asked(source, lambda: client.HfApi().model_info(name, revision=revision))
    files = choose([file.rfilename for file in details.siblings or [] if "/" not in file.rfilename])
    paths = [Path(_asked(source, lambda: client.hf_hub_download(name, file, revision=details.sha))) for file in files]
    return HubFolder(paths[0].parent, name, details.sha)


def _client():
    try:
        import huggingface_hub.utils
    except ModuleNotFoundError:
        raise ModuleNotFoundError("models on the hub are fetched by a package that isn't installed: pip install "
                                  "speechzoo[hub]") from None
    return huggingface_hub


def _asked(source, ask):
    """The answer of the hub; an error of one line, without the addresses and headers that its client's hold."""
    try:
        return ask()
    # Its client raises what the transport of its version raises.
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        problem = {401: "no such model, or not without a token (hf auth login)",
                   403: "this token doesn't open it; ask for access on its page",
                   404: "no such model or revision"}.get(status)
        problem = problem or (f"the hub answers with status {status}; try again later" if status else
                              f"the hub can't be reached ({type(error).__name__}); check the connection, or download "
                              "its files elsewhere and give their folder")
        raise OSError(f"{source}: {problem}") from None
