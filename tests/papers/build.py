"""Small papers and archives for the tests of the loaders, made here so that nothing is copied from anywhere."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Literal

PROSE = "We study how widgets behave when their gears are exchanged, and report what follows from it. "
BODY = PROSE * 12

MAIN = r"""\documentclass{article}
\newcommand{\ours}{\textsc{Gearbox}}
\newcommand{\eat}[1]{}
\title{Gearbox: \\ Widgets with \emph{Exchangeable} Gears}
\begin{document}
\maketitle
\begin{abstract}
We present \ours{}, a widget. % and nobody knows why
It turns 3.5\% faster.
\end{abstract}
\section{Introduction}
\input{sections/intro}
% \section{Secret plans}
\section{Method}
\eat{This text was withdrawn.}The method is \ours.
\section{Experiments}
\begin{table}
\caption{Results.}
\begin{tabular}{lc}
full & 81.25 \\
w/o gears & 77.50 \\ % 99.99
\end{tabular}
\end{table}
\appendix
\section{More results}
More.
\bibliography{refs}
\end{document}
Text after the end is not part of the paper.
"""

WHOLE = MAIN.replace("\\input{sections/intro}", BODY)


def tree(root: Path, files: dict[str, str | bytes]) -> Path:
    """Write files below a folder and give the folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def latex_paper(root: Path, **more: str | bytes) -> Path:
    """A LaTeX tree of two files, and more where they are given."""
    return tree(root, {"main.tex": MAIN, "sections/intro.tex": BODY, **more})


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of the files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


Packing = Literal["", "gz", "bz2", "xz"]


def tarred(files: dict[str, bytes], *, packing: Packing = "gz", extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """A tar of the files, packed or not, with further members that are no files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{packing}") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in extra:
            archive.addfile(member)
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A member that is a link or a device."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def gzipped(data: bytes) -> bytes:
    """The data in a single gzip."""
    return gzip.compress(data, mtime=0)
