"""The page: key figures, the three pictures, all figures as tables, and how they were measured."""

from __future__ import annotations

from typing import Any

from mnv2c.report.page import document, key_figures, table
from mnv2c.report.profile.bars import bars
from mnv2c.report.profile.memory import memory_map
from mnv2c.report.profile.roofline import roofline
from mnv2c.report.svg import byte_size, clean, tag
from mnv2c.report.words import bound_title


def page(figures: dict[str, Any]) -> str:
    """Return the profile ``figures`` (``Profile.as_dict``) as an HTML page that is also well-formed XML."""
    title = f"{figures['name']} for {figures['target']}"
    parts = [
        tag("h1", clean(title)),
        tag("p", clean(_where(figures)), class_="quiet"),
        _key_figures(figures),
        _times(figures),
        _roofline(figures),
        _memory(figures),
        _step_table(figures),
        _buffer_table(figures),
        _notes(figures),
    ]
    return document(f"mnv2c profile: {title}", parts)


def _where(figures: dict[str, Any]) -> str:
    machine = figures["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['system']}, {machine['cores']} cores usable, load {machine['load']} at the start; "
        f"{figures['threads']} thread; {versions}"
    )


def _key_figures(figures: dict[str, Any]) -> str:
    peak, arena = figures["peak_gmacs"], figures["arena"]
    *near, memory = figures["bandwidths"]
    rates = f"from {memory['name']}" + "".join(f"; {roof['gbytes_per_s']:.1f} from {roof['name']}" for roof in near)
    cells = (
        ("a whole run", f"{figures['median_ms']:.3f} ms", f"{figures['madds'] / 1e6:.1f} million MAdds"),
        ("share of the peak", f"{figures['peak_share']:.1%}", f"of {peak:.1f} GMAC/s, measured in the same rounds"),
        ("sum of the steps", f"{figures['sum_ms']:.3f} ms", f"{figures['sum_share']:.1%} of a whole run, by round"),
        ("one thread reads", f"{memory['gbytes_per_s']:.1f} GB/s", rates),
        ("arena", byte_size(arena["bytes"]), f"at once in use: {byte_size(arena['alive_bytes'])}"),
    )
    return key_figures(cells)


def _times(figures: dict[str, Any]) -> str:
    keys = (
        _key("strong", "what the peak would need"),
        _key("soft", "the rest of the step's time within a run"),
        _key("thin", "its time when repeated alone, with warm caches"),
    )
    return tag("h2", "Time of every step") + tag("p", "; ".join(keys), class_="quiet") + bars(figures)


def _roofline(figures: dict[str, Any]) -> str:
    drawn, nameless = roofline(figures)
    words = (
        "A step's multiply-adds per byte moved, and per second; a point's area grows with its time. Bytes moved are "
        "those that must be: each tensor read or written and the weights, once. The slanted lines are what one thread "
        "reads. A point above one of them has its data nearer than the line's memory, in a cache."
    )
    if nameless:
        words += f" There is no room for the names of {', '.join(nameless)}."
    return tag("h2", "Roofline") + tag("p", clean(words), class_="quiet") + drawn


def _memory(figures: dict[str, Any]) -> str:
    drawn, nameless = memory_map(figures)
    arena = figures["arena"]
    keys = f"{_key('tensor', 'tensors')}; {_key('scratch', 'scratch memory of one step: rings of rows')}. "
    words = (
        f"Each rectangle is a buffer over the steps in which it is in use. “+2” after a tensor's name: two more "
        f"steps overwrite it in place. At most {arena['alive_bytes']:,} bytes are in use at once, in "
        f"{arena['alive_at']}; the arena has {arena['bytes']:,}. The paper's bounds (section 5) count, like the arena, "
        f"neither image nor result. "
    )
    words += " ".join(
        f"{bound_title(bound).capitalize()}: {bound['bytes']:,} bytes, at {bound['at']}." for bound in arena["bounds"]
    )
    if nameless:
        words += (
            f" Where a buffer is too small for its name, the pointer and the table below show it: {nameless} times."
        )
    return tag("h2", "Memory map") + tag("p", keys + clean(words), class_="quiet") + drawn


def _key(kind: str, words: str) -> str:
    return tag("span", "&#8203;", class_=f"key {kind}") + clean(words)


def _step_table(figures: dict[str, Any]) -> str:
    header = (
        "step", "stages", "ms", "of run", "ms alone", "MMAdds", "GMAC/s", "of peak", "input", "output", "weights",
        "moved", "MAdds / byte", "GB/s", "arena",
    )  # fmt: skip
    listed = table(header, [_step_row(step) for step in figures["steps"]], left=frozenset({0, 1}))
    return tag("details", tag("summary", "All figures of the steps") + listed, open="open")


def _step_row(step: dict[str, Any]) -> tuple[str, ...]:
    moved = (byte_size(step[f"{kind}_bytes"]) for kind in ("input", "output", "weights", "moved"))
    return (
        step["name"],
        " → ".join(step["stages"]),
        f"{step['median_ms']:.4f}",
        _figure(step["time_share"], ".1%"),
        f"{step['alone_ms']:.4f}",
        _figure(step["madds"] / 1e6 if step["madds"] is not None else None, ".2f"),
        _figure(step["gmacs"], ".1f"),
        _figure(step["peak_share"], ".1%"),
        *moved,
        _figure(step["madds_per_byte"], ".2f"),
        _figure(step["moved_gbytes_per_s"], ".1f"),
        byte_size(step["arena_bytes"]),
    )


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _buffer_table(figures: dict[str, Any]) -> str:
    names = [step["name"] for step in figures["steps"]]
    rows = [
        (
            buffer["name"],
            f"{buffer['offset']:,}",
            f"{buffer['bytes']:,}",
            names[buffer["first"]],
            names[buffer["last"]],
            ", ".join(buffer["tensors"]) or "scratch memory",
        )
        for buffer in figures["arena"]["buffers"]
    ]
    listed = table(("buffer", "offset", "bytes", "from", "to", "holds"), rows, left=frozenset({0, 3, 4, 5}))
    return tag("details", tag("summary", "All buffers of the arena") + listed)


def _notes(figures: dict[str, Any]) -> str:
    roofs = "; ".join(f"{roof['name']}: {byte_size(roof['buffer_bytes'])}" for roof in figures["bandwidths"])
    notes = (
        f"{figures['rounds']} rounds. In each, a whole run and a run step by step took turns, {figures['runs']} times; "
        "then every step was repeated alone; then a loop of fused multiply-adds ran, and one that reads memory. All "
        "figures are medians.",
        f"All steps were timed in C between readings of the monotonic clock; what a reading and a call take "
        f"({figures['reading_ns']:.0f} ns) is subtracted.",
        "Times within a run are with the caches as the steps before leave them. Times alone are with warm inputs and "
        f"weights; together they are {figures['alone_sum_ms']:.3f} ms.",
        f"Shares of the peak are formed within a round. The slowest round took {figures['spread']:.0%} longer than the "
        f"fastest; nine whole runs of ten took no longer than {figures['p90_ms']:.3f} ms.",
        f"Memory is read by one thread with vector loads from buffers of these sizes: {roofs}.",
        "Weights count as packed for the kernel. 1 kB = 1000 B.",
    )
    items = "\n".join(tag("li", clean(note)) for note in notes)
    return tag("h2", "How this was measured") + tag("ul", items)
