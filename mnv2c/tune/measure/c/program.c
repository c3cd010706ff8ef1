/*
 * Measures the candidates of one chain, each in a process of its own beside the default, candidate 0.
 *
 *   measure SECONDS CORE NUMBER...
 *   measure count NUMBER
 *
 * prints one line of JSON per number. A number takes at most SECONDS: its rounds end earlier, as soon as the ratio of its
 * cost to the default's is known to within PRECISION / SECONDS, and at the latest after two thirds of them; whoever
 * needs longer is killed. CORE is the last of the cores to run on, one per thread; less than 0 leaves that to the system.
 *
 * `count` is for an emulator that counts between marker system calls: it runs the candidate twice, the second time with
 * a marker before every part and one at the end, in memory at fixed addresses so that counts repeat.
 *
 * Exit: 0 if every number has its line, 2 if the arguments are wrong.
 */
#include "measure.h"

#include "text.h"

static int measure_all(int argc, char **argv)
{
    const char *end;
    order wanted;
    int i;
    wanted.seconds = number(argv[1], &end);
    if (wanted.seconds <= 0 || *end != '\0') {
        return usage();
    }
    wanted.core = (int)number(argv[2], &end);
    wanted.file = STANDARD_OUTPUT;
    for (i = 3; i < argc && *end == '\0'; ++i) {
        const long which = candidate_of(argv[i], &end);
        if (which < 0 || *end != '\0') {
            return usage();
        }
        measure_one(&wanted, (unsigned)which);
    }
    return *end == '\0' ? 0 : usage();
}

int program(int argc, char **argv);

int program(int argc, char **argv)
{
    const char *end;
    if (argc == 3 && argv[1][0] == 'c') {
        const long which = candidate_of(argv[2], &end);
        return which < 0 || *end != '\0' ? usage() : count_one((unsigned)which);
    }
    return argc < 4 ? usage() : measure_all(argc, argv);
}
