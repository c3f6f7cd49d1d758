"""Recognise a refusal: a short reply that says, in one of several languages, that the model cannot or will not help.

A model that cannot see or find something has not refused: it can be asked again.
"""

import re
from typing import Final

_MAX_REFUSAL_CHARS: Final = 600
_TAG: Final = re.compile(r"</?\w[^<>]{0,60}>")

# What the model says that it cannot do: to help, or to give what was asked.
_SERVE: Final = (
    r"(?:\b(?:help|assist|compl|fulfil|continue|engage|provid|offer|giv|creat|generat|produc|writ|shar|support|propos"
    r"|suggest|plan\b|answer|respond|discuss|participat|accommodat|process|fourni|aid|répond|respect|propor|ofre|gener"
    r"|cumpl|ayud|asist|realiz|contest|ajud|fornec|atend|aiut|forn|soddisf|rispond|(?:weiter)?helf|unterstütz"
    r"|(?:bereit)?stell|erfüll|nachkomm|(?:be)?antwort|erstell|liefer|do (?:this|that|so|it))"
    r"|помо[чг]|предостав|выполн|ответ|帮|幫|协助|協助|提供|回答|满足|滿足|完成|生成|手伝|支援|応じ|お応え|対応"
    r"|도와|도움|도울|제공|답변|응할)"
)
_UNABLE: Final = (
    r"(?:\b(?:i|we)(?:\s+(?:really|simply|just|must say i))?\s*"
    r"(?:can(?:['’]?t|not| not)|could(?:n['’]t| not)|won['’]t|will not|['’]m not going to|do(?:n['’]t| not) feel \w+"
    r"|(?:am|are|['’]m|['’]re|was)\s*(?:unable|not (?:able|allowed|permitted|comfortable|willing|in a position)))"
    r"|\bunable\b|\bnot able\b"
    r"|\bno (?:me es posible|puedo|podemos|soy capaz)"
    r"|\bne (?:peux|pouvons|suis|saurais|pourrai|sommes)(?: malheureusement)? (?:pas|en)"
    r"|\bnão (?:posso|consigo|podemos)|\bnon (?:posso|possiamo|sono in grado)"
    r"|\b(?:kann|können|darf|werde)\b[^.!?]{0,40}\bnicht|\bnicht in der lage|не (?:могу|можем|буду)"
    r"|无法|無法|不能|不可以|没办法|沒辦法|不便)"
)
_DECLINE: Final = (
    r"\b(?:i|we)\b[^.!?]{0,30}\b(?:decline|refuse|rather not|prefer not)\b"
    r"|\b(?:against|violat\w+|goes? beyond)\b[^.!?]{0,40}\b(?:guidelines|polic(?:y|ies)|principles)\b"
)
_REFUSAL: Final = re.compile(
    rf"{_UNABLE}[^.!?。！？]{{0,40}}?{_SERVE}|{_DECLINE}"
    rf"|{_SERVE}[^.!?。！？]{{0,20}}(?:できません|できかね|致しかね|いたしかね|しかねます|수 없|수가 없)",
    re.IGNORECASE,
)
_PERCEIVE: Final = re.compile(r"\b(?:see|find|access|open|read|view|locate)\b", re.IGNORECASE)


def find_refusal(answer: str) -> str:
    """Return a short answer in one line if it refuses, else ""."""
    line = " ".join(_TAG.sub(" ", answer).split())
    refusal = _REFUSAL.search(line) if len(line) <= _MAX_REFUSAL_CHARS else None
    return line if refusal and not _PERCEIVE.search(refusal[0]) else ""
