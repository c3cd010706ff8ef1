/* See measure.h. */
#include "measure.h"

#include "machine.h"
#include "rounds.h"
#include "text.h"

enum { MOST_COSTS = 50, STACK_STEP = 65536 };

static const double PRECISION = 0.002, ROUNDS_SHARE = 2.0 / 3;

static bench memory;
static timing found;
static text line;

static void begin_line(unsigned which, const char *status)
{
    line.length = 0;
    add(&line, "{\"number\": ");
    add_integer(&line, (long)which);
    add(&line, ", \"status\": \"");
    add(&line, status);
    add(&line, "\"");
}

static void add_name(const char *name)
{
    add(&line, ", \"");
    add(&line, name);
    add(&line, "\": ");
}

static void add_entry(const char *name, double value)
{
    add_name(name);
    add_number(&line, value);
}

static void add_list(const char *name, const double *values, unsigned count)
{
    unsigned i;
    add_name(name);
    add(&line, "[");
    for (i = 0; i < count; ++i) {
        add(&line, i > 0 ? ", " : "");
        add_number(&line, values[i]);
    }
    add(&line, "]");
}

/* What was read before and after; nothing where the machine does not tell. */
static void add_readings(const char *name, double before, double after)
{
    const double readings[2] = {before, after};
    if (before >= 0 && after >= 0) {
        add_list(name, readings, 2);
    }
}

static void end_line(long file)
{
    add(&line, "}\n");
    write_all(file, line.content, line.length);
}

static void write_fault(long file, unsigned which, const char *status, const char *detail, double error)
{
    begin_line(which, status);
    if (error > 0) {
        add_entry("error", error);
    }
    add_name("detail");
    add(&line, "\"");
    add(&line, detail);
    add(&line, "\"");
    end_line(file);
}

/* At most MOST_COSTS of the rounds' costs, evenly spread. */
static void add_costs(void)
{
    static double chosen[MOST_COSTS];
    const unsigned count = found.rounds < MOST_COSTS ? found.rounds : MOST_COSTS;
    unsigned i;
    for (i = 0; i < count; ++i) {
        chosen[i] = found.costs[i * found.rounds / count];
    }
    add_list("costs", chosen, count);
}

/* Two checks: before the rounds, and after them, when scratch memory has been used a thousand times. */
static verdict measure_here(const order *wanted, unsigned which, double start)
{
    const candidate *const each[2] = {&SUBJECT.candidates[0], &SUBJECT.candidates[which]};
    const int pinned = wanted->core >= 0 && pin(wanted->core, SUBJECT.threads);
    verdict first = {0, NULL}, second;
    double hertz, celsius;
    int core;
    if (!prepare(&memory, each, 0)) {
        first.fault = "not enough memory, or no threads";
        return first;
    }
    first = check(&memory, each[1], 1);
    if (first.fault != NULL) {
        return first;
    }
    core = pinned ? wanted->core : current_core();
    hertz = frequency(core);
    celsius = temperature();
    if (!time_rounds(&memory, each, PRECISION / wanted->seconds, start + wanted->seconds * ROUNDS_SHARE, &found)) {
        first.fault = "the kernel returned an error";
        return first;
    }
    second = check(&memory, each[1], 1);
    second.error = second.error < first.error && second.fault == NULL ? first.error : second.error;
    begin_line(which, "ok");
    add_entry("cost", found.cost);
    add_entry("default_cost", found.default_cost);
    add_list("default_costs", found.state_costs, STATES);
    add_list("ratios", found.state_ratios, STATES);
    add_entry("ratio", found.ratio);
    add_entry("spread", found.spread);
    add_entry("error", second.error);
    add_name("rounds");
    add_integer(&line, (long)found.rounds);
    add_name("core");
    add_integer(&line, core);
    add_name("pinned");
    add(&line, pinned ? "true" : "false");
    add_readings("hertz", hertz, frequency(core));
    add_readings("celsius", celsius, temperature());
    add_costs();
    return second;
}

static void measure_in_child(const order *wanted, unsigned which)
{
    const double start = now();
    verdict seen;
    forget_signals();
    kill_after(wanted->seconds);
    seen = measure_here(wanted, which, start);
    if (seen.fault != NULL) {
        write_fault(wanted->file, which, "wrong", seen.fault, seen.error);
    } else {
        end_line(wanted->file);
    }
    leave(0);
}

/* What became of a child that left no line. */
static void write_ending(const order *wanted, unsigned which, ending how)
{
    text detail = {0, ""};
    if (how.signal == SIGNAL_ALARM) {
        add(&detail, "not done within ");
        add_number(&detail, wanted->seconds);
        add(&detail, " s");
    } else {
        add(&detail, how.signal != 0 ? "signal " : "exit code ");
        add_integer(&detail, how.signal != 0 ? how.signal : how.code);
    }
    detail.content[detail.length] = '\0';
    write_fault(wanted->file, which, how.signal == SIGNAL_ALARM ? "hung" : "crashed", detail.content, 0);
}

void measure_one(const order *wanted, unsigned which)
{
    const long child = fork_process();
    ending how;
    if (child == 0) {
        measure_in_child(wanted, which);
    }
    if (child < 0) {
        write_fault(wanted->file, which, "lost", "no process can be started", 0);
        return;
    }
    how = wait_for(child);
    if (how.signal != 0 || how.code != 0) {
        write_ending(wanted, which, how);
    }
}

static int count_parts(unsigned which)
{
    const candidate *const chosen = &SUBJECT.candidates[which];
    unsigned phase, part;
    int failed = 0;
    refresh(&memory, chosen, 0, 0);
    for (phase = 0; phase < chosen->phases; ++phase) {
        for (part = 0; part < chosen->parts; ++part) {
            marker();
            failed |= run_part(&memory, chosen, 0, phase, part);
        }
    }
    marker();
    return failed;
}

int count_one(unsigned which)
{
    /* Where the stack begins depends on arguments and environment, so it is moved on to a round address. */
    volatile unsigned char unused[(uintptr_t)__builtin_frame_address(0) % STACK_STEP + 1];
    const candidate *const each[2] = {&SUBJECT.candidates[which], &SUBJECT.candidates[which]};
    verdict seen = {0, "not enough memory, or no threads"};
    unused[0] = 0;
    if (prepare(&memory, each, 1)) {
        seen = check(&memory, each[0], 0);
    }
    if (seen.fault == NULL && count_parts(which)) {
        seen.fault = "the kernel returned an error";
    }
    if (seen.fault != NULL) {
        write_fault(STANDARD_OUTPUT, which, "wrong", seen.fault, seen.error);
        return 0;
    }
    begin_line(which, "ok");
    add_entry("error", seen.error);
    add_name("phases");
    add_integer(&line, (long)each[0]->phases);
    add_name("parts");
    add_integer(&line, (long)each[0]->parts);
    end_line(STANDARD_OUTPUT);
    return 0;
}

long candidate_of(const char *words, const char **end)
{
    const double value = number(words, end);
    return *end != words && value >= 0 && value < SUBJECT.candidates_count ? (long)value : -1;
}

int usage(void)
{
    const char *const words = "usage: measure SECONDS CORE NUMBER... | measure count NUMBER\n";
    size_t length = 0;
    while (words[length] != '\0') {
        ++length;
    }
    write_all(STANDARD_ERROR, words, length);
    return UNUSABLE;
}
