"""LaTeX: files to one flattened text, and its title, abstract and sections; nothing is compiled or executed."""
