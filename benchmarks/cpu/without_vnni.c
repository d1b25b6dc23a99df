/* Hides instruction sets from a program: preload it, and the CPU has AVX2 and FMA, but no AVX-512, VNNI or AMX.
 *
 * Intel CPUs since 2012, and some others, let Linux fault on CPUID (arch_prctl(ARCH_SET_CPUID), "cpuid_fault"
 * in /proc/cpuinfo). Each fault is answered here with the real answer less some bits. Programs that ask CPUID then
 * take other kernels, and run at full speed. /proc/cpuinfo stays as it is, and so do libraries that asked before.
 * Exit code 77: this CPU or system does not fault. See benchmarks/other_cpu.py.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef ARCH_SET_CPUID
#define ARCH_SET_CPUID 0x1012
#endif
#define BIT(n) (1u << (n))

typedef int (*sigaction_function)(int, const struct sigaction *, struct sigaction *);

static sigaction_function real_sigaction;
/* What the program asked for itself: it gets faults that are none of ours. */
static struct sigaction programs_own;

static void answer(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *at = (const unsigned char *)registers[REG_RIP];
    (void)number;
    (void)info;
    if (at[0] != 0x0f || at[1] != 0xa2) { /* no CPUID: a real fault, which comes again at once */
        real_sigaction(SIGSEGV, &programs_own, NULL);
        return;
    }
    unsigned leaf = (unsigned)registers[REG_RAX], part = (unsigned)registers[REG_RCX], a, b, c, d;
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    __cpuid_count(leaf, part, a, b, c, d);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    if (leaf == 7 && part == 0) {
        /* AVX-512: F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS,
           VP2INTERSECT, FP16. AMX: BF16, TILE, INT8. */
        b &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
        c &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));
        d &= ~(BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25));
    }
    if (leaf == 7 && part == 1) { /* AVX-VNNI, AVX512-BF16, AMX-FP16, AVX-IFMA; AVX-VNNI-INT8 and later */
        a &= ~(BIT(4) | BIT(5) | BIT(21) | BIT(23));
        d = 0;
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

/* Programs that install a handler of their own for faults (Python's faulthandler) must not take ours away. */
int sigaction(int number, const struct sigaction *wanted, struct sigaction *before)
{
    if (!real_sigaction)
        real_sigaction = (sigaction_function)dlsym(RTLD_NEXT, "sigaction");
    if (number != SIGSEGV)
        return real_sigaction(number, wanted, before);
    if (before)
        *before = programs_own;
    if (wanted)
        programs_own = *wanted;
    return 0;
}

__attribute__((constructor)) static void start(void)
{
    struct sigaction ours = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    real_sigaction = (sigaction_function)dlsym(RTLD_NEXT, "sigaction");
    real_sigaction(SIGSEGV, &ours, NULL);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0)) {
        fputs("this CPU or system cannot fault on CPUID\n", stderr);
        _exit(77);
    }
}
