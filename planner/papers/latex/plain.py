"""Convert LaTeX titles, abstracts and headings to plain text in Unicode, without commands."""

import re
import unicodedata
from typing import Final

from planner.papers.latex.scan import BraceGroups, LatexScanner, LatexToken

_ACCENTS: Final = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
    "b": "\u0331", "t": "\u0361",
    "hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7",
}  # fmt: skip
_GREEK_SYMBOLS: Final = (
    "alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta θ iota ι kappa κ lambda λ "
    "mu μ nu ν xi ξ pi π varpi π rho ρ varrho ρ sigma σ varsigma ς tau τ upsilon υ phi φ varphi φ chi χ psi ψ omega ω "
    "Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω"
)
_OTHER_SYMBOLS: Final = (
    "aa å AA Å ae æ AE Æ oe œ OE Œ o ø O Ø l ł L Ł ss ß i ı j ȷ dh ð DH Ð th þ TH Þ dj đ DJ Đ ng ŋ "
    "times × cdot · pm ± mp ∓ div ÷ ast ∗ star ⋆ bigstar ★ bullet • circ ∘ dagger † ddagger ‡ oplus ⊕ otimes ⊗ odot ⊙ "
    "leq ≤ le ≤ geq ≥ ge ≥ neq ≠ ne ≠ approx ≈ sim ∼ simeq ≃ cong ≅ equiv ≡ ll ≪ gg ≫ propto ∝ prec ≺ succ ≻ "
    "rightarrow → to → longrightarrow ⟶ leftarrow ← gets ← leftrightarrow ↔ Rightarrow ⇒ Leftarrow ⇐ mapsto ↦ "
    "Leftrightarrow ⇔ uparrow ↑ downarrow ↓ infty ∞ partial ∂ nabla ∇ sum ∑ prod ∏ int ∫ in ∈ notin ∉ ni ∋ "
    "subset ⊂ subseteq ⊆ supset ⊃ cup ∪ cap ∩ setminus ∖ emptyset ∅ varnothing ∅ forall ∀ exists ∃ neg ¬ land ∧ lor ∨ "
    "wedge ∧ vee ∨ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ ell ℓ hbar ℏ Re ℜ Im ℑ aleph ℵ wp ℘ "
    "ldots … dots … cdots ⋯ textellipsis … S § P ¶ copyright © textregistered ® texttrademark ™ pounds £ euro € "
    "texteuro € degree ° textdegree ° checkmark ✓ heartsuit ♡ spadesuit ♠ clubsuit ♣ diamondsuit ♢ diamond ⋄ "
    "triangle △ square □ blacksquare ■ textasciitilde ~ textasciicircum ^ textbackslash \\ textbar | textless < "
    "textgreater > textquoteright ’ textquoteleft ‘ textquotedblleft “ textquotedblright ” textendash – textemdash — "
    "textperiodcentered · textmu µ prime ′ perp ⊥ parallel ∥ mid | vert | Vert ‖ lbrace { rbrace } backslash \\ "
    "natural ♮ sharp ♯ flat ♭ TeX TeX LaTeX LaTeX BibTeX BibTeX slash / quad \u2003 qquad \u2003 percent %"
)
_SYMBOLS: Final = dict(zip(*[iter((_GREEK_SYMBOLS + " " + _OTHER_SYMBOLS).split(" "))] * 2, strict=True))
_DROPPED_WITH_ONE: Final = (
    "footnote footnotetext thanks tnoteref tnotetext corref fnref vspace hspace vskip label cite citep citet citealp "
    "citealt citeauthor citeyear autocite parencite textcite nocite ref eqref cref Cref autoref pageref "
    "includegraphics color fontfamily fontseries fontshape pagestyle thispagestyle icmltitlerunning titlerunning "
    "input phantomsection index glsreset url rule vphantom hphantom phantom begin end usefont raisebox textcolor "
    "colorbox scalebox rotatebox linespread hypersetup"
)

# The number of arguments that are dropped with a command; the arguments of any other command stay.
_DROPPED_ARGUMENTS: Final = {
    **dict.fromkeys(("item", "linebreak", "footnotemark"), 0),
    **dict.fromkeys(_DROPPED_WITH_ONE.split(), 1),
    **dict.fromkeys(("fontsize", "setlength", "addtolength", "resizebox", "setcounter"), 2),
    "addcontentsline": 3,
}
_PRINTED_ARGUMENT: Final = {"texorpdfstring": 0, "ifthenelse": 1}  # the index of the argument that is printed
_IF_EMPTY: Final = re.compile(r"\\ifx\s*\\(relax|empty)\b(.*?)\\\1\b(.*?)(?:\\else\b(.*?))?\\fi\b", re.DOTALL)
_SPACE_ESCAPES: Final = frozenset(" ,;:>\n\t/")
_SPECIAL: Final = re.compile("[\\\\%{}$&~_^`'\ue000-\ue003]|--")  # characters that may not be printed as they are
_MAX_TEXT_CHARS: Final = 20_000
_LETTER_COMMANDS: Final = frozenset(
    {"aa", "AA", "ae", "AE", "oe", "OE", "o", "O", "l", "L", "ss", "i", "j", "dh", "th", "ng"}
)
_AFTER_LETTER: Final = re.compile(r"[ \t]*(?:\{\})?")  # TeX drops the space that ends a command
_AFTER_SIGN: Final = re.compile(r"\{\}")


