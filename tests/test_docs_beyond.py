"""The page on a million papers: its arithmetic is right."""

from tests.conftest import ROOT

ESTIMATE = (ROOT / "docs" / "one-million-papers.md").read_text(encoding="utf-8")


def test_the_arithmetic_is_right() -> None:
    tokens_in, tokens_out, million = 20_000, 1_500, 1_000_000
    cost = tokens_in * 0.15 + tokens_out * 0.60
    minutes = million * (tokens_in + tokens_out) / 10_000_000
    assert f"**${cost:,.0f}**" in ESTIMATE
    assert f"**${cost / 2:,.0f}**" in ESTIMATE
    assert f"{minutes:,.0f} min = **{minutes / 60:.1f} h**" in ESTIMATE
    assert f"{million / minutes:.0f} papers a minute, {million / minutes / 60:.1f} a second" in ESTIMATE
    assert f"{million / minutes / 60 * 30:.0f}, so" in ESTIMATE
    assert (
        f"{million:,} / 1.4 = {million / 1.4 / 3600:.0f} core hours; {-(-million / minutes / 60 // 1.4):.0f} cores"
        in ESTIMATE
    )
    assert f"{million * tokens_in / 1e9:.1f} / 5 = {million * tokens_in / 5e9:.0f} rounds" in ESTIMATE
    assert f"at most {million * tokens_in / 5e9 * 24:.0f} h" in ESTIMATE
    assert f"{million * 80_000 / 1e9:.0f} GB in {million * 80_000 / 200e6:.0f} files" in ESTIMATE
    assert f"{2900 / 2:,.0f} requests/s at the least: a million in {million / 1450 / 60 + 0.5:.0f} min" in ESTIMATE
    assert f"{1000 / 12.7:.0f} papers/s at the least, {1000 / 12.7 / 7.8:.0f} times" in ESTIMATE
    hours = million * (tokens_in + tokens_out) / 80_000 / 3600
    assert f"{hours:.1f} h × $2 = ${8 * round(hours, 1) * 2:,.0f}" in ESTIMATE
