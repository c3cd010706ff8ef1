"""Code generation: TIR to an object file, and the readable entry C."""
