"""Plans in formats that other programs read: tables, sweeps, issues, LaTeX and Markdown."""
