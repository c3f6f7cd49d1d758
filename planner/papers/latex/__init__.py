"""Read LaTeX papers: flatten the files and find title, abstract and sections; nothing is compiled or executed."""
