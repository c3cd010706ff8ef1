static int cpu_has_features(void)
{
    return 1; /* every Mac with such a CPU will do */
}
