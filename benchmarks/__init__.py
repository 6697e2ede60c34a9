"""What the engine costs, beside what a bare loop costs, in one run on one machine."""
