"""Draw the states of every flow from the source: `docs/states/*.svg`, and the tables of `docs/states.md`.

    python docs/tools/state_diagrams.py            write the files
    python docs/tools/state_diagrams.py --check    fail if the files differ from the source

A phase is a method annotated `-> Steps`. Its transitions are its `return self.NAME`, and those of a plain method
annotated `-> Phase` whose call it returns. `return None`, or no return at all, ends the flow. Its failures are the
exceptions raised in it and in the plain methods that it calls. The source is parsed, never imported.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

DOCS = Path(__file__).resolve().parents[1]
SOURCES = DOCS.parent / "protocols" / "modelwire"
FILES = (*sorted((SOURCES / "providers").glob("[a-z]*.py")), SOURCES / "download.py")
PAGE = DOCS / "states.md"
MARK = "<!-- docs/tools/state_diagrams.py writes everything below: change the source instead. -->\n"
END = "end"
WAITS = ("fetch", "stream", "evaluate", "sleep")

Method = ast.FunctionDef


# The states, read from the source.


class Transition(NamedTuple):
    """From a phase to another, or to the end. `via` is the method that chooses, `when` are the conditions."""

    source: str
    target: str
    via: str
    when: tuple[str, ...]


class Wait(NamedTuple):
    """A wait of a phase: `fetch` or `stream` and the request, `evaluate` and the script, `sleep` and the seconds."""

    kind: str
    argument: str


class Statuses(NamedTuple):
    """The statuses of a job that a phase polls: unfinished, finished, and the failure for any other."""

    unfinished: tuple[str, ...] = ()
    finished: tuple[str, ...] = ()
    failure: str = ""


class Phase(NamedTuple):
    """One state of a flow."""

    name: str
    summary: str
    waits: tuple[Wait, ...]
    transitions: tuple[Transition, ...]
    failures: tuple[str, ...]
    statuses: Statuses


class FlowStates(NamedTuple):
    """One flow and its states, in the order of the source."""

    name: str
    file: str
    phases: tuple[Phase, ...]


def read_flows(path: Path) -> Iterator[FlowStates]:
    """Every flow of one file."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    tables = {name: keys for statement in tree.body for name, keys in _tables(statement)}
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            methods = {item.name: item for item in statement.body if isinstance(item, Method)}
            phases = [method for method in methods.values() if _returns(method, "Steps")]
            if phases:
                read = tuple(_read_phase(phase, methods, tables) for phase in phases)
                yield FlowStates(statement.name, path.relative_to(SOURCES).as_posix(), read)


