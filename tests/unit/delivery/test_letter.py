"""The letter that a mail becomes: its language, its links, and what is the same in every attempt."""

import email
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest

from resultsq.delivery.mail import letter
from resultsq.delivery.mail.letter import Sender
from resultsq.kinds.mails.kind import Mail

NOW = datetime(2013, 12, 7, 12, 4, tzinfo=UTC)
NODE = "https://node.example"


def mail(**changes: Any) -> Mail:
    known = {
        "account": "bushy",
        "subject": "Published",
        "text": "One & two.\nThree.\n\nFour.",
        "repeat": False,
        "submitted_by": "resultsq",
        "submitted_at": NOW,
    }
    return Mail.model_validate({**known, **changes})


def written(made: Mail, node: str | None = None, unsubscribe: str | None = None) -> EmailMessage:
    content = letter.write(made, "id-1", "team@bushy.example", Sender("node@results.example", node), unsubscribe)
    return email.message_from_bytes(content, policy=policy.default)


def parts(found: EmailMessage) -> tuple[str, str]:
    text, page = found.get_body(("plain",)), found.get_body(("html",))
    assert text is not None
    assert page is not None
    return text.get_content(), page.get_content()


@pytest.mark.parametrize("node", [NODE, None])
@pytest.mark.parametrize("secret", ["s3cret", None])
@pytest.mark.parametrize("notice", [True, False])
def test_a_notice_has_a_link_where_there_is_a_node_and_a_secret(
    node: str | None, secret: str | None, notice: bool
) -> None:
    found = written(mail(notice=notice), node, secret)
    text, page = parts(found)
    link = f"{NODE}/unsubscribe/s3cret"
    has_link = notice and node is not None and secret is not None
    assert found["List-Unsubscribe"] == (f"<{link}>" if has_link else None)
    assert (found["List-Unsubscribe-Post"] is not None) == has_link
    assert (f"\n-- \nNo more of these mails\n{link}\n" in text.replace("\r\n", "\n")) == has_link
    assert (f'<a href="{link}">No more of these mails</a>' in page) == has_link


def test_paragraphs_and_lines_are_kept_and_nothing_is_markup() -> None:
    _, page = parts(written(mail(subject="<b>")))
    assert "<p>One &amp; two.<br>Three.</p><p>Four.</p></body>" in page
    assert "<title>&lt;b&gt;</title>" in page


@pytest.mark.parametrize(
    ("language", "code", "said"),
    [
        ("xx", "en", "No more of these mails"),
        ("de", "de", "Keine solchen E-Mails mehr"),
    ],
)
def test_what_the_node_adds_is_in_the_readers_language(language: str, code: str, said: str) -> None:
    text, page = parts(written(mail(notice=True, language=language), NODE, "s3cret"))
    assert f'<html lang="{code}" dir="ltr">' in page
    assert said in text
    assert said in page


def test_barcodes_stand_where_they_are_named_and_once() -> None:
    found = written(mail(barcodes=["A1", "A22"]))
    _, page = parts(found)
    pictures = {part["Content-ID"]: part for part in found.walk() if part.get_content_type() == "image/png"}
    assert list(pictures) == ["<0.id-1@barcode>", "<1.id-1@barcode>"]
    assert [part.get_filename() for part in pictures.values()] == ["A1.png", "A22.png"]
    for name, number in (("0.id-1@barcode", "A1"), ("1.id-1@barcode", "A22")):
        assert f'<p>{number}<br><img src="cid:{name}" alt="{number}"' in page
    assert not [part for part in written(mail()).walk() if part.get_content_type() == "multipart/related"]


def test_a_signature_stands_before_all_that_it_signs() -> None:
    signed: list[bytes] = []

    def sign(made: bytes) -> bytes:
        signed.append(made)
        return b"DKIM-Signature: x\r\n"

    content = letter.write(mail(), "id-1", "team@bushy.example", Sender("node@results.example", None, sign))
    assert content == b"DKIM-Signature: x\r\n" + signed[0]
    assert signed[0] == letter.write(mail(), "id-1", "team@bushy.example", Sender("node@results.example"))
