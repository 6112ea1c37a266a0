"""Releases in files: YAML of a route each, its prompt's texts in files beside it. Read with places, and written."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from holdfast.changes.model import ChangeClass
from holdfast.evals.rules.located import Broken, Fault, Place, from_yaml, plain
from holdfast.registry.model import Kind

_yaml: Any = yaml
IS_ROUTE = (".yaml", ".yml")
FIELDS = ("route", "title", "rationale", "ticket", "class", "class_because", "names", "release")
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_TYPED = re.compile(r"^(.*) - at `\$\.?(.*)`$", re.DOTALL)
_POSITION = re.compile(r"line (\d+), column (\d+): (.*)", re.DOTALL)
_MESSAGE = re.compile(r"prompt\.messages\[(\d+)\](?:\.content)?")


@dataclass(frozen=True, slots=True)
class RouteFile:
    """What a file says of a route. `release` is as in a gateway's configuration; `texts`: message → the file of its text."""

    place: Place
    route: str
    title: str
    rationale: str
    ticket: str
    declared: ChangeClass | None
    class_because: str
    names: Mapping[Kind, str]
    release: Mapping[str, Any]
    written: Any = None
    texts: Mapping[int, str] = field(default_factory=dict)

    def fault(self, where: str, what: str) -> Fault:
        """What is wrong with its release, in the file and line where that is written."""
        typed = _TYPED.match(what)
        if where == "release" and typed:
            what, where = typed[1], typed[2]
        message = _MESSAGE.match(where)
        position = _POSITION.match(what)
        if message and position and int(message[1]) in self.texts:
            file = self.texts[int(message[1])]
            return Fault(file, int(position[1]), int(position[2]), where, position[3])
        at, value = self.place.of(self.written, "release"), self.written["release"]
        for index, name in _STEP.findall(where):
            key: str | int = int(index) if index else name
            found = isinstance(value, list) and index and int(index) < len(value)
            if not found and not (isinstance(value, dict) and key in value):
                break
            at, value = at.of(value, key), value[key]
        return Fault(at.file, at.line, at.column, f"release.{where}", what)


@dataclass(frozen=True, slots=True)
class Read:
    """The routes that files speak of; none where anything is wrong."""

    routes: tuple[RouteFile, ...]
    faults: tuple[Fault, ...]


def read(files: Mapping[str, bytes]) -> Read:
    """All files together, by path; those that no YAML file names are passed over."""
    made: list[RouteFile] = []
    faults: list[Fault] = []
    for path in sorted(files):
        if not path.endswith(IS_ROUTE):
            continue
        try:
            written = from_yaml(files[path])
        except Broken as error:
            faults.append(Fault(path, error.line, error.column, "", error.what))
            continue
        one = _route(Place(path, 1, 1), written, files, faults)
        if one is not None:
            made.append(one)
    seen: dict[str, RouteFile] = {}
    for one in made:
        if one.route in seen:
            other = seen[one.route].place.file
            faults.append(
                one.place.fault(f"{other} speaks of the route {one.route} already; keep one of them")
            )
        seen.setdefault(one.route, one)
    if not made and not faults:
        faults.append(Fault("", None, None, "", "there is no release here: no .yaml file with a route"))
    return Read(() if faults else tuple(made), tuple(faults))


def _route(place: Place, written: Any, files: Mapping[str, bytes], faults: list[Fault]) -> RouteFile | None:
    if not isinstance(written, dict):
        faults.append(place.fault(f"a file is a mapping of {', '.join(FIELDS)}"))
        return None
    before = len(faults)
    faults += [
        place.of(written, name).fault(f"there is no such field; they are {', '.join(FIELDS)}")
        for name in written
        if name not in FIELDS
    ]
    for name in ("route", "title", "rationale", "ticket", "class", "class_because"):
        if not isinstance(written.get(name, ""), str):
            faults.append(place.of(written, name).fault("this is text; put it in quotes"))
    if not written.get("route"):
        faults.append(place.fault("say which route it is: route: chat"))
    names = written.get("names") or {}
    kinds = ", ".join(Kind)
    for kind in names if isinstance(names, dict) else {}:
        if kind not in set(Kind) or not isinstance(names[kind], str):
            at = place.of(written, "names").of(names, kind)
            faults.append(at.fault(f"names are kind: name; kinds are {kinds}"))
    if not isinstance(names, dict):
        faults.append(place.of(written, "names").fault(f"names are kind: name; kinds are {kinds}"))
    declared = written.get("class")
    if isinstance(declared, str) and declared not in set(ChangeClass):
        faults.append(place.of(written, "class").fault(f"a class is one of {', '.join(ChangeClass)}"))
    release = written.get("release")
    if not isinstance(release, dict):
        faults.append(place.of(written, "release").fault("say what answers: release: {chain: [...], ...}"))
        return None
    said = plain(release)
    texts = _filled(place, written, said, files, faults)
    if len(faults) > before:
        return None
    return RouteFile(
        place,
        written["route"],
        written.get("title", "").strip() or f"{written['route']}: from {place.file}",
        written.get("rationale", ""),
        written.get("ticket", ""),
        ChangeClass(declared) if declared else None,
        written.get("class_because", ""),
        {Kind(kind): name for kind, name in names.items()},
        said,
        written,
        texts,
    )


