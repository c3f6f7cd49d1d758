"""A corpus: every paper planned once, nothing paid lost or paid twice."""
