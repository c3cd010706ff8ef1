/* The measuring program with a libc and a sanitizer: every status of candidate comes through it, and threads. */
#include <stdio.h>
#include <stdlib.h>

int program(int argc, char **argv);

int main(int argc, char **argv)
{
    return program(argc, argv);
}