def _filled(
    place: Place, written: Any, said: dict[str, Any], files: Mapping[str, bytes], faults: list[Fault]
) -> dict[int, str]:
    """Puts the texts of files in the place of the messages that name them; which file each is from."""
    found: dict[int, str] = {}
    prompt = said.get("prompt")
    messages = prompt.get("messages") if isinstance(prompt, dict) else None
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if not isinstance(message, dict) or "file" not in message:
            continue
        at = place.of(written, "release")
        value = written["release"]
        for key in ("prompt", "messages", index, "file"):
            at, value = at.of(value, key), value[key]
        name = message.pop("file")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(place.file), str(name)))
        if "content" in message:
            faults.append(at.fault("a message has content or file, not both"))
        elif path.startswith("..") or posixpath.isabs(path) != posixpath.isabs(place.file):
            faults.append(at.fault("a text stands in the folder that is applied; move it there"))
        elif path not in files:
            faults.append(at.fault(f"there is no file {path[:300]}"))
        else:
            try:
                message["content"] = files[path].decode("utf-8").removesuffix("\n")
                found[index] = path
            except UnicodeDecodeError:
                faults.append(Fault(path, None, None, "", "this is not UTF-8 text; save it as UTF-8"))
    return found


def written(
    routes: Mapping[str, tuple[Mapping[str, Any], Mapping[Kind, str]]],
) -> dict[str, str]:
    """Files that say this: route → release as `read` takes it and names of its components. Path → text."""
    made: dict[str, str] = {}
    for route, (release, names) in sorted(routes.items()):
        name = _file_name(route, made)
        said = dict(release)
        if "prompt" in said:
            messages = [dict(one) for one in said["prompt"]["messages"]]
            for index, message in enumerate(messages):
                text = message.get("content")
                if isinstance(text, str) and "\r" not in text and "\ufeff" not in text:
                    path = f"prompts/{name}/{index + 1}-{re.sub(r'[^a-z]', '', str(message['role']))}.md"
                    made[path] = message.pop("content") + "\n"
                    message["file"] = path
            said["prompt"] = {**said["prompt"], "messages": messages}
        whole: dict[str, Any] = {"route": route}
        if names:
            whole["names"] = {kind.value: one for kind, one in sorted(names.items())}
        whole["release"] = said
        made[f"{name}.yaml"] = _yaml.dump(
            whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
        )
    return made


def _file_name(route: str, taken: Mapping[str, str]) -> str:
    wanted = re.sub(r"[^A-Za-z0-9._-]", "-", route)
    name, number = wanted, 2
    while any(path.casefold() == f"{name}.yaml".casefold() for path in taken):
        name, number = f"{wanted}-{number}", number + 1
    return name


class _Dumper(yaml.SafeDumper):
    """Without aliases; texts stand in quotes, so that whatever reads them takes them for texts."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    simple = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./@-]*", text) and text.lower() not in _RESERVED
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if simple else '"')


_Representing: Any = _Dumper
_RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_Representing.add_representer(str, _text)


def lines_of(pieces: Any, most: int = 60) -> Iterator[str]:
    """A text that differs, as `… [-removed-]{+added+} …`: of what was kept a little on either side."""
    told = ""
    for one in pieces:
        if one.what.value == "kept":
            kept = one.text
            told += kept if len(kept) <= 2 * most else f"{kept[:most]} … {kept[-most:]}"
        else:
            told += f"[-{one.text}-]" if one.what.value == "removed" else f"{{+{one.text}+}}"
    yield from told.splitlines()
