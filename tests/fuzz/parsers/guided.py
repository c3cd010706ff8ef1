"""One parser guided by the coverage of mnv2c's code, where atheris is installed (the extra ``fuzz``).

    python -m tests.fuzz.parsers.guided PARSER FOLDER [options of libFuzzer, such as -max_total_time=60]

What must not happen is written to FOLDER/findings, and the run goes on. Crashes and hangs end it.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["mnv2c"]):
    from tests.fuzz.parsers.known import PARSERS
    from tests.fuzz.parsers.parser import judge
    from tests.fuzz.parsers.worker import MEMORY, MOST_INPUT, SECONDS

OWN_SHARE = 0.8
"""Of the mutations that the parser's own mutator makes; libFuzzer's make the others."""


def main(words: list[str]) -> None:
    """Set atheris up and let it fuzz; does not return."""
    parser, folder = PARSERS[words[0]], Path(words[1])
    place = Path(tempfile.mkdtemp(prefix="mnv2c-fuzz-")) / parser.file
    place.parent.mkdir(parents=True, exist_ok=True)
    corpus, findings = folder / "corpus" / parser.name, folder / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["mnv2c"]):
        for content in parser.seeds():  # readers import what they need, here
            (corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
            place.write_bytes(content)
            judge(parser, place)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() > OWN_SHARE:
            return bytes(atheris.Mutate(bytes(data), most))
        return parser.damage(bytes(data), random)[:most]

    def one(data: bytes) -> None:
        place.write_bytes(data)
        outcome = judge(parser, place)
        if outcome.finding:
            kept = findings / f"{parser.name}-{outcome.signature}{place.suffix}"
            kept.write_bytes(data)
            kept.with_suffix(".report").write_text(
                f"{outcome.kind}: {outcome.feature}\n{outcome.details}\n", errors="replace"
            )

    limits = [f"-timeout={SECONDS}", f"-rss_limit_mb={MEMORY >> 20}", f"-max_len={MOST_INPUT}"]
    names = [f"-artifact_prefix={findings}/{parser.name}-", *limits, *words[2:], str(corpus)]
    atheris.Setup([sys.argv[0], *names], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
