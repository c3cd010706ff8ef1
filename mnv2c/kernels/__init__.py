"""From a chain and its schedule to one TIR kernel: builder, microkernels, stages, chain."""
