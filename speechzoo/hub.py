"""Models on the Hugging Face hub, `hf://owner/name`: read at a revision that is pinned then, and written."""

import json
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
    name, revision = _parse(source)
    client = _client()
    details = _asked(source, lambda: client.HfApi().model_info(name, revision=revision))
    files = choose([file.rfilename for file in details.siblings or [] if "/" not in file.rfilename])
    paths = [Path(_asked(source, lambda: client.hf_hub_download(name, file, revision=details.sha))) for file in files]
    return HubFolder(paths[0].parent, name, details.sha)


def upload(folder: str | Path, target: str, message: str) -> str:
    """Uploads all files of a folder as one commit to a model on the hub, which is made where there is none.

    Files that are there already are not sent again, nor those that an upload which was cut off had brought there. Who
    may write is known from the token, which is taken from where `download` takes it.

    Args:
        folder: The folder.
        target: `hf://owner/name`.
        message: What the commit says.

    Returns:
        Address of the model's page.

    Raises:
        ValueError: Another form of name, or one with a revision.
        ModuleNotFoundError: The hub's package isn't installed; the message says how to.
        OSError: This user may not write there, or the hub can't be reached.
    """
    check_target(target)
    name, _ = _parse(target)
    client = _client()
    # What its client remarks on the way, such as that nothing has changed, isn't for whoever calls this.
    client.utils.logging.set_verbosity_error()
    page = _asked(target, lambda: client.HfApi().create_repo(name, exist_ok=True), _REFUSED_UPLOADS)
    _asked(target, lambda: client.HfApi().upload_folder(repo_id=name, folder_path=folder, commit_message=message),
           _REFUSED_UPLOADS)
    return str(page)


def check_target(target: str):
    """Raises ValueError where `target` is no place to upload to, ModuleNotFoundError without the hub's package."""
    if _parse(target)[1]:
        raise ValueError(f"{target}: models are uploaded to the main branch; leave the revision out")
    _client()


def _parse(source):
    """`owner/name` and the revision, None without one."""
    match = _NAME.fullmatch(source)
    if not match:
        raise ValueError(f"{source}: a model on the hub is named hf://owner/name or hf://owner/name@revision")
    return match.groups()


def _client():
    try:
        import huggingface_hub.utils
    except ModuleNotFoundError:
        raise ModuleNotFoundError("the hub is reached by a package that isn't installed: pip install "
                                  "speechzoo[hub]") from None
    huggingface_hub.utils.disable_progress_bars()
    return huggingface_hub


# Status of an answer -> what it means.
_REFUSED = {401: "no such model, or not without a token (hf auth login)",
            403: "this token doesn't open it; ask for access on its page",
            404: "no such model or revision"}
_REFUSED_UPLOADS = {401: "not without a token that may write (hf auth login)",
                    403: "this token may not write there; make one that may (hf auth login), or take a name of yours",
                    404: "no such user or organisation, or this token doesn't know it"}


def _asked(source, ask, refused=_REFUSED):
    """The answer of the hub; an error of one line, without the addresses and headers that its client's hold."""
    try:
        return ask()
    # Its client raises what the transport of its version raises.
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError) and status is None:
            # Of the card's metadata or of the name, before anything is sent.
            raise ValueError(f"{source}: refused: {' '.join(str(error).split())[:200]}") from None
        remedy = "or download its files elsewhere and give their folder" if refused is _REFUSED else "and try again"
        problem = refused.get(status) or (f"the hub answers with status {status}; try again later" if status else
                                          f"the hub can't be reached ({type(error).__name__}); check the connection, "
                                          f"{remedy}")
        raise OSError(f"{source}: {problem}") from None
