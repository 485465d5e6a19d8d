"""Downloads missing parts of a pack, after it has shown them and asked.

A part is downloaded into a folder `NAME.unfinished`, in which an interrupted download resumes, and
is moved to its place when all files are complete.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from frostbench.bench.cli.config import UsageError
from frostbench.bench.cli.pack_parts import CONVERTED, FileFacts, HubFolder, PackPart
from frostbench.bench.printable import complain, say
from frostbench.plugins.host.errors import describe
from frostbench.plugins.host.packs import sha256_of

CARD = "card.json"  # left out of a folder's digest
FORBIDDEN = (401, 403)


@dataclass(frozen=True)
class FetchedPart:
    """The files of a part as they can be downloaded; `place` is their path below the root.

    `repo` and `commit` name a repository of the Hub; both are empty for files from elsewhere.
    """

    part: str
    place: str
    files: Mapping[str, FileFacts]
    licence: str
    repo: str = ""
    commit: str = ""

    @property
    def size(self) -> int:
        """All its bytes."""
        return sum(file.size for file in self.files.values())

    @property
    def unfinished(self) -> str:
        """The folder of its unfinished download, below the root."""
        return f"{self.place or next(iter(self.files))}.unfinished"


def fetch_parts(parts: Mapping[str, PackPart], root: Path, *, agreed: bool) -> bool:
    """Download the missing parts, where that is possible; return whether none failed.

    The parts are shown first and the user is asked, unless it is `agreed` already.

    Raises:
        UsageError: the user must be asked, and there is no terminal.
    """
    wanted = {
        name: part
        for name, part in parts.items()
        if part.missing(root) and not part.converted(root, root / CONVERTED / name)
    }
    found = {name: _looked_up(name, part, root) for name, part in wanted.items() if _online(part)}
    plans = [plan for plan in found.values() if plan is not None]
    for name, part in wanted.items():
        if name not in found:
            addresses = [file.url for file in part.published.values() if file.url]
            say(f"{name}: by hand: {' or '.join([part.source, *addresses])}")
    if not plans:
        say("nothing to download")
        return not found
    for plan in plans:
        _show(plan, root)
    if not agreed and not _asked(sum(plan.size for plan in plans), root):
        say("nothing was downloaded")
        return True
    failed = [plan.part for plan in plans if not _download(plan, root)]
    return not failed and len(plans) == len(found)


def origin_of(folder: Path) -> str:
    """Repository and commit of a folder that was downloaded; "" for any other."""
    try:
        said = json.loads((folder / CARD).read_bytes())
        return f"{said['repo']}@{said['commit']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _online(part: PackPart) -> bool:
    """Whether it is on the Hub, or at addresses with known checksums."""
    return part.hub is not None or bool(_addressed(part))


def _addressed(part: PackPart) -> dict[str, FileFacts]:
    """The files of a part that can be downloaded by address."""
    places = [place for choice in part.files.values() for place in choice]
    return {
        name: file
        for name, file in part.published.items()
        if file.url and file.sha256 and file.size and name in places
    }


def _looked_up(name: str, part: PackPart, root: Path) -> FetchedPart | None:
    """The files of a part, with their sizes; None, and a message, where they are not available."""
    if part.hub is None:
        return FetchedPart(name, "", _addressed(part), part.licence)
    from huggingface_hub import HfApi, hf_hub_url

    hub, endpoint = part.hub, os.environ.get("HF_ENDPOINT")
    try:
        api = HfApi(endpoint=endpoint)
        info = api.model_info(hub.repo, revision=hub.revision, files_metadata=True)
    except Exception as error:  # the client's own, and those of what it is built on
        _by_hand(name, hub, root, error)
        return None
    commit = str(info.sha)
    there = {
        file.rfilename: FileFacts(
            file.lfs.sha256 if file.lfs else "",
            file.size or 0,
            hf_hub_url(hub.repo, file.rfilename, revision=commit, endpoint=endpoint),
        )
        for file in info.siblings or []
    }
    absent = [file for file in hub.files if file not in there]
    if absent:
        _by_hand(name, hub, root, f"it has no {', '.join(absent)} at {commit}")
        return None
    licence = part.licence + ("; its authors give access on asking" if info.gated else "")
    files = {file: there[file] for file in hub.files}
    return FetchedPart(name, hub.folder, files, licence, hub.repo, commit)


def _by_hand(name: str, hub: HubFolder, root: Path, why: Exception | str) -> None:
    complain(
        f"frostbench: {name}: {hub.repo} ({hub.revision}) cannot be had from the Hub: "
        f"{_reason(why, hub.repo)}; put {', '.join(hub.files)} into {root / hub.folder} by hand."
    )


def _reason(error: Exception | str, repo: str) -> str:
    if isinstance(error, str):
        return error
    if getattr(getattr(error, "response", None), "status_code", None) in FORBIDDEN:
        return (
            f"it is gated or private (ask for access at https://huggingface.co/{repo}, and "
            "log in with `hf auth login`)"
        )
    if type(error).__name__ == "OfflineModeIsEnabled":
        return "HF_HUB_OFFLINE is set"
    return describe(error)


def _show(plan: FetchedPart, root: Path) -> None:
    origin = f"{plan.repo} at {plan.commit}" if plan.repo else "its authors' address"
    place = root / plan.place
    begun = ", goes on" if (root / plan.unfinished).is_dir() else ""
    say(f"{plan.part}: {origin} ({plan.licence}), {_bytes(plan.size)}, into {place}{begun}")
    for name, file in plan.files.items():
        say(f"  {_bytes(file.size):>8}  {name if plan.repo else file.url}")


def _asked(size: int, root: Path) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            f"{_bytes(size)} would be downloaded into {root}, and there is no terminal to ask at; "
            "add yes=true."
        )
    try:
        answer = input(f"Download {_bytes(size)} into {root}? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}


def _download(plan: FetchedPart, root: Path) -> bool:
    """Download the files of a part and put them in their place; return whether it worked."""
    unfinished = root / plan.unfinished
    try:
        _begin(unfinished, plan)
        for name, file in plan.files.items():
            # The user's login is for the Hub alone.
            _get(file, unfinished / name, None if plan.repo else False)
        if plan.repo:
            unfinished.rename(root / plan.place)
        else:
            for name in plan.files:
                (unfinished / name).rename(root / name)
            shutil.rmtree(unfinished)
    except Exception as error:  # the client's own, and those of what it is built on
        names = ", ".join(plan.files if plan.repo else [file.url for file in plan.files.values()])
        complain(
            f"frostbench: {plan.part}: {plan.repo or 'the download'} ended: "
            f"{_reason(error, plan.repo)}; the same command goes on from here, or put {names} into "
            f"{root / plan.place} by hand."
        )
        return False
    say(f"{plan.part}: downloaded")
    return True


def _begin(unfinished: Path, plan: FetchedPart) -> None:
    """Make the folder, or keep it if it holds an earlier download of the same files."""
    card: dict[str, Any] = {
        "repo": plan.repo,
        "commit": plan.commit,
        "files": {name: asdict(file) for name, file in plan.files.items()},
    }
    text = json.dumps(card, indent=2) + "\n"
    kept = unfinished / CARD
    if not kept.is_file() or kept.read_text(encoding="utf-8") != text:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        kept.write_text(text, encoding="utf-8")


def _get(file: FileFacts, path: Path, token: bool | None) -> None:
    """Download one file, resuming an earlier download; without a token if `token` is false.

    Raises:
        ValueError: another file was downloaded.
    """
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    if path.is_file():
        return
    part = path.with_name(f"{path.name}.part")
    # A compressed transfer could not be resumed.
    headers = {**build_hf_headers(token=token), "Accept-Encoding": "identity"}
    with part.open("ab") as out:
        begun = out.tell()
        http_get(file.url, out, resume_size=begun, headers=headers, expected_size=file.size)
    if file.sha256 and sha256_of(part) != file.sha256:
        part.unlink()
        raise ValueError(f"{path.name} came with another SHA-256 than {file.sha256}")
    part.rename(path)


def _bytes(count: int) -> str:
    """A number of bytes for people.

    >>> [_bytes(count) for count in (0, 999, 1_234, 13_476_876_272)]
    ['0 bytes', '999 bytes', '1.2 kB', '13.5 GB']
    """
    units: Sequence[tuple[float, str]] = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
    for unit, name in units:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"
