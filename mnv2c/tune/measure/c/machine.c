/* See machine.h. */
#include "machine.h"

#include "text.h"

enum { MOST_ZONES = 16 };

/* The number in a file; -1 if it has none. */
static double number_in(const char *before, int index, const char *behind)
{
    text path = {0, ""};
    char content[32];
    const char *end;
    double value;
    add(&path, before);
    add_integer(&path, index);
    add(&path, behind);
    path.content[path.length] = '\0';
    if (read_start(path.content, content, sizeof content) <= 0) {
        return -1;
    }
    value = number(content, &end);
    return end == content ? -1 : value;
}

double frequency(int core)
{
    const double kilohertz = number_in("/sys/devices/system/cpu/cpu", core, "/cpufreq/scaling_cur_freq");
    return kilohertz < 0 ? -1 : kilohertz * 1000;
}

double temperature(void)
{
    double most = -1;
    int zone;
    for (zone = 0; zone < MOST_ZONES; ++zone) {
        const double found = number_in("/sys/class/thermal/thermal_zone", zone, "/temp") / 1000;
        most = found > most ? found : most;
    }
    return most < 0 ? -1 : most;
}
