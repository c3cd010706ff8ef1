"""The page: key figures, the frontier, and the chains of the plan as a table."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from mnv2c.report.page import document, key_figures, table
from mnv2c.report.plan.frontier import frontier
from mnv2c.report.svg import byte_size, clean, tag
from mnv2c.report.words import bound_title, joined

NOTES = (
    "Nothing was compiled or run. Cycles are predicted from register tiles, cache sizes and bytes moved, to compare "
    "plans of one network. They are no time: plans that differ by some percent may be equally fast on a CPU.",
    "The arena is all the memory that a run needs besides image and result. A limit between two points gives the plan "
    "of the smaller one: `mnv2c compile --arena-limit BYTES`.",
    "A depthwise stage keeps a ring of the rows it reads, or the sums that are not finished yet, or nothing, when all "
    "its rows are made again; with the whole image in one step it reads an image of the channels in flight.",
    "1 kB = 1000 B.",
)


def page(figures: dict[str, Any]) -> str:
    """Return the plan ``figures`` (``Plan.as_dict``) as an HTML page that is also well-formed XML."""
    title = f"{figures['name']} for {figures['target']}"
    parts = [
        tag("h1", clean(title)),
        tag("p", clean(figures["summary"]), class_="quiet"),
        _key_figures(figures),
        tag("h2", "Time against memory"),
        tag("p", clean(_words(figures)), class_="quiet"),
        frontier(figures),
        _frontier_table(figures),
        _chain_table(figures),
        tag("h2", "What the figures mean") + tag("ul", "\n".join(tag("li", clean(note)) for note in NOTES)),
    ]
    return document(f"mnv2c plan: {title}", parts)


def _key_figures(figures: dict[str, Any]) -> str:
    limit, smallest = figures["arena_limit"], figures["frontier"][0]
    within = "no limit given" if limit is None else f"limit {limit:,} bytes"
    threads = figures["threads"]
    return key_figures(
        (
            ("arena", byte_size(figures["arena_bytes"]), within),
            ("predicted time", f"{figures['time_ratio']:.3f}", "of the fastest plan's"),
            ("smallest arena", byte_size(smallest["arena_bytes"]), f"time {smallest['time_ratio']:.3f}"),
            ("kernel calls", str(len(figures["chains"])), f"{threads} thread{'s' if threads > 1 else ''}"),
            ("multiply-adds", f"{figures['madds'] / 1e6:.1f} M", f"{figures['cycles'] / 1e6:.2f} M predicted cycles"),
        )
    )


def _words(figures: dict[str, Any]) -> str:
    words = (
        "Each point is the fastest plan in so much memory; the marked one is that of the table of chains. Neither axis "
        "starts at 0."
    )
    bounds = (f"{bound_title(bound)}: {bound['bytes']:,} bytes, at {bound['at']}." for bound in figures["bounds"])
    return " ".join([words, *(bound[0].upper() + bound[1:] for bound in bounds)])


def _frontier_table(figures: dict[str, Any]) -> str:
    rows = [
        (
            f"{point['arena_bytes']:,}",
            f"{point['time_ratio']:.3f}",
            str(len(point["chains"])),
            "this plan" if point["arena_bytes"] == figures["arena_bytes"] else "",
            ", ".join(name for name in point["chains"] if "_to_" in name),
        )
        for point in figures["frontier"]
    ]
    listed = table(("arena bytes", "time", "calls", "", "joined"), rows, left=frozenset({0, 3, 4}))
    return tag("details", tag("summary", "All plans of the frontier") + listed)


def _chain_table(figures: dict[str, Any]) -> str:
    header = ("chain", "joins", "rows", "keeps", "MMAdds", "Mcycles", "share", "scratch", "in use")
    rows = [
        (
            chain["name"],
            joined(chain["joins"]) if len(chain["joins"]) > 1 else "",
            "-" if chain["rows"] is None else str(chain["rows"] or "all"),
            _windows(chain),
            f"{chain['madds'] / 1e6:.2f}" if chain["madds"] else "-",
            "-" if chain["cycles"] is None else f"{chain['cycles'] / 1e6:.3f}",
            "-" if chain["share"] is None else f"{chain['share']:.1%}",
            byte_size(chain["scratch_bytes"]),
            byte_size(chain["peak_bytes"]),
        )
        for chain in figures["chains"]
    ]
    listed = table(header, rows, left=frozenset({0, 1, 3}))
    return tag("details", tag("summary", "Chains of the plan") + listed, open="open")


def _windows(chain: dict[str, Any]) -> str:
    """What the depthwise stages keep, with the channels in flight; equal neighbours once, with their number."""
    words = (f"{window['keeps']} ({window['channels']})" for window in chain["windows"])
    runs = [(word, len(list(same))) for word, same in groupby(words)]
    return ", ".join(f"{count}x {word}" if count > 1 else word for word, count in runs)