def _tables(statement: ast.stmt) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The name and the keys of each dict with constant keys that a statement assigns."""
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
        keys = tuple(str(key.value) for key in statement.value.keys if isinstance(key, ast.Constant))
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, keys


def _returns(method: Method, annotation: str) -> bool:
    return isinstance(method.returns, ast.Name) and method.returns.id == annotation


def _read_phase(phase: Method, methods: dict[str, Method], tables: dict[str, tuple[str, ...]]) -> Phase:
    phases = {name for name, method in methods.items() if _returns(method, "Steps")}
    transitions = list(_transitions(phase, phase.name, "", (), methods, phases))
    if not _always_returns(phase.body):
        transitions.append(Transition(phase.name, END, "", ()))
    return Phase(
        name=phase.name,
        summary=(ast.get_docstring(phase) or "").split("\n\n")[0].replace("\n", " "),
        waits=tuple(dict.fromkeys(_waits(phase))),
        transitions=tuple(dict.fromkeys(transitions)),
        failures=tuple(dict.fromkeys(_failures(phase, methods, phases, set()))),
        statuses=_statuses(phase, tables),
    )


def _transitions(
    method: Method, source: str, via: str, when: tuple[str, ...], methods: dict[str, Method], phases: set[str]
) -> Iterator[Transition]:
    for statement, conditions in _returned(method.body, when):
        for value, condition in _branches(statement.value):
            all_conditions = (*conditions, *condition)
            if value is None or (isinstance(value, ast.Constant) and value.value is None):
                yield Transition(source, END, via, all_conditions)
                continue
            name = _own_name(value.func if isinstance(value, ast.Call) else value)
            if isinstance(value, ast.Call) and name in methods:
                yield from _transitions(methods[name], source, name, all_conditions, methods, phases)
            elif name in phases:
                yield Transition(source, name, via, all_conditions)
            else:
                raise SystemExit(f"line {statement.lineno}: {ast.unparse(statement)!r} is not a transition")


def _returned(body: Sequence[ast.stmt], when: tuple[str, ...]) -> Iterator[tuple[ast.Return, tuple[str, ...]]]:
    """Every return statement of a body, with the conditions around it."""
    for statement in body:
        match statement:
            case ast.Return():
                yield statement, when
            case ast.If(test=test):
                yield from _returned(statement.body, (*when, ast.unparse(test)))
                yield from _returned(statement.orelse, (*when, _negated(test)))
            case ast.For() | ast.While() | ast.With():
                yield from _returned(statement.body, when)
            case _:
                pass


def _branches(value: ast.expr | None) -> Iterator[tuple[ast.expr | None, tuple[str, ...]]]:
    """Each value that a returned expression may have, with its condition: `a if test else b` has two."""
    if isinstance(value, ast.IfExp):
        yield value.body, (ast.unparse(value.test),)
        yield value.orelse, (_negated(value.test),)
    else:
        yield value, ()


def _negated(test: ast.expr) -> str:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return ast.unparse(test.operand)
    return ast.unparse(ast.UnaryOp(ast.Not(), test))


def _own_name(value: ast.expr) -> str:
    """NAME of `self.NAME`, or an empty string."""
    is_own = isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "self"
    return value.attr if is_own and isinstance(value, ast.Attribute) else ""


def _always_returns(body: Sequence[ast.stmt]) -> bool:
    last = body[-1]
    match last:
        case ast.Return() | ast.Raise():
            return True
        case ast.If():
            return bool(last.orelse) and _always_returns(last.body) and _always_returns(last.orelse)
        case ast.While(test=ast.Constant(value=True)):
            return not any(isinstance(node, ast.Break) for node in ast.walk(last))
        case _:
            return False


def _waits(phase: Method) -> Iterator[Wait]:
    found = [node.value for node in ast.walk(phase) if isinstance(node, ast.YieldFrom)]
    for call in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(call, ast.Call) and _own_name(call.func) in WAITS:
            kind = _own_name(call.func)
            yield Wait(kind, _argument_of(call.args[0], is_request=kind in ("fetch", "stream")))


def _argument_of(argument: ast.expr, *, is_request: bool) -> str:
    """The name of the method that builds the request, or the expression of a script or of seconds."""
    if is_request:
        return next(name for node in ast.walk(argument) if isinstance(node, ast.expr) and (name := _own_name(node)))
    return ast.unparse(argument).removeprefix("self.")


def _failures(method: Method, methods: dict[str, Method], phases: set[str], seen: set[str]) -> Iterator[str]:
    seen.add(method.name)
    nodes = [node for node in ast.walk(method) if isinstance(node, ast.expr | ast.Raise)]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(node, ast.Raise):
            yield from _failures_in(node)
        elif (name := _own_name(node)) in methods and name not in phases and name not in seen:
            yield from _failures(methods[name], methods, phases, seen)


def _failures_in(node: ast.stmt) -> Iterator[str]:
    """The names of the exceptions that a statement raises."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call) and isinstance(inner.exc.func, ast.Name):
            yield inner.exc.func.id


def _statuses(phase: Method, tables: dict[str, tuple[str, ...]]) -> Statuses:
    """The statuses that a phase compares `.status` with: the keys of a table, and the single ones that end the job."""
    unfinished: tuple[str, ...] = ()
    finished: list[str] = []
    failure = ""
    for node in ast.walk(phase):
        if isinstance(node, ast.If) and isinstance(test := node.test, ast.Compare):
            is_status = isinstance(test.left, ast.Attribute) and test.left.attr == "status"
            operand = test.comparators[0]
            table = tables.get(operand.id, ()) if isinstance(operand, ast.Name) else ()
            if is_status and table and isinstance(test.ops[0], ast.NotIn):
                unfinished = table
                failure = next(_failures_in(node))
            elif is_status and isinstance(test.ops[0], ast.Eq) and isinstance(operand, ast.Constant):
                finished.append(str(operand.value))
    return Statuses(unfinished, tuple(finished), failure) if unfinished else Statuses()


