"""What makes one way faster than another: learnt from what was measured, it says what to measure next."""
