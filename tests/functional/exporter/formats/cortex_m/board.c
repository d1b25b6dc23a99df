/* What a program needs before main, and its one way to speak: semihosting, which QEMU answers. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern char data_start[], data_end[], data_in_flash[], bss_start[], heap_start[], stack_top[];
int main(void);

static int call_host(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void say(const char *text) {
    call_host(4 /* SYS_WRITE0 */, text);
}

static void stop(int status) {
    const uint32_t reason[2] = {0x20026 /* the program has ended */, (uint32_t)status};
    call_host(0x20 /* SYS_EXIT_EXTENDED */, reason);
    for (;;) {
    }
}

static void fault(void) {
    say("fault\n");
    stop(99);
}

/* The core asks the C library for memory, the library asks here. */
void *_sbrk(ptrdiff_t bytes) {
    static char *end = heap_start;
    char *start = end;
    end += bytes;
    return start;
}

void reset(void) {
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* lets the floating-point unit be used */
    __asm__ volatile("dsb\nisb");
#endif
    memcpy(data_start, data_in_flash, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(heap_start - bss_start));
    stop(main());
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {
    stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};
