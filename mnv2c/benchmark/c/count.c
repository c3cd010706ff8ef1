/*
 * A plugin for qemu's user-mode emulators: executed instructions, memory accesses, and misses of two levels of cache.
 *
 *   qemu-ARCH -plugin ./count.so,l1=BYTES,l2=BYTES,ways1=N,ways2=N PROGRAM...
 *
 * counts between the marker system calls of the program (system.c of the harness) and writes one line per interval into
 * counts.txt: instructions, loads, stores, first-level misses, second-level misses. An access counts as qemu performs
 * it: a pair of vector registers is more than one. Only the program's data goes through the caches, not its code.
 *
 * No header of qemu is needed: what is used of its interface is declared here. PLUGIN_VERSION is 1 up to qemu 8, 2 since.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

enum { MARKER = 28014, NO_REGISTERS = 0, READS_AND_WRITES = 3 };

typedef uint64_t plugin_id;
typedef uint32_t access_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

typedef void (*on_block)(plugin_id, struct qemu_plugin_tb *);
typedef void (*on_execution)(unsigned cpu, void *data);
typedef void (*on_access)(unsigned cpu, access_info, uint64_t address, void *data);
typedef void (*on_call)(plugin_id, unsigned cpu, int64_t number, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                        uint64_t, uint64_t, uint64_t);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, on_block);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, on_execution, int flags, void *data);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, on_access, int flags, int kinds, void *data);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, on_call);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t index);
extern unsigned qemu_plugin_mem_size_shift(access_info);
extern bool qemu_plugin_mem_is_store(access_info);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = PLUGIN_VERSION;
EXPORT int qemu_plugin_install(plugin_id, const struct qemu_info *, int argc, char **argv);

enum { INSTRUCTIONS, LOADS, STORES, MISSES_1, MISSES_2, COUNTERS };

static uint64_t counters[COUNTERS], before[COUNTERS];
static cache level1, level2;
static FILE *file;
static unsigned markers;

static void executed(unsigned cpu, void *instructions)
{
    (void)cpu;
    counters[INSTRUCTIONS] += (uintptr_t)instructions;
}

static void accessed(unsigned cpu, access_info info, uint64_t address, void *data)
{
    const uint64_t last = (address + (1ull << qemu_plugin_mem_size_shift(info)) - 1) >> LINE_BITS;
    uint64_t line;
    (void)cpu;
    (void)data;
    ++counters[qemu_plugin_mem_is_store(info) ? STORES : LOADS];
    for (line = address >> LINE_BITS; line <= last; ++line) {
        if (!cache_access(&level1, line)) {
            ++counters[MISSES_1];
            counters[MISSES_2] += !cache_access(&level2, line);
        }
    }
}

static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
    const size_t count = qemu_plugin_tb_n_insns(block);
    size_t i;
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, NO_REGISTERS, (void *)(uintptr_t)count);
    for (i = 0; i < count; ++i) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        qemu_plugin_register_vcpu_mem_cb(instruction, accessed, NO_REGISTERS, READS_AND_WRITES, NULL);
    }
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    int i;
    (void)id, (void)cpu, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number != MARKER) {
        return;
    }
    for (i = 0; markers > 0 && i < COUNTERS; ++i) {
        fprintf(file, "%llu%c", (unsigned long long)(counters[i] - before[i]), i + 1 < COUNTERS ? ' ' : '\n');
    }
    ++markers;
    fflush(file);
    memcpy(before, counters, sizeof counters);
}

/* The number after NAME= among the arguments, 0 if it is not there. */
static size_t option(int argc, char **argv, const char *name)
{
    const size_t length = strlen(name);
    int i;
    for (i = 0; i < argc; ++i) {
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=') {
            return strtoul(argv[i] + length + 1, NULL, 10);
        }
    }
    return 0;
}

static bool make(cache *level, size_t bytes, size_t ways)
{
    level->ways = ways;
    level->sets = ways == 0 ? 0 : (bytes >> LINE_BITS) / ways;
    level->lines = calloc(level->sets * ways, sizeof *level->lines);
    return level->sets > 0 && level->lines != NULL;
}

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    file = fopen("counts.txt", "w");
    if (file == NULL || !make(&level1, option(argc, argv, "l1"), option(argc, argv, "ways1")) ||
        !make(&level2, option(argc, argv, "l2"), option(argc, argv, "ways2"))) {
        fprintf(stderr, "count: cannot write counts.txt, or a cache without lines\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
