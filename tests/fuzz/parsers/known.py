"""All parsers that are fuzzed, and how many of a million inputs each gets."""

from __future__ import annotations

from tests.fuzz.parsers import readers, seeds
from tests.fuzz.parsers.mutate_onnx import mutate_onnx
from tests.fuzz.parsers.mutate_pictures import mutate_picture
from tests.fuzz.parsers.mutate_tensors import mutate_safetensors
from tests.fuzz.parsers.mutate_text import mutate_json, mutate_lines, mutate_toml, mutate_words
from tests.fuzz.parsers.parser import Parser

PARSERS = {
    parser.name: parser
    for parser in (
        Parser("onnx_read", "input.onnx", readers.onnx_read, mutate_onnx, seeds.onnx_files, 150_000),
        Parser("onnx_front", "input.onnx", readers.onnx_front, mutate_onnx, seeds.onnx_files, 8_000, readers.onnx_read),
        Parser("onnx_plan", "input.onnx", readers.onnx_plan, mutate_onnx, seeds.onnx_files, 2_000, readers.onnx_read),
        Parser("spec", "input.toml", readers.spec, mutate_toml, seeds.specs, 120_000),
        Parser("spec_inspect", "input.toml", readers.spec_inspect, mutate_toml, seeds.specs, 4_000, readers.spec),
        Parser("spec_front", "input.toml", readers.spec_front, mutate_toml, seeds.small_specs, 1_000, readers.spec),
        Parser("target", "input.toml", readers.target, mutate_toml, seeds.targets, 150_000),
        Parser("target_plan", "input.toml", readers.target_plan, mutate_toml, seeds.targets, 1_000, readers.target),
        Parser("weights", "input.safetensors", readers.weights, mutate_safetensors, seeds.weights, 100_000),
        Parser("records", "input.jsonl", readers.records, mutate_lines, seeds.records, 100_000),
        Parser("records_plan", "input.jsonl", readers.records_plan, mutate_lines, seeds.own_records, 2_000),
        Parser("picture", "input.bin", readers.picture, mutate_picture, seeds.pictures, 150_000),
        Parser("labels", "input.txt", readers.labels, mutate_words, seeds.labels, 70_000),
        Parser("name_json", "tiny.json", readers.name_json, mutate_json, seeds.descriptions, 100_000),
        Parser("library", "tiny.json", readers.library, mutate_json, seeds.descriptions, 26_000),
        Parser("options", "input.words", readers.options, mutate_words, seeds.options, 16_000),
    )
}
"""By name; 10^6 inputs together."""
TOTAL = sum(parser.share for parser in PARSERS.values())
