/* What the machine tells of itself while something is measured. */
#ifndef MNV2C_MEASURE_MACHINE_H
#define MNV2C_MEASURE_MACHINE_H

#pragma GCC visibility push(hidden)

/* Of a core in Hz, of the hottest place in degrees Celsius; less than 0 where the machine does not tell. */
double frequency(int core);
double temperature(void);

#pragma GCC visibility pop
#endif
