"""The letter and the mailbox of tests/library."""

import email.policy
import pathlib
from email.message import EmailMessage

POLICY = email.policy.SMTP


def letter(sender: str, to: str, date: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    message["From"], message["To"], message["Date"], message["Subject"] = sender, to, date, subject
    message["Message-ID"] = f"<{abs(sum(map(ord, subject + date)))}@mill-lane.example>"
    message.set_content(text, cte="quoted-printable")
    return message


def booking(library: pathlib.Path) -> None:
    """A letter in plain text and HTML, with a document and a picture attached."""
    message = letter(
        "Dorothea Brück <hall@thornbury.example>", "Ines Ashdown <ines@mill-lane.example>", "Mon, 04 Mar 2024 17:42:00 +0000",
        "Parish hall: your booking for 15 June",
        "Dear Ines,\n\nthe hall is yours from two o'clock on 15 June. The deposit is 75, in cash please, and the key comes from the bakery.\n\n"
        "The rules are attached; the boiler has moods.\n\nDorothea Brück\n",
    )
    message.add_alternative("<p>Dear Ines,</p><p>the hall is yours.</p>", subtype="html", cte="quoted-printable")
    rules = (
        "# Rules of the parish hall\n\n## Heating\n\nThe boiler is lit by the caretaker alone. Ring 41 twice.\n\n"
        "## Leaving\n\nChairs go back in stacks of eight, windows shut, stage lights off at the wall.\n"
    )
    message.add_attachment(rules.encode(), maintype="text", subtype="markdown", filename="hall-rules.md")
    pixel = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
    message.add_attachment(pixel, maintype="image", subtype="gif", filename="hall.gif")
    message.set_boundary("outer-part")
    next(message.iter_parts()).set_boundary("inner-part")
    (library / "club/hall-booking.eml").write_bytes(message.as_bytes())


def bees(library: pathlib.Path) -> None:
    """Three letters about a swarm, as a mail program keeps them."""
    ines, tom = "Ines Ashdown <ines@mill-lane.example>", "Tom Ferrier <tom@ferrier.example>"
    letters = [
        letter(tom, ines, "Sat, 11 May 2024 09:05:00 +0100", "A swarm in your pear tree",
               "Ines,\n\nthere is a swarm the size of a football in your pear tree. I have an empty hive and a ladder. May I?\n\nTom\n"),
        letter(ines, tom, "Sat, 11 May 2024 09:31:00 +0100", "Re: A swarm in your pear tree",
               "Please do, Rowan is allergic and has shut himself into the workshop.\n\nFrom here one can hear them through the glass.\n\nInes\n"),
        letter(tom, ines, "Sun, 26 May 2024 20:15:00 +0100", "The queen is marked",
               "She lays. I gave her a blue dot, although it is not the year for blue, because the paint was there. The first honey is yours.\n\nTom\n"),
    ]
    begin = "From MAILER Sat May 11 09:05:00 2024\n"
    mailbox = "\n".join(begin + message.as_bytes().decode().replace("\r\n", "\n") for message in letters)
    (library / "garden/swarm.mbox").write_text(mailbox)


def build(library: pathlib.Path) -> None:
    booking(library)
    bees(library)
