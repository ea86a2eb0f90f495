"""C and C++ sources of a micro export: the network as an array, and what its front end and its answers need."""

import json
from importlib import resources

import numpy as np

from speechzoo.exporters.micro.arena import with_headroom
from speechzoo.exporters.micro.operators import resolver_method
from speechzoo.frontends import fixed_point

HAND_WRITTEN = ("frontend.h", "frontend.c")


def hand_written() -> dict[str, str]:
    """File name -> text of the sources that are the same for every model."""
    folder = resources.files("speechzoo.exporters.micro") / "c"
    return {name: (folder / name).read_text(encoding="utf-8") for name in HAND_WRITTEN}


def model_data(network: bytes) -> dict[str, str]:
    """`model_data.h` and `model_data.cc`: the network, aligned as the interpreter needs it."""
    header = _guarded("MODEL_DATA", """\
#include <cstddef>

extern const unsigned char speechzoo_model[];
extern const std::size_t speechzoo_model_size;
""")
    source = f"""{_GENERATED}#include "model_data.h"

alignas(16) const unsigned char speechzoo_model[] = {{
{_numbers(network)}
}};
const std::size_t speechzoo_model_size = sizeof(speechzoo_model);
"""
    return {"model_data.h": header, "model_data.cc": source}


def model_settings(micro, num_frames: int, arena: int, operators: list[str]) -> str:
    """`model_settings.h`: what the network takes and gives.

    Args:
        micro: The `MicroModel`.
        num_frames: Frames of features that the network takes at once.
        arena: Estimated bytes of the tensor arena.
        operators: Those of the network.
    """
    heads = micro.heads
    lines = ["/* The network takes this many frames of features, the oldest first, and gives int8 logits:",
             "   logit = scale x (value - zero point). */",
             f"#define SPEECHZOO_NUM_FRAMES {num_frames}",
             f"#define SPEECHZOO_FEATURE_SCALE {micro.feature_quantization[0]!r}f",
             f"#define SPEECHZOO_FEATURE_ZERO_POINT {micro.feature_quantization[1]}", "",
             "/* A fifth above the estimate, for what the interpreter needs while it plans; cut it to what works. */",
             f"#define SPEECHZOO_ARENA_BYTES {with_headroom(arena)}", "",
             f"#define SPEECHZOO_NUM_HEADS {len(heads)}", "typedef struct {", "  const char* name;",
             "  int num_classes;", "  const char* const* classes;", "  float scale;", "  int zero_point;",
             "} SpeechzooHead;", ""]
    for number, classes in enumerate(heads.values()):
        names = ", ".join(json.dumps(name) for name in classes)
        lines.append(f"static const char* const speechzoo_classes_{number}[] = {{{names}}};")
    lines += ["/* In the order of the network's outputs. */",
              "static const SpeechzooHead speechzoo_heads[SPEECHZOO_NUM_HEADS] = {"]
    lines += [f"    {{{json.dumps(head)}, {len(classes)}, speechzoo_classes_{number}, "
              f"{micro.quantization[head][0]!r}f, {micro.quantization[head][1]}}},"
              for number, (head, classes) in enumerate(heads.items())]
    lines += ["};", "", "/* The operators of the network: MicroMutableOpResolver<SPEECHZOO_NUM_OPERATORS>, and on it",
              "   SPEECHZOO_ADD_OPERATORS(resolver). */",
              f"#define SPEECHZOO_NUM_OPERATORS {len(operators)}", "#define SPEECHZOO_ADD_OPERATORS(resolver) \\"]
    lines += [" \\\n".join(f"  (resolver).{resolver_method(name)}();" for name in operators), ""]
    return _guarded("MODEL_SETTINGS", "\n".join(lines))


def frontend_tables(tables: fixed_point.FixedPointLogMel, sample_rate: int) -> str:
    """`frontend_tables.h`: the constants that `frontend.c` computes with."""
    defines = {"SAMPLE_RATE": sample_rate, "HOP_LENGTH": tables.hop_length, "WINDOW_LENGTH": tables.window_length,
               "FFT_LENGTH": tables.fft_length, "NUM_MEL_BINS": len(tables.multipliers), "LOOKBACK": tables.lookback,
               "PREEMPHASIS": tables.preemphasis, "PREEMPHASIS_BITS": fixed_point.PREEMPHASIS_BITS,
               "WINDOW_SHIFT": tables.window_shift, "TWIDDLE_BITS": fixed_point.TWIDDLE_BITS,
               "POWER_SHIFT": tables.power_shift, "FLOOR": f"UINT64_C({tables.floor})",
               "LOG_BITS": fixed_point.LOG_BITS,
               "LOG_SEGMENT_BITS": fixed_point.LOG_SEGMENTS.bit_length() - 1,
               "FEATURE_BITS": fixed_point.FEATURE_BITS}
    arrays = {"uint16_t window": tables.window, "int32_t twiddles": tables.twiddles.ravel(),
              "uint16_t filter_starts": tables.filter_starts, "uint16_t filter_sizes": tables.filter_sizes,
              "uint16_t filter_weights": tables.filter_weights, "uint16_t logarithms": tables.logarithms,
              "int32_t multipliers": tables.multipliers, "int64_t offsets": tables.offsets}
    text = ["#include <stdint.h>", ""]
    text += [f"#define SPEECHZOO_{name} {value}" for name, value in defines.items()]
    for name, values in arrays.items():
        kind, _, name = name.partition(" ")
        text += ["", f"static const {kind} speechzoo_{name}[] = {{", _numbers(values, "LL" * (kind == "int64_t")), "};"]
    return _guarded("FRONTEND_TABLES", "\n".join(text) + "\n")


_GENERATED = "/* Written by speechzoo export --format micro. */\n"


def _guarded(name, text):
    return (f"{_GENERATED}#ifndef SPEECHZOO_{name}_H_\n#define SPEECHZOO_{name}_H_\n\n{text}\n"
            f"#endif /* SPEECHZOO_{name}_H_ */\n")


def _numbers(values, suffix="", each=16):
    values = [f"{int(value)}{suffix}" for value in np.frombuffer(values, np.uint8)] if isinstance(values, bytes) else [
        f"{int(value)}{suffix}" for value in values]
    return "\n".join("    " + ", ".join(values[start:start + each]) + "," for start in range(0, len(values), each))