# The page.


def page_part(flows: Sequence[FlowStates]) -> str:
    """The generated part of the page."""
    return "\n".join(_section(flow) for flow in flows)


def _section(flow: FlowStates) -> str:
    lines = [f"## {flow.name}", "", f"From `{flow.file}`.", ""]
    lines += [f"![{_alt_text(flow)}](states/{flow.name}.svg)", ""]
    lines += ["| Phase | What it does | Waits for | Fails with |", "|---|---|---|---|"]
    for phase in flow.phases:
        waits = ", ".join(f"{wait.kind} `{wait.argument}`" for wait in phase.waits) or "nothing"
        failures = ", ".join(f"`{name}`" for name in phase.failures)
        lines.append(f"| `{phase.name}` | {phase.summary} | {waits} | {failures} |")
    lines += ["", "| From | To | Chosen by | When |", "|---|---|---|---|"]
    for phase in flow.phases:
        for number, transition in enumerate(phase.transitions):
            lines.append(_row(transition, is_only=len(phase.transitions) == 1, is_first=number == 0))
    for phase in flow.phases:
        if phase.statuses.unfinished:
            lines += ["", *_status_lines(phase)]
    return "\n".join([*lines, ""])


def _row(transition: Transition, *, is_only: bool, is_first: bool) -> str:
    default = "always, unless it fails" if is_only else "" if is_first else "otherwise"
    conditions = " and ".join(f"`{condition}`" for condition in transition.when).replace("|", "\\|") or default
    target = transition.target if transition.target == END else f"`{transition.target}`"
    via = f"`{transition.via}`" if transition.via else ""
    return f"| `{transition.source}` | {target} | {via} | {conditions} |"


def _status_lines(phase: Phase) -> list[str]:
    unfinished, finished, failure = phase.statuses
    rows = [f"| `{status}` | polled again |" for status in unfinished]
    rows += [f"| `{status}` | {END} |" for status in finished]
    head = [f"The job's statuses in `{phase.name}`; unfinished ones come in any order:", "", "| Status | Then |"]
    return [*head, "|---|---|", *rows, f"| any other | `{failure}` |"]


def _alt_text(flow: FlowStates) -> str:
    return f"The states of {flow.name}: {', '.join(phase.name for phase in flow.phases)}"


# The picture: the phases are boxes in a column. A transition to the next phase goes straight down, one to an earlier
# phase uses a lane on the left, one that skips a phase uses a lane on the right. Transitions to one phase share a lane.

# Pixels.
PAD = 24  # around the drawing
GAP = 58  # between two boxes
LINE = 19  # height of a line of text
LANE = 22  # between two lanes
LABEL = 104  # between a box and its first lane: room for the name of the choosing method
DOT = 9  # radius of the circles at the start and at the end
INSIDE = 16  # between the edge of a box and its text
SMALL, LARGE = 7.3, 9.4  # width of a character in code and in names

STYLE = """
  .sheet { fill: #ffffff; stroke: #d0d7de; }
  .phase { fill: #f6f8fa; stroke: #57606a; }
  .fails { fill: #ffebe9; }
  .status { fill: #ddf4ff; stroke: #0969da; }
  .wire { fill: none; stroke: #57606a; stroke-width: 1.5; }
  .halo { fill: none; stroke: #ffffff; stroke-width: 6; }
  .tip, .dot { fill: #57606a; }
  .ring { fill: none; stroke: #57606a; stroke-width: 1.5; }
  text { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328; }
  .name { font-size: 16px; font-weight: 600; }
  .code { font-family: ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; font-size: 12px; }
  .quiet { fill: #57606a; }
  .failed { fill: #a40e26; }
  @media (prefers-color-scheme: dark) {
    .sheet { fill: #0d1117; stroke: #30363d; }
    .phase { fill: #161b22; stroke: #8b949e; }
    .fails { fill: #3d1519; }
    .status { fill: #12233b; stroke: #58a6ff; }
    .wire, .ring { stroke: #8b949e; }
    .halo { stroke: #0d1117; }
    .tip, .dot { fill: #8b949e; }
    text { fill: #e6edf3; }
    .quiet { fill: #9da7b1; }
    .failed { fill: #ff9b93; }
  }
"""


