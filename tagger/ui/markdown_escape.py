"""Markdown escaping of names of files, labels and reviewers.

Most of Streamlit's widgets read their texts as Markdown, where a file named ``![x](http://...)`` would make
the browser call out. Every name goes through ``escape_markdown`` on its way there. Tables, select boxes,
text inputs and altair show text as it is; there the name goes in unchanged.
"""

import re

_LINKS = re.compile(r"(https?(?=://)|www(?=\.)|(?=@))", re.IGNORECASE)
_WORD_JOINER = "\u2060"  # takes no room, and parts what the browser would make a link of even after escaping
_MARKDOWN_CHARACTERS = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&@=^\"'/])")


def escape_markdown(text: object) -> str:
    """Escaped text: Markdown shows it as it is, on one line, without image, link, formula, icon or tag.

    A web or mail address is shown as it is, but has an invisible word joiner in it: it is no link.

    >>> print(escape_markdown("![x](ftp://a.b) :sea:"))
    \\!\\[x\\]\\(ftp\\:\\/\\/a\\.b\\) \\:sea\\:
    """
    return _MARKDOWN_CHARACTERS.sub(r"\\\1", _LINKS.sub(rf"\1{_WORD_JOINER}", " ".join(str(text).split())))
