"""Applications: one file each, written with nothing but `wallaroo` and the schemas."""