class Box(NamedTuple):
    """A phase in the picture: its position, its size, and its lines of text."""

    phase: Phase
    x: float
    y: float
    width: float
    height: float
    calls: tuple[str, ...]
    fails: tuple[str, ...]

    @property
    def bottom(self) -> float:
        return self.y + self.height


def draw(flow: FlowStates) -> str:
    """One flow as SVG."""
    back, forth = _lanes(flow)
    left = PAD + (LABEL + LANE * len(back) if back else 0)
    right = PAD + (LABEL + LANE * len(forth) if forth else 0)
    boxes = _boxes(flow, left)
    column = boxes[0].width
    end_y = boxes[-1].bottom + GAP + DOT
    width, height = left + column + right, end_y + DOT + PAD
    middle = left + column / 2
    parts = [
        f'<rect class="sheet" x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="10"/>',
        f'<circle class="dot" cx="{middle:g}" cy="{PAD + DOT:g}" r="{DOT:g}"/>',
        *_arrow([(middle, PAD + 2 * DOT), (middle, boxes[0].y)], halo=False),
    ]
    for side, lanes in ((-1, back), (1, forth)):
        for number, target in enumerate(lanes):
            x = (left - LABEL - LANE * number) if side < 0 else (left + column + LABEL + LANE * number)
            parts += _lane(flow, boxes, target, x, side, end_y, middle)
    for box in boxes:
        parts += _box(box)
    parts += _straight(flow, boxes, end_y, middle)
    parts += [
        f'<circle class="ring" cx="{middle:g}" cy="{end_y:g}" r="{DOT:g}"/>',
        f'<circle class="dot" cx="{middle:g}" cy="{end_y:g}" r="{DOT - 4:g}"/>',
        f'<text class="quiet" x="{middle + DOT + 8:g}" y="{end_y + 4:g}">{END}</text>',
    ]
    title = escape(_alt_text(flow))
    body = "\n".join(f"  {part}" for part in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="title description">\n'
        f'  <title id="title">{title}</title>\n'
        f'  <desc id="description">{escape(_description(flow))}</desc>\n'
        f"  <style>{STYLE}  </style>\n{body}\n</svg>\n"
    )


def _description(flow: FlowStates) -> str:
    sentences = ["The flow begins in start."]
    for phase in flow.phases:
        targets = list(dict.fromkeys(transition.target for transition in phase.transitions))
        sentences.append(f"From {phase.name} it goes to {' or '.join(targets)}.")
        if phase.failures:
            sentences.append(f"It can fail there with {', '.join(phase.failures)}.")
        if phase.statuses.unfinished:
            sentences.append(
                f"The job's statuses there are {', '.join((*phase.statuses.unfinished, *phase.statuses.finished))}."
            )
    return " ".join(sentences)


def _order(flow: FlowStates) -> dict[str, int]:
    return {name: number for number, name in enumerate([*(phase.name for phase in flow.phases), END])}


def _sources(flow: FlowStates, target: str, side: int) -> list[Transition]:
    """The transitions to `target` that use the lane on this side, one for each phase and choosing method."""
    order = _order(flow)
    found: dict[tuple[str, str], Transition] = {}
    for phase in flow.phases:
        for transition in phase.transitions:
            step = order[transition.target] - order[transition.source]
            if transition.target == target and (step <= 0 if side < 0 else step > 1):
                found.setdefault((transition.source, transition.via), transition)
    return list(found.values())


def _lanes(flow: FlowStates) -> tuple[list[str], list[str]]:
    """The targets of the lanes on the left and on the right; the innermost lane first."""
    names = list(_order(flow))
    back = [name for name in reversed(names) if _sources(flow, name, -1)]
    forth = [name for name in names if _sources(flow, name, 1)]
    return back, forth


def _boxes(flow: FlowStates, left: float) -> list[Box]:
    texts = []
    for phase in flow.phases:
        calls = tuple(f"{wait.kind} {wait.argument}" for wait in phase.waits)
        fails = tuple(_wrapped(phase.failures))
        texts.append((phase, calls, fails))
    width = max(_width(*text) for text in texts)
    boxes: list[Box] = []
    y = PAD + 2 * DOT + GAP - 14
    for phase, calls, fails in texts:
        height = (
            36 + LINE * len(calls) + (46 if phase.statuses.unfinished else 0) + (LINE * len(fails) + 10 if fails else 6)
        )
        boxes.append(Box(phase, left, y, width, max(height, 64), calls, fails))
        y += max(height, 64) + GAP
    return boxes


