/* The measuring program with a libc and a sanitizer: all of it is instrumented but the kernels. */

int program(int argc, char **argv);

int main(int argc, char **argv)
{
    return program(argc, argv);
}
