"""What the README says is accepted, and the tests that compile it and compare numbers.

``text`` stands in the README as it is here, but for line breaks; tests are "path under tests::function".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """One acceptance."""

    text: str
    tests: tuple[str, ...]


HERE = "acceptance/test_accepted.py"
ZOO = "zoo/test_zoo.py"
EXPORTERS = "foreign/test_exporters.py"
FRAMES = "frames/test_load_frame.py"


def _of(text: str, *tests: str) -> Statement:
    return Statement(text, tests)


STATEMENTS = (
    # What can be compiled, and from what.
    _of(
        "| `--width W`, `--resolution R`, `--classes N` |",
        "numerics/test_widths.py::test_here",
        "numerics/test_matrix.py::test_every_step_equals_the_reference",
        f"{HERE}::test_other_numbers_of_classes",
    ),
    _of(
        "`mnv2c compile SPEC.toml` takes a description of your own",
        "numerics/test_detectors.py::test_every_prediction_equals_the_reference",
        "compiler/test_compile.py::test_shortcuts_between_expansions_are_added_in_chains_and_are_right",
    ),
    _of(
        "| `mobilenet_v2`, `_140`, `_035_96`; `mobilenetv2_050` ... (timm) | classifiers |",
        f"{HERE}::test_every_model_of_the_zoo",
    ),
    _of(
        "| `ssdlite_mobilenet_v2` | SSDLite, 320x320, 91 slots |",
        "numerics/test_detectors.py::test_every_prediction_of_a_large_image_equals_the_reference",
        f"{HERE}::test_every_model_of_the_zoo",
    ),
    _of(
        "| `ssdlite_mobilenet_v2_coco`, `_80`, `_torchvision`; `mb2_ssd_lite` |", f"{HERE}::test_every_model_of_the_zoo"
    ),
    _of(
        "| `ssd_mobilenet_v2` | SSD with regular convolutions |",
        "numerics/test_detectors.py::test_every_prediction_equals_the_reference",
    ),
    _of(
        "| `deeplabv3_mobilenet_v2` | DeepLabv3, 513x513, output stride 16, 21 classes | `mask` uint8 [1, H, W] |",
        "segmenter/test_segmenters.py::test_a_mask_is_bytes_of_exactly_its_size",
        "segmenter/test_segmenters.py::test_large_segmenters_are_right",
    ),
    _of(
        "| `deeplabv3_mobilenet_v2_os8`, `_aspp`, `_aspp_os8`, `_hf` |",
        "segmenter/test_segmenters.py::test_segmenters_are_right",
        f"{HERE}::test_every_model_of_the_zoo",
    ),
    _of(
        '`output = "logits"` in the description of a segmenter ends it before the upsampling',
        "segmenter/test_segmenters.py::test_large_segmenters_are_right",
        "frames/test_compiled.py::test_averaged_segmenters",
    ),
    # Files of other tools.
    _of(
        "takes float32 networks of fixed size that other tools exported: torch (both exporters), timm, tf2onnx",
        f"{EXPORTERS}::test_compiled_libraries_equal_onnxruntime",
        f"{ZOO}::test_every_step_of_a_small_form_equals_onnxruntime",
        "zoo/test_torch.py::test_shortcuts_between_expansions_are_right",
    ),
    _of(
        "The network keeps its own input layout, usually NCHW",
        f"{EXPORTERS}::test_the_caller_hands_over_what_onnxruntime_takes",
        f"{EXPORTERS}::test_compiled_libraries_equal_onnxruntime",
    ),
    _of("a dynamic batch becomes 1", f"{EXPORTERS}::test_compiled_libraries_equal_onnxruntime"),
    _of("height or width is given by `--input-shape`", f"{HERE}::test_a_dynamic_size_is_given"),
    _of(
        "kernel covers falls back to TVM's code",
        f"{ZOO}::test_every_step_of_a_small_form_equals_onnxruntime",
        "segmenter/test_segmenters.py::test_files_of_others_are_right",
    ),
    _of(
        "classifiers: MobileNetV1, V2, MnasNet, EfficientNet-Lite",
        f"{ZOO}::test_every_step_equals_onnxruntime",
        f"{HERE}::test_classifiers_of_files_are_fused",
    ),
    _of("| detectors and segmenters from `mnv2c export` |", f"{HERE}::test_exported_models_compute_what_the_file_does"),
    _of(
        "logits that must come out as NCHW cost a transpose",
        "segmenter/test_segmenters.py::test_files_of_others_are_right",
        f"{ZOO}::test_every_step_of_a_small_form_equals_onnxruntime",
    ),
    # Weights.
    _of(
        "`--weights FILE` takes `.safetensors`, or PyTorch's `.pth`",
        f"{HERE}::test_weights_of_every_source",
        f"{HERE}::test_weights_of_pytorch",
    ),
    *(
        _of(text, f"{HERE}::test_weights_of_every_source")
        for text in (
            "| torchvision | `mobilenet_v2` |",
            "| timm | `mobilenetv2_050`, `mobilenetv2_100`, `mobilenetv2_110d`, `mobilenetv2_120d`, `mobilenetv2_140`",
            "`MobileNetV2ForImageClassification`; 1001 classes, the first is the background",
            "`MobileNetV2ForSemanticSegmentation` (DeepLabv3, 21 classes)",
            "| TensorFlow Object Detection | `ssdlite_mobilenet_v2_coco`",
            "| qfgaohao (pytorch-ssd) | `mb2-ssd-lite` |",
            "| mnv2c's own names (`block_2.expand.weight`) | all |",
        )
    ),
    _of(
        "`mnv2c.learning.reference.Classifier(spec)`, `.Detector(spec)` and `.Segmenter(spec)`",
        "learning/reference/test_reference.py::test_agrees_with_onnxruntime",
        "learning/reference/test_heads.py::test_detectors_agree_with_onnxruntime",
        "learning/reference/test_heads.py::test_segmenters_agree_with_onnxruntime",
    ),
    _of(
        "Given equal tensors, library and PyTorch agree to 0.1 point",
        "learning/evaluation/test_shipped_weights.py::test_the_library_is_as_accurate_as_the_module",
    ),
    # CPUs and systems.
    *(
        _of(text, f"{HERE}::test_every_target")
        for text in (
            "| `host` | this machine, detected |",
            "| `x86-64-v3`, `x86-64-v4` |",
            "| `znver4`, `sapphirerapids` |",
            "| `znver3` |",
            "| `aarch64` | any 64-bit ARM |",
            "| `cortex-a53`, `cortex-a55`, `cortex-a72`, `cortex-a76`, `cortex-a78`, `cortex-x1`, `neoverse-n1` |",
            "| `cortex-a7` | 32-bit ARM with NEON and VFPv4 |",
            "| `android-arm64` | any 64-bit Android device |",
        )
    ),
    _of(
        "the same kernels run under qemu with `--target apple-m1 --libc gnu`",
        "numerics/test_other_platforms.py::test_the_other_arm_cores_are_right",
    ),
    _of("`--libc` chooses the system: `gnu` (glibc 2.17 or newer), `musl`", f"{HERE}::test_every_c_library"),
    _of("`--target my.toml` takes your own", f"{HERE}::test_an_own_target"),
    _of(
        "One library can have kernels for several CPUs",
        "compiler/test_variants.py::test_a_library_for_two_x86_cpus",
        "compiler/test_variants.py::test_cpus_that_pack_alike_share_weights",
    ),
    _of(
        '`NAME_set_variant(&context, "cortex-a55")` takes others between two runs',
        "runtime/test_variants.py::test_a_library_chooses_and_obeys",
    ),
    # Ways to compile and to run.
    _of(
        "Results are the same bits for any number of threads",
        "numerics/test_threads.py::test_four_threads",
        "numerics/test_threads.py::test_other_numbers_of_threads",
    ),
    _of("or an application's own pool shares the work", f"{HERE}::test_a_pool_of_the_applications_own"),
    _of(
        "Every plan computes the same network to the same tolerance",
        "compiler/test_arena_limit.py::test_the_smallest_the_fastest_and_one_between_are_libraries_that_are_right",
        "compiler/test_arena_limit.py::test_every_plan_of_the_frontier_is_a_library_that_is_right",
    ),
    _of(
        "| `--arena-limit BYTES`, `--no-join` |",
        f"{HERE}::test_without_joins",
        "numerics/test_detectors.py::test_however_the_work_is_cut",
    ),
    _of("| `--schedules DIR` |", "compiler/test_schedules.py::test_a_compile_follows_records_and_says_so"),
    _of(
        "the static library; two models link into one program",
        "compiler/test_compile.py::test_two_models_link_into_one_program",
    ),
    _of(
        "or any C compiler for the target",
        "numerics/test_library.py::test_the_example_runs",
        "package/test_build_systems.py::test_pkg_config_builds_the_example",
    ),
    _of(
        "`net_run` still takes and gives raw tensors", "numerics/test_library.py::test_it_is_right_in_exactly_its_arena"
    ),
    _of("`mnv2c.load(dir)(x)`", "runtime/test_library.py::test_it_computes"),
    # Frames and answers.
    _of(
        "RGB, RGBA, BGR, NV12, NV21 or YUYV, 8 bits per value, of any size up to 32,767 pixels to a side and any",
        f"{FRAMES}::test_any_frame",
        f"{FRAMES}::test_extreme_sizes",
    ),
    _of("It turns them (0, 90, 180, 270 degrees), stretches, letterboxes or crops them", f"{FRAMES}::test_any_frame"),
    _of(
        "resizes (bilinear, pixel centres at a half, borders repeated)",
        f"{FRAMES}::test_resizing_is_interpolate_of_torch",
    ),
    _of(
        "YUV is BT.601 with luma from 16 to 235 unless `frame.yuv` says BT.709 or full range",
        f"{FRAMES}::test_any_frame",
        f"{FRAMES}::test_jpeg_colours_are_those_of_pillow",
    ),
    _of(
        "detectors decode boxes and drop overlapping ones, masks get the size of the frame, classifiers sort",
        "frames/test_compiled.py::test_one_call_gives_what_its_steps_give_for_boxes",
        "frames/test_compiled.py::test_one_call_gives_what_its_steps_give_for_a_mask",
        "frames/test_compiled.py::test_one_call_gives_what_its_steps_give_for_classes",
        "frames/test_boxes.py::test_random_outputs",
    ),
    _of(
        "the conventions of the TensorFlow Object Detection API, torchvision or qfgaohao",
        "frames/test_boxes.py::test_random_outputs",
        "frames/test_boxes.py::test_suppression_is_that_of_onnxruntime",
    ),
    _of("| `--mean R,G,B`, `--std R,G,B` |", "frames/test_compiled.py::test_the_input_is_the_one_that_numpy_makes"),
    _of(
        'averages segmenters compiled with `output = "logits"` at several sizes and over the mirror image',
        "frames/test_compiled.py::test_averaged_segmenters",
    ),
    _of(
        "`mnv2c eval dist --data imagenet`".strip("`"),
        "learning/evaluation/test_eval.py::test_a_compiled_library_is_measured",
    ),
)