def _wrapped(names: Sequence[str], longest: int = 42) -> Iterator[str]:
    line = ""
    for name in names:
        if line and len(line) + len(name) + 2 > longest:
            yield line + ","
            line = name
        else:
            line = f"{line}, {name}" if line else name
    if line:
        yield line


def _width(phase: Phase, calls: tuple[str, ...], fails: tuple[str, ...]) -> float:
    statuses = (*phase.statuses.unfinished, *phase.statuses.finished)
    pills = sum(len(status) * SMALL + 20 for status in statuses) + 30 * max(0, len(statuses) - 1)
    text = max([len(phase.name) * LARGE, *(len(line) * SMALL for line in (*calls, *fails)), pills])
    return round(max(text + 2 * INSIDE + 24, 220))


def _box(box: Box) -> list[str]:
    x, y, width, phase = box.x, box.y, box.width, box.phase
    tip = f"<title>{escape(phase.summary)}</title>"
    parts = [
        f'<g>{tip}<rect class="phase" x="{x:g}" y="{y:g}" width="{width:g}" height="{box.height:g}" rx="8"/>',
        f'<text class="name" x="{x + INSIDE:g}" y="{y + 25:g}">{escape(phase.name)}</text>',
    ]
    line = y + 28
    for call in box.calls:
        line += LINE
        parts.append(f'<text class="code quiet" x="{x + INSIDE:g}" y="{line:g}">{escape(call)}</text>')
    if phase.statuses.unfinished:
        parts += _pills(x + INSIDE, line + 14, phase)
    if box.fails:
        top = box.bottom - LINE * len(box.fails) - 9
        inner = f"M{x + 1:g},{top:g} h{width - 2:g} V{box.bottom - 8:g} q0,7 -7,7 H{x + 8:g} q-7,0 -7,-7 Z"
        parts.append(f'<path class="fails" d="{inner}"/>')
        for number, text in enumerate(box.fails):
            cross = "✕" if number == 0 else ""
            baseline = top + LINE * (number + 1) - 2
            parts.append(f'<text class="code failed" x="{x + INSIDE:g}" y="{baseline:g}">{cross}</text>')
            parts.append(f'<text class="code failed" x="{x + INSIDE + 18:g}" y="{baseline:g}">{escape(text)}</text>')
    return [*parts, "</g>"]


def _pills(x: float, y: float, phase: Phase) -> list[str]:
    """The statuses of a job in a row: the unfinished ones with arrows in both directions, then the finished ones."""
    parts = []
    unfinished, finished, _ = phase.statuses
    for number, status in enumerate((*unfinished, *finished)):
        width = len(status) * SMALL + 20
        if number:
            start, stop, level = x - 30, x, y + 13
            both = number < len(unfinished)
            parts += _arrow([(start + (8 if both else 0), level), (stop, level)], halo=False)
            if both:
                parts.append(_tip(start, level, -1, 0))
        parts.append(
            f'<rect class="status" x="{x:g}" y="{y:g}" width="{width:g}" height="26" rx="13"/>'
            f'<text class="code" x="{x + 10:g}" y="{y + 17:g}">{escape(status)}</text>'
        )
        x += width + 30
    return parts


def _straight(flow: FlowStates, boxes: list[Box], end_y: float, middle: float) -> list[str]:
    """The arrows from each phase to the next."""
    order = _order(flow)
    parts = []
    for box in boxes:
        steps = [step for step in box.phase.transitions if order[step.target] == order[step.source] + 1]
        if steps:
            number = order[steps[0].target]
            stop = boxes[number].y if number < len(boxes) else end_y - DOT
            parts += _arrow([(middle, box.bottom), (middle, stop)], halo=False)
            label = ", ".join(dict.fromkeys(step.via for step in steps if step.via))
            parts.append(f'<text class="code quiet" x="{middle + 9:g}" y="{box.bottom + 24:g}">{escape(label)}</text>')
    return parts


