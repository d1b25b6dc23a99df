"""What is read of a processor in what Linux says of it."""

from __future__ import annotations

import platform

import pytest

from edge_runtime.engines.cpu import cpu, cpu_of

X86 = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n"
    "flags\t\t: fpu sse4_2 avx2 fma f16c\nbugs\t\t: amx_bf16\n"
)
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp bf16\n\nModel\t: Raspberry Pi 5\n"


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (X86, ()),
        (X86.replace("f16c", "f16c amx_bf16 amx_tile amx_int8"), ("amx_bf16",)),
        (X86.replace("f16c", "f16c avx512_bf16"), ("avx512_bf16",)),
        (X86.replace("f16c", "f16c avx512_vnni avx512_fp16"), ()),
        (ARM, ()),
        ("", ()),
    ],
)
def test_bfloat16_is_judged_by_the_flags(cpuinfo: str, expected: tuple[str, ...]) -> None:
    assert cpu_of(cpuinfo).bfloat16_flags == expected


def test_a_processor_is_named_with_its_int8_instructions() -> None:
    assert cpu_of(X86.replace("fma", "avx512_vnni"))[:2] == ("AMD EPYC", ("avx2", "avx512_vnni"))
    assert cpu_of(ARM)[:2] == ("Raspberry Pi 5", ("asimddp",))


def test_another_system_names_its_architecture() -> None:
    assert cpu_of("").name in (platform.processor(), platform.machine())
    assert cpu().name