def convert_latex_to_text(text: str) -> str:
    """Return the first 20,000 characters of a LaTeX text as plain text, with blank lines between paragraphs."""
    text = text[:_MAX_TEXT_CHARS]
    if _SPECIAL.search(text):
        text = _convert_special(text)
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    return unicodedata.normalize("NFC", "\n\n".join(p for p in paragraphs if p))


def convert_latex_to_line(text: str) -> str:
    """Return a LaTeX text as plain text in one line."""
    return " ".join(re.sub(r"\(\s*[,;]*\s*\)", "", convert_latex_to_text(text)).split())


def _convert_special(text: str) -> str:
    text = _convert_tokens(_IF_EMPTY.sub(lambda m: m[4] or "" if m[2].strip() else m[3] or "", text))
    text = text.replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”").replace("~", " ")
    text = re.sub(r"[_^](?=[\w{])|[$&]", lambda m: m[0] if m[0] in "_^" else " " if m[0] == "&" else "", text)
    return text.replace("\ue000", "$").replace("\ue001", "&").replace("\ue002", "_").replace("\ue003", "~")


def _convert_tokens(text: str) -> str:
    groups, chunks, last = BraceGroups(text), list[str](), 0
    scanner = LatexScanner(text)
    for token in scanner:
        printed, end = _convert_token(text, groups, token)
        chunks += (_remove_braces(text[last : token.start]), printed)
        last = scanner.position = end
    chunks.append(_remove_braces(text[last:]))
    return "".join(chunks)


def _remove_braces(text: str) -> str:
    return re.sub("[{}]", "", text)


def _convert_token(text: str, groups: BraceGroups, token: LatexToken) -> tuple[str, int]:
    """Return the text that a token prints, and the end of the token with its arguments."""
    if token.kind == "comment":
        return "", token.end
    if token.kind == "verbatim":
        return ("" if token.name in ("href", "url", "path") else text[token.start + 6 : token.end - 1]), token.end
    if token.kind == "escape":
        return _convert_escape(groups, token)
    name = token.name.rstrip("*")
    if name in _SYMBOLS:
        rest = (_AFTER_LETTER if name in _LETTER_COMMANDS else _AFTER_SIGN).match(text, token.end)
        return _SYMBOLS[name], rest.end() if rest else token.end
    if name in _ACCENTS and (len(name) > 1 or re.match(r"\s*[{A-Za-z\\]", text[token.end : token.end + 3])):
        return _convert_accent(groups, _ACCENTS[name], token.end)
    if name in _PRINTED_ARGUMENT:
        values, end = groups.read_arguments(token.end, 2)
        return (_convert_tokens(values[_PRINTED_ARGUMENT[name]] or "") if len(values) == 2 else ""), end
    return "", _find_command_end(groups, name, token.end)


def _convert_escape(groups: BraceGroups, token: LatexToken) -> tuple[str, int]:
    char = token.name
    if char in _ACCENTS and char != "=":
        return _convert_accent(groups, _ACCENTS[char], token.end)
    if char == "\\":  # a line's end, with the space after the line as its option
        option = groups.read_option(token.end)
        return " ", option.end if option and re.fullmatch(r"[-\d.\s\w\\]*", option.text) else token.end
    if char in _SPACE_ESCAPES or char in "!-()[]":
        return (" " if char in " ,;:>\n\t" else ""), token.end
    return {"$": "\ue000", "&": "\ue001", "_": "\ue002"}.get(char, char), token.end


def _convert_accent(groups: BraceGroups, accent: str, position: int) -> tuple[str, int]:
    values, end = groups.read_arguments(position, 1)
    if not values or not values[0]:
        return "", end
    base = values[0].strip()
    if base in ("\\i", "\\j") and not groups.text.endswith("}", position, end):
        end = _AFTER_LETTER.match(groups.text, end).end()  # type: ignore[union-attr]
    letters = re.sub(r"[\\{}]", "", base)
    return letters[:1] + accent + letters[1:], end


def _find_command_end(groups: BraceGroups, name: str, position: int) -> int:
    """Return the end of a command that prints nothing, with the arguments that belong to it."""
    if name not in _DROPPED_ARGUMENTS:
        return position
    return groups.read_arguments(groups.find_options_end(position), _DROPPED_ARGUMENTS[name])[1]
