"""Write small PDFs by their syntax, so that a test can say exactly what a page paints."""

from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 612, 792
PLAIN, BOLD, SIGNS, DINGBATS, ITALIC = "F1", "F2", "F3", "F4", "F5"
TICK = "3"  # in the fourth font

# Codes of the third font, whose glyphs have the names of ligatures.
_SIGNS = {1: "fi", 2: "fl", 3: "ff", 5: "plusminus", 7: "ffi"}


@dataclass
class Page:
    """One page: content operators in painting order."""

    operators: list[str] = field(default_factory=list)
    rotate: int = 0

    def text(
        self,
        x: float,
        y: float,
        string: str,
        size: float = 10,
        font: str = PLAIN,
        colour: tuple[float, float, float] = (0, 0, 0),
        mode: int = 0,
        turned: bool = False,
    ) -> "Page":
        matrix = f"0 1 -1 0 {x} {y}" if turned else f"1 0 0 1 {x} {y}"
        fill = " ".join(map(str, colour))
        self.operators.append(f"BT {fill} rg {mode} Tr /{font} {size} Tf {matrix} Tm ({_escaped(string)}) Tj ET")
        return self

    def lines(self, x: float, top: float, strings: Sequence[str], size: float = 10, leading: float = 12) -> "Page":
        for at, string in enumerate(strings):
            self.text(x, top - at * leading, string, size)
        return self

    def box(self, x: float, y: float, width: float, height: float, colour: tuple[float, float, float]) -> "Page":
        fill = " ".join(map(str, colour))
        self.operators.append(f"{fill} rg {x} {y} {width} {height} re f")
        return self

    def picture(self, x: float, y: float, width: float, height: float) -> "Page":
        image = "BI /W 1 /H 1 /CS /G /BPC 8 ID \x7f EI"
        self.operators.append(f"q {width} 0 0 {height} {x} {y} cm {image} Q")
        return self


@dataclass(frozen=True)
class Entry:
    """An item of the outline that leads to a page, counted from 1; `children` stand under it."""

    title: str
    page: int
    children: tuple["Entry", ...] = ()


class _Writer:
    def __init__(self) -> None:
        self.objects: list[bytes] = []

    def reserve(self) -> int:
        self.objects.append(b"null")
        return len(self.objects)

    def put(self, number: int, body: str) -> int:
        self.objects[number - 1] = body.encode("latin-1")
        return number

    def add(self, body: str) -> int:
        return self.put(self.reserve(), body)

    def bytes(self, trailer: str) -> bytes:
        out = bytearray(b"%PDF-1.5\n")
        offsets = []
        for number, body in enumerate(self.objects, 1):
            offsets.append(len(out))
            out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
        out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
        size = len(offsets) + 1
        out += f"trailer\n<< /Size {size} {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode("latin-1")
        return bytes(out)


def pdf(
    pages: Sequence[Page], outline: Sequence[Entry] = (), title: str = "", encrypted: bool = False, extra: str = ""
) -> bytes:
    """Return a PDF of the pages; `encrypted` gives it a password that nobody knows."""
    writer = _Writer()
    tree = writer.reserve()
    fonts = _fonts(writer)
    numbers = [_page(writer, page, tree, fonts) for page in pages]
    kids = " ".join(f"{number} 0 R" for number in numbers)
    writer.put(tree, f"<< /Type /Pages /Kids [{kids}] /Count {len(numbers)} >>")
    outlines = f"/Outlines {_outline(writer, outline, numbers)} 0 R" if outline else ""
    catalog = writer.add(f"<< /Type /Catalog /Pages {tree} 0 R {outlines} {extra} >>")
    info = writer.add(f"<< /Title ({_escaped(title)}) >>")
    trailer = f"/Root {catalog} 0 R /Info {info} 0 R"
    if encrypted:
        secret = "00" * 32
        locked = writer.add(f"<< /Filter /Standard /V 1 /R 2 /O <{secret}> /U <{secret}> /P -1 >>")
        trailer += f" /Encrypt {locked} 0 R /ID [<00> <00>]"
    return writer.bytes(trailer)


def _fonts(writer: _Writer) -> str:
    names = {PLAIN: "Times-Roman", BOLD: "Times-Bold", ITALIC: "Times-Italic"}
    parts = [
        f"/{key} << /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>"
        for key, name in names.items()
    ]
    signs = " ".join(f"{code} /{name}" for code, name in _SIGNS.items())
    encoding = f"<< /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [{signs}] >>"
    parts.append(f"/{SIGNS} << /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding {encoding} >>")
    parts.append(f"/{DINGBATS} << /Type /Font /Subtype /Type1 /BaseFont /ZapfDingbats >>")
    number = writer.add(f"<< {' '.join(parts)} >>")
    return f"{number} 0 R"


def _page(writer: _Writer, page: Page, tree: int, fonts: str) -> int:
    content = "\n".join(page.operators)
    stream = writer.add(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    return writer.add(
        f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Rotate {page.rotate}"
        f" /Resources << /Font {fonts} >> /Contents {stream} 0 R >>"
    )


def _outline(writer: _Writer, entries: Sequence[Entry], pages: Sequence[int]) -> int:
    root = writer.reserve()
    first, last = _level(writer, entries, root, pages)
    return writer.put(root, f"<< /Type /Outlines /First {first} 0 R /Last {last} 0 R /Count {len(entries)} >>")


def _level(writer: _Writer, entries: Sequence[Entry], parent: int, pages: Sequence[int]) -> tuple[int, int]:
    numbers = [writer.reserve() for _ in entries]
    for at, (number, entry) in enumerate(zip(numbers, entries, strict=True)):
        links = f"/Prev {numbers[at - 1]} 0 R " if at else ""
        links += f"/Next {numbers[at + 1]} 0 R " if at + 1 < len(numbers) else ""
        if entry.children:
            first, last = _level(writer, entry.children, number, pages)
            links += f"/First {first} 0 R /Last {last} 0 R /Count {len(entry.children)} "
        target = f"/Dest [{pages[entry.page - 1]} 0 R /Fit]"
        writer.put(number, f"<< /Title ({_escaped(entry.title)}) /Parent {parent} 0 R {links}{target} >>")
    return numbers[0], numbers[-1]


def _escaped(string: str) -> str:
    return string.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