def _lane(
    flow: FlowStates, boxes: list[Box], target: str, x: float, side: int, end_y: float, middle: float
) -> list[str]:
    """One lane: an arrow from each source into the lane, along it, and into the target."""
    order = _order(flow)
    lanes = _lanes(flow)[0 if side < 0 else 1]
    halos: list[str] = []  # drawn before all wires, so that they do not cut the joints
    wires: list[str] = []
    if target == END:
        entry, inside = end_y, middle + DOT
    else:
        box = boxes[order[target]]
        entry, inside = box.y + 20, box.x + (box.width if side > 0 else 0)
    for transition in _sources(flow, target, side):
        box = boxes[order[transition.source]]
        # The order of the ports of a box: the highest leads to the inner lane on the left, to the outer on the right.
        ports = [lane for lane in lanes if any(s.source == transition.source for s in _sources(flow, lane, side))]
        number = ports.index(target) if side < 0 else len(ports) - 1 - ports.index(target)
        level = box.y + 40 + 21 * number
        edge = box.x + (box.width if side > 0 else 0)
        halo, *wire = _arrow([(edge, level), (x, level), (x, entry), (inside, entry)])
        halos.append(halo)
        wires += wire
        if transition.via:
            anchor = "start" if side > 0 else "end"
            wires.append(
                f'<text class="code quiet" text-anchor="{anchor}" x="{edge + 7 * side:g}" y="{level - 5:g}">'
                f"{escape(transition.via)}</text>"
            )
    return halos + wires


def _arrow(points: Sequence[tuple[float, float]], *, halo: bool = True) -> list[str]:
    """A line with rounded corners and an arrowhead."""
    (before_x, before_y), (x, y) = points[-2:]
    away_x, away_y = _sign(x - before_x), _sign(y - before_y)
    path = _path([*points[:-1], (x - 7 * away_x, y - 7 * away_y)])
    shadow = [f'<path class="halo" d="{path}"/>'] if halo else []
    return [*shadow, f'<path class="wire" d="{path}"/>', _tip(x, y, away_x, away_y)]


def _path(points: Sequence[tuple[float, float]], radius: float = 8) -> str:
    path = f"M{points[0][0]:g},{points[0][1]:g}"
    for (ax, ay), (bx, by), (cx, cy) in zip(points, points[1:], points[2:], strict=False):
        path += f" L{bx - radius * _sign(bx - ax):g},{by - radius * _sign(by - ay):g}"
        path += f" Q{bx:g},{by:g} {bx + radius * _sign(cx - bx):g},{by + radius * _sign(cy - by):g}"
    return path + f" L{points[-1][0]:g},{points[-1][1]:g}"


def _tip(x: float, y: float, away_x: float, away_y: float) -> str:
    left = (x - 9 * away_x + 4.5 * away_y, y - 9 * away_y + 4.5 * away_x)
    right = (x - 9 * away_x - 4.5 * away_y, y - 9 * away_y - 4.5 * away_x)
    points = " ".join(f"{px:g},{py:g}" for px, py in ((x, y), left, right))
    return f'<polygon class="tip" points="{points}"/>'


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def generated_files() -> dict[Path, str]:
    """The path and the content of each generated file."""
    flows = [flow for path in FILES for flow in read_flows(path)]
    intro, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise SystemExit(f"{PAGE} lacks the line {MARK!r}: put it back, below the introduction")
    pictures = {DOCS / "states" / f"{flow.name}.svg": draw(flow) for flow in flows}
    return pictures | {PAGE: f"{intro}{mark}\n{page_part(flows)}"}


def main(arguments: Sequence[str]) -> int:
    """Write the files, or check that they are current. Returns the exit code."""
    files = generated_files()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    stale += [path for path in (DOCS / "states").glob("*.svg") if path not in files]
    if "--check" in arguments:
        for path in stale:
            print(
                f"{path.relative_to(DOCS.parent)} is out of date: run python docs/tools/state_diagrams.py",
                file=sys.stderr,
            )
        return 1 if stale else 0
    (DOCS / "states").mkdir(exist_ok=True)
    for path in stale:
        if path in files:
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()
        print(path.relative_to(DOCS.parent))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
