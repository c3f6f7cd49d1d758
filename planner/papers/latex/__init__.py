"""Read LaTeX papers without compiling or executing anything."""
