"""The kinds of inputs, a row each."""

from tests.fuzz import manifests, papers, replies, stored
from tests.fuzz.context import Kind

KINDS = (
    Kind("reply", replies.make_reply, replies.check_reply, 2),
    Kind("response", replies.make_response, replies.check_response, 2),
    Kind("stream", replies.make_stream, replies.check_response, 2),
    Kind("header", replies.make_header, replies.check_response, 2),
    Kind("error", replies.make_error, replies.check_response, 2),
    Kind("record", stored.make_record, stored.check_record, 2),
    Kind("trajectory", stored.make_trajectory, stored.check_trajectory, 4),
    Kind("ledger", stored.make_ledger, stored.check_ledger, 4),
    Kind("manifest", manifests.make_manifest, manifests.check_manifest, 2),
    Kind("markdown", papers.make_markdown, papers.check_paper, 10),
    Kind("text", papers.make_text, papers.check_paper, 10),
    Kind("html", papers.make_html, papers.check_paper, 10),
    Kind("latex", papers.make_latex, papers.check_paper, 10),
    Kind("archive", papers.make_archive, papers.check_paper, 10),
    Kind("pdf", papers.make_pdf, papers.check_paper_apart, 10),
)
